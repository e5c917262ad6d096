"""What is known about an encoder, as data: one JSON file a model.

A card says how the network is built, which file holds its weights (with sha256), how images are
prepared for it, where it came from and under which terms. Nothing here touches torch.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from terraseek.encoders.base import INTERPOLATIONS, RESIZE_MODES
from terraseek.errors import ConfigError
from terraseek.files import read_json

__all__ = [
    "AdapterFile",
    "HubFile",
    "ModelCard",
    "Preprocess",
    "WeightsFile",
    "check_name",
    "read_card",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
RESERVED = "fake"
"""Name of the encoder without a network; no card can have it."""


@dataclass(frozen=True)
class Preprocess:
    """How an RGB image becomes the input of the image tower."""

    size: int
    """Side of the input square in pixels."""
    mean: tuple[float, ...]
    """Mean of R, G, B on the scale 0 to 1, subtracted."""
    std: tuple[float, ...]
    """Standard deviation of R, G, B on the scale 0 to 1, divided by."""
    interpolation: str = "bicubic"
    """`bicubic` or `bilinear`, antialiased."""
    resize_mode: str = "shortest"
    """`shortest` side to `size` then centre crop, or `squash` both sides to `size`."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"preprocess size {self.size} must be a positive number of pixels")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(
                f"preprocess mean {self.mean} and std {self.std} must be three numbers each, "
                "std above 0"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ConfigError(
                f"preprocess interpolation {self.interpolation!r} must be one of "
                f"{', '.join(INTERPOLATIONS)}"
            )
        if self.resize_mode not in RESIZE_MODES:
            raise ConfigError(
                f"preprocess resize_mode {self.resize_mode!r} must be one of "
                f"{', '.join(RESIZE_MODES)}"
            )


@dataclass(frozen=True)
class WeightsFile:
    """The file that holds the weights."""

    file: str
    """File name in a weights folder, or an absolute path."""
    sha256: str | None = None
    """Hex digest of its bytes; None where nobody has published one."""
    bytes: int | None = None
    """Its size; None where unknown."""

    def __post_init__(self) -> None:
        path = Path(self.file)
        if not path.is_absolute() and (path.name != self.file or self.file in {"", ".", ".."}):
            raise ConfigError(
                f"weights file {self.file!r} must be a plain file name or an absolute path"
            )
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ConfigError(f"weights sha256 {self.sha256!r} must be 64 lower-case hex digits")


@dataclass(frozen=True)
class HubFile:
    """Where on the Hugging Face hub the weights can be fetched."""

    repo: str
    """`owner/name`."""
    file: str
    """Path inside the repository."""
    revision: str | None = None
    """Commit or branch; None means the main branch as it is on the day."""


@dataclass(frozen=True)
class AdapterFile:
    """What was trained on top of the weights and is kept apart from them."""

    base: str
    """Model whose weights it was trained on."""
    folder: str
    """Absolute path, or name inside the user's folder of adapters."""
    sha256: str
    """Hex digest of its weights."""
    kind: str = ""
    """Way of tuning, as the training names it."""
    parameters: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        path = Path(self.folder)
        if not path.is_absolute() and (path.name != self.folder or self.folder in {"", ".", ".."}):
            raise ConfigError(
                f"adapter folder {self.folder!r} must be a plain name or an absolute path"
            )
        if not _SHA256.fullmatch(self.sha256):
            raise ConfigError(f"adapter sha256 {self.sha256!r} must be 64 lower-case hex digits")


@dataclass(frozen=True)
class ModelCard:
    """All that is known about one encoder. Optional facts nobody has measured are None or empty."""

    name: str
    """Short name used in commands and in stored vectors."""
    architecture: str | Mapping[str, Any]
    """Name of an open_clip model config, or such a config itself."""
    weights: WeightsFile
    preprocess: Preprocess
    embed_dim: int
    """Length of the vectors."""
    title: str = ""
    """What a person calls it."""
    description: str = ""
    source: str = ""
    """Where it comes from: a sentence or an address."""
    hub: HubFile | None = None
    licence: str = ""
    """Terms of the weights, not of the code."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages it was trained on."""
    context_length: int | None = None
    """Tokens the text tower reads; None means what the architecture says."""
    parameters: int | None = None
    """Number of weights."""
    gsd_range_m: tuple[float, float] | None = None
    """Smallest and largest ground sample distance in metres a pixel seen in training."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Measured results, with how they were measured."""
    calibration: Mapping[str, Any] | None = None
    """Cosines of sentences with unrelated images: `mean`, `std`, `quantiles`, how measured;
    `words` of the training sentences, see `terraseek.encoders.vocabulary`."""
    training: Mapping[str, Any] | None = None
    """How it was made: data, splits, recipe, commands."""
    limitations: tuple[str, ...] = ()
    """What it is known to be bad at."""
    adapter: AdapterFile | None = None
    """Put onto the weights after loading; architecture and weights are those of its base."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.embed_dim < 1:
            raise ConfigError(f"card {self.name!r}: embed_dim {self.embed_dim} must be positive")
        if not self.architecture:
            raise ConfigError(f"card {self.name!r} has no architecture")
        if self.gsd_range_m is not None and not (
            len(self.gsd_range_m) == 2 and 0 < self.gsd_range_m[0] <= self.gsd_range_m[1]
        ):
            raise ConfigError(f"card {self.name!r}: gsd_range_m must be [smallest, largest] metres")

    @classmethod
    def from_json(cls, value: object) -> "ModelCard":
        """Make a card of the value of a JSON file.

        Raises:
            ConfigError: a key is missing, unknown, or has a value that cannot be used.
        """
        facts = _known(cls, value, "card")
        facts["weights"] = WeightsFile(**_known(WeightsFile, facts["weights"], "weights"))
        prepare = _known(Preprocess, facts["preprocess"], "preprocess")
        facts["preprocess"] = Preprocess(**_tuples(prepare, "mean", "std"))
        if facts.get("hub") is not None:
            facts["hub"] = HubFile(**_known(HubFile, facts["hub"], "hub"))
        if facts.get("adapter") is not None:
            facts["adapter"] = AdapterFile(**_known(AdapterFile, facts["adapter"], "adapter"))
        return cls(**_tuples(facts, "languages", "limitations", "gsd_range_m"))

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values; `from_json` gives it back."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    def encoder_id(self, weights_sha256: str) -> str:
        """`name@` and 12 hex digits over architecture, weights, preprocessing and adapter.

        Args:
            weights_sha256: hex digest of the weights file that is really used.
        """
        facts: dict[str, Any] = {
            "architecture": self.architecture,
            "weights": weights_sha256,
            "preprocess": asdict(self.preprocess),
        }
        if self.adapter is not None:  # ids of models without one stay what they were
            facts["adapter"] = self.adapter.sha256
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def check_name(name: str) -> str:
    """The name, if a model can have it: it becomes a file and a folder name.

    Raises:
        ConfigError: characters other than letters, digits, `.`, `_`, `-`, or the name `fake`.
    """
    if not _NAME.fullmatch(name) or name == RESERVED:
        raise ConfigError(
            f"model name {name!r} cannot be used; take up to 64 letters, digits, '.', '_' or '-', "
            f"starting with a letter or digit, and not {RESERVED!r}"
        )
    return name


def read_card(path: Path) -> ModelCard:
    """Read a card; its name must be that of the file.

    Raises:
        ConfigError: the file is no JSON or no card; the message names it.
    """
    try:
        card = ModelCard.from_json(read_json(path))
    except (ValueError, TypeError, ConfigError) as error:
        raise ConfigError(f"model card {path} cannot be used: {error}") from error
    if card.name != path.stem:
        raise ConfigError(f"model card {path} is named {card.name!r} inside; rename one of them")
    return card


def _known(kind: type, value: object, what: str) -> dict[str, Any]:
    """The mapping `value`, if its keys are fields of `kind` and none without default is missing."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{what} must be a JSON object, not {type(value).__name__}")
    names = [f.name for f in fields(kind)]
    if unknown := sorted(set(value) - set(names)):
        raise ConfigError(f"{what} has unknown keys {unknown}; known are {', '.join(names)}")
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in needed if name not in value]:
        raise ConfigError(f"{what} lacks the keys {missing}")
    return dict(value)


def _tuples(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    """The facts with JSON lists under `names` made tuples; a single string is a list of one."""
    for name in names:
        if isinstance(facts.get(name), str):
            facts[name] = (facts[name],)
        elif facts.get(name) is not None:
            facts[name] = tuple(facts[name])
    return facts
