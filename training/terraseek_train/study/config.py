"""Config of a study: one base, one training and one validation split, arms and seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from terraseek.errors import ConfigError
from terraseek_train.config import DataSource, expand_variables
from terraseek_train.methods.options import METHODS, PriorMethodOptions, read_options
from terraseek_train.peft import PeftConfig

__all__ = ["Arm", "StudyConfig", "load_study", "vary_study"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Arm:
    """One training method with its settings, compared with the other arms."""

    name: str
    """Name in the table; letters, digits, spaces and `+-./`."""
    method: str = "contrastive"
    """Method of a recipe; or `base`, which is evaluated without training."""
    tune: Any = "full"
    """What is trained, as in a recipe."""
    lr: float | None = None
    """Peak learning rate; None for that of the study."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the method, as in a recipe."""
    against: str | None = None
    """Arm it is compared with; None for the study's reference."""


@dataclass(frozen=True)
class StudyConfig:
    """All settings of a study.

    Raises:
        ConfigError: there is no arm or seed, a name occurs twice or cannot be used, or an arm is
            compared with an unknown one.
    """

    out: str
    base: str
    """Checkpoint folder of a training run, or name of a registered model."""
    train: DataSource
    val: DataSource
    arms: tuple[Arm, ...]
    second: DataSource | None = None
    """A second set to report on, with scene labels in place of captions: zero-shot top-1."""
    title: str = "Study"
    seeds: tuple[int, ...] = (0, 1, 2)
    reference: str | None = None
    """Arm that all others are compared with; None for the first."""
    pictures: int | None = None
    """Number of training images, the same ones in every run; None for all."""
    held_out: int = 0
    """If above 0: evaluate on this many further training images instead of `val`.

    For choosing learning rates without using the split that the study reports.
    """
    epochs: int = 5
    batch: int = 100
    lr: float = 3e-4
    warmup: int = 10
    """Steps."""
    final_lr: float = 0.01
    """Learning rate at the end of the cosine, as a share of the peak."""
    weight_decay: float = 0.05
    clip: float = 2.0
    views: int = 0
    """As in a recipe."""
    stored_size: int = 96
    """Side in pixels at which training images are kept decoded."""
    instruction: str | None = None
    """Folder of a scene classifier (`terraseek-train instruction`), for `pir` and `priorclip`."""
    keep: bool = False
    """Keep the trained weights of every run, beside the metrics."""
    cache: str = "runs/cache"
    threads: int = 1
    device: str = "auto"
    """As in a recipe."""
    bf16: bool = False
    """As in a recipe."""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or not self.seeds:
            raise ConfigError("a study needs at least one arm and one seed")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(f"two arms are named {repeated[0]!r}; names must be unique")
        for name in [self.reference, *(arm.against for arm in self.arms)]:
            if name is not None and name not in names:
                raise ConfigError(f"no arm is named {name!r}; arms: {', '.join(names)}")
        for key in ("epochs", "batch"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} is {getattr(self, key)}; it must be at least 1")
        for arm in self.arms:
            if arm.method != "base":
                self._check_arm(arm)

    def _check_arm(self, arm: Arm) -> None:
        try:
            PeftConfig.from_json({"kind": arm.tune} if isinstance(arm.tune, str) else arm.tune)
            options = read_options(arm.method, self.options_of(arm))
        except ConfigError as error:
            raise ConfigError(f"arm {arm.name!r}: {error}") from error
        if not isinstance(options, PriorMethodOptions):
            return
        if self.keep and options.temporal:
            raise ConfigError(
                f"arm {arm.name!r}: an encoder with temporal=true after its text tower cannot "
                "be saved as an adapter, only evaluated; set keep or temporal to false"
            )
        if options.belief != "none" and not options.instruction:
            raise ConfigError(
                f"arm {arm.name!r} needs `instruction`, the folder of a scene classifier; "
                "`terraseek-train instruction CONFIG` trains one"
            )

    def options_of(self, arm: Arm) -> dict[str, Any]:
        """Options of an arm, with the study's scene classifier where its method has one."""
        kind = METHODS.get(arm.method)
        guided = kind is not None and issubclass(kind, PriorMethodOptions) and self.instruction
        return ({"instruction": self.instruction} if guided else {}) | dict(arm.options)

    def reference_arm(self, arm: Arm) -> Arm | None:
        """Arm that `arm` is compared with; None for the reference itself."""
        name = arm.against or self.reference or self.arms[0].name
        return None if name == arm.name else next(a for a in self.arms if a.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written to `results.json`."""
        return asdict(self)


def vary_study(
    config: StudyConfig, ablate: Sequence[str] = (), release_compatible: bool = False
) -> StudyConfig:
    """Copy of the study with parts left out of its EBAKER arms, or with methods as released.

    Changed arms get another name, so that their runs do not replace those of the original arms.

    Args:
        config: the original study.
        ablate: parts of EBAKER to leave out: local, ker, eba.
        release_compatible: whether EBAKER and PriorCLIP follow their released code.
    """
    changed = tuple(_vary_arm(arm, ablate, release_compatible) for arm in config.arms)
    names = {old.name: new.name for old, new in zip(config.arms, changed, strict=True)}
    unique = {new.name: new for new in changed}  # two arms can become equal
    arms = tuple(
        replace(arm, against=names[arm.against] if arm.against else None) for arm in unique.values()
    )
    reference = names[config.reference] if config.reference else None
    return replace(config, arms=arms, reference=reference)


def _vary_arm(arm: Arm, ablate: Sequence[str], release_compatible: bool) -> Arm:
    options, name = dict(arm.options), arm.name
    if ablate and arm.method == "ebaker":
        options["ablate"] = list(dict.fromkeys([*options.get("ablate", ()), *ablate]))
        name += f" without {', '.join(ablate)}"
    if release_compatible and arm.method in ("ebaker", "pir", "priorclip"):
        options["release_compatible"] = True
        name += ", as released"
    return replace(arm, name=name, options=options)


def load_study(path: Path) -> StudyConfig:
    """Read a study's config from JSON; environment variables in strings are expanded.

    Raises:
        ConfigError: not JSON, an unknown or missing key, an unset variable, or an invalid value.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    value = expand_variables(raw, path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold one JSON object")
    for key in ("train", "val", "second"):
        if value.get(key):
            value[key] = _build(DataSource, _with_tuple(value[key], "area"), path)
    value["arms"] = tuple(_arm(entry, path) for entry in value.get("arms", ()))
    return _build(StudyConfig, _with_tuple(value, "seeds"), path)


def _arm(entry: dict[str, Any], path: Path) -> Arm:
    if "peft" in entry:
        raise ConfigError(f"{path}: an arm's peft is now its tune, as in a recipe; rename it")
    method = entry.get("method", "contrastive")
    if method not in ("base", *METHODS):
        known = ", ".join(("base", *METHODS))
        raise ConfigError(f"{path}: the method {method!r} is unknown; known: {known}")
    return _build(Arm, entry, path)


def _with_tuple(value: dict[str, Any], key: str) -> dict[str, Any]:
    return value | {key: tuple(value[key])} if key in value else value


def _build(kind: type[_T], value: Mapping[str, Any], path: Path) -> _T:
    parts = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(parts))
    if unknown:
        raise ConfigError(f"{path} has the unknown key {unknown[0]!r}; known: {', '.join(parts)}")
    for name, part in parts.items():
        required = part.default is MISSING and part.default_factory is MISSING
        if required and name not in value:
            raise ConfigError(f"{path} lacks the key {name!r}")
    return kind(**value)
