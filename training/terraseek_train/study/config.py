"""Settings of a study: one base, one training and one validation split, arms and seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from terraseek.errors import ConfigError
from terraseek_train.config import DataSource, expand_variables
from terraseek_train.peft import PeftConfig

__all__ = ["Arm", "Method", "StudyConfig", "load_study", "varied"]

Method = Literal["base", "contrastive", "ebaker", "prior"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Arm:
    """One way of training, compared with the others."""

    name: str
    """As it stands in the table; letters, digits, spaces and `+-./`."""
    method: Method = "contrastive"
    """`base` is measured as it is."""
    peft: PeftConfig = field(default_factory=lambda: PeftConfig("full"))
    lr: float | None = None
    """Peak learning rate; None takes the study's."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the method: fields of `EbakerArm` or `PriorArm`."""
    against: str | None = None
    """Arm its difference is taken from; None takes the study's reference."""


@dataclass(frozen=True)
class StudyConfig:
    """Everything a study depends on besides the data files themselves.

    Raises:
        ConfigError: no arm or seed, a name twice or unusable, or a comparison with no arm.
    """

    out: str
    base: str
    """Checkpoint folder of a training run, or name of a registered model."""
    train: DataSource
    val: DataSource
    arms: tuple[Arm, ...]
    title: str = "Study"
    seeds: tuple[int, ...] = (0, 1, 2)
    reference: str | None = None
    """Arm all others are compared with; None takes the first."""
    pictures: int | None = None
    """Training pictures used, the same ones in every cell; None takes all."""
    held_out: int = 0
    """Where above 0: measure on so many further training pictures instead of `val`.

    For choosing learning rates without looking at the split the study reports.
    """
    epochs: int = 5
    batch: int = 100
    lr: float = 3e-4
    warmup: int = 10
    """Steps."""
    final_lr: float = 0.01
    """Share of the peak the cosine ends at."""
    weight_decay: float = 0.05
    clip: float = 2.0
    stored_size: int = 96
    """Side in pixels at which training pictures are kept decoded."""
    instruction: str | None = None
    """Folder of a scene classifier (`terraseek-train instruction`), for the method `prior`."""
    keep: bool = False
    """Keep what was trained beside the metrics, as an adapter that loads onto the base."""
    cache: str = "runs/cache"
    threads: int = 1

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or not self.seeds:
            raise ConfigError("a study needs at least one arm and one seed")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"two arms are named {twice[0]!r}; names tell the arms apart")
        for name in [self.reference, *(arm.against for arm in self.arms)]:
            if name is not None and name not in names:
                raise ConfigError(f"no arm is named {name!r}; arms: {', '.join(names)}")
        for key in ("epochs", "batch"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} is {getattr(self, key)}; it must be at least 1")
        for arm in self.arms:
            if self.keep and arm.options.get("temporal"):
                raise ConfigError(
                    f"arm {arm.name!r}: an encoder with temporal=true behind its text tower cannot "
                    "be kept as a model, only measured; set keep or temporal to false"
                )
            if arm.method == "prior" and not self.instruction and _needs_instruction(arm):
                raise ConfigError(
                    f"arm {arm.name!r} needs `instruction`, the folder of a scene classifier; "
                    "`terraseek-train instruction CONFIG` trains one"
                )

    def rival(self, arm: Arm) -> Arm | None:
        """The arm this one is compared with; None for the reference itself."""
        name = arm.against or self.reference or self.arms[0].name
        return None if name == arm.name else next(a for a in self.arms if a.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written beside the results."""
        value = asdict(self)
        for entry, arm in zip(value["arms"], self.arms, strict=True):
            entry["peft"] = arm.peft.to_json()
        return value


def varied(
    config: StudyConfig, ablate: Sequence[str] = (), release_compatible: bool = False
) -> StudyConfig:
    """The study with parts left out of all its EBAKER arms, or its methods as released.

    Arms that change get another name, so that their cells stand beside the others.

    Args:
        config: what is varied.
        ablate: parts of EBAKER: local, ker, eba.
        release_compatible: for EBAKER's and PriorCLIP's arms.
    """
    changed = tuple(_varied(arm, ablate, release_compatible) for arm in config.arms)
    names = {old.name: new.name for old, new in zip(config.arms, changed, strict=True)}
    kept = {new.name: new for new in changed}  # two arms may become one
    arms = tuple(
        replace(arm, against=names[arm.against] if arm.against else None) for arm in kept.values()
    )
    reference = names[config.reference] if config.reference else None
    return replace(config, arms=arms, reference=reference)


def _varied(arm: Arm, ablate: Sequence[str], release_compatible: bool) -> Arm:
    options, name = dict(arm.options), arm.name
    if ablate and arm.method == "ebaker":
        out = list(dict.fromkeys([*options.get("ablate", ()), *ablate]))
        options["ablate"] = out
        name += f" without {', '.join(ablate)}"
    if release_compatible and arm.method in ("ebaker", "prior"):
        options["release_compatible"] = True
        name += ", as released"
    return replace(arm, name=name, options=options)


def load_study(path: Path) -> StudyConfig:
    """Read a study's JSON; environment variables in strings are filled in.

    Raises:
        ConfigError: not JSON, an unknown or missing key, an unset variable, or a value without
            meaning.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    value = expand_variables(raw, path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold one JSON object")
    for key in ("train", "val"):
        if key in value:
            value[key] = _made(DataSource, _listless(value[key], "area"), path)
    value["arms"] = tuple(_arm(entry, path) for entry in value.get("arms", ()))
    return _made(StudyConfig, _listless(value, "seeds"), path)


def _arm(entry: dict[str, Any], path: Path) -> Arm:
    if "peft" in entry:
        plain = {"kind": entry["peft"]} if isinstance(entry["peft"], str) else entry["peft"]
        entry = entry | {"peft": PeftConfig.from_json(plain)}
    method = entry.get("method", "contrastive")
    if method not in get_args(Method):
        known = ", ".join(get_args(Method))
        raise ConfigError(f"{path}: the method {method!r} is unknown; known: {known}")
    return _made(Arm, entry, path)


def _listless(value: dict[str, Any], key: str) -> dict[str, Any]:
    return value | {key: tuple(value[key])} if key in value else value


def _made(kind: type[_T], value: Mapping[str, Any], path: Path) -> _T:
    parts = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(parts))
    if unknown:
        raise ConfigError(f"{path} has the unknown key {unknown[0]!r}; known: {', '.join(parts)}")
    for name, part in parts.items():
        needed = part.default is MISSING and part.default_factory is MISSING
        if needed and name not in value:
            raise ConfigError(f"{path} lacks the key {name!r}")
    return kind(**value)


def _needs_instruction(arm: Arm) -> bool:
    return bool(arm.options.get("belief", "none") != "none")
