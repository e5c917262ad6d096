"""Model cards: everything known about an encoder, one JSON file per model.

A card describes the architecture, the weights file (with sha256), the image preprocessing, the
origin and the licence. This module does not need torch.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from terraseek.errors import ConfigError
from terraseek.files import read_json

__all__ = [
    "CLEANING",
    "INTERPOLATIONS",
    "RESERVED",
    "RESIZE_MODES",
    "AdapterFile",
    "EnsembleMember",
    "HubFile",
    "ModelCard",
    "Preprocess",
    "TokenizerFile",
    "WeightsFile",
    "check_name",
    "read_card",
]

INTERPOLATIONS = ("bicubic", "bilinear")
RESIZE_MODES = ("shortest", "squash")
CLEANING = ("whitespace", "lower", "canonicalize")
"""What is done to a text before its tokens are looked up: runs of white space become one space,
letters also become lower case, punctuation is also removed."""
RESERVED = "fake"
"""Name of the encoder without a network; no card can have it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing of an RGB image for the image tower."""

    size: int
    """Side of the input square in pixels."""
    mean: tuple[float, ...]
    """Mean of R, G, B on the scale 0 to 1, which is subtracted."""
    std: tuple[float, ...]
    """Standard deviation of R, G, B on the scale 0 to 1, the divisor."""
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
    """File with the weights of a model."""

    file: str
    """File name in a weights folder, or an absolute path."""
    sha256: str | None = None
    """Hex digest of the file; None if none was published."""
    bytes: int | None = None
    """Size of the file; None if unknown."""

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
    """Location of the weights on the Hugging Face hub."""

    repo: str
    """`owner/name`."""
    file: str
    """Path in the repository."""
    revision: str | None = None
    """Commit or branch; None means the current main branch."""


@dataclass(frozen=True)
class TokenizerFile:
    """The `tokenizer.json` of a text tower whose tokenizer is not CLIP's."""

    file: str
    """File name in a weights folder, or an absolute path."""
    start: str = ""
    """Special token before every text; empty for none."""
    end: str = ""
    """Special token after every text; empty for none."""
    pad: str = "<pad>"
    """Token that fills the context after the end."""
    clean: str = "whitespace"
    """One of `CLEANING`."""
    hub_file: str | None = None
    """Path in the repository of the weights; None if it is not fetched with them."""
    sha256: str | None = None
    """Hex digest of the file; None if none was published."""

    def __post_init__(self) -> None:
        WeightsFile(self.file, self.sha256)  # the same rules
        if self.clean not in CLEANING:
            raise ConfigError(
                f"tokenizer clean {self.clean!r} must be one of {', '.join(CLEANING)}"
            )


@dataclass(frozen=True)
class AdapterFile:
    """Adapter trained on top of a model and stored separately."""

    base: str
    """Name of the model it was trained on."""
    folder: str
    """Absolute path, or name in the user's folder of adapters."""
    sha256: str
    """Hex digest of the adapter's weights file."""
    kind: str = ""
    """Adapter method, as `terraseek_train.peft` names it."""
    parameters: int | None = None
    """Number of trained parameters."""
    bytes: int | None = None
    """Size of the weights file."""

    def __post_init__(self) -> None:
        path = Path(self.folder)
        if not path.is_absolute() and (path.name != self.folder or self.folder in {"", ".", ".."}):
            raise ConfigError(
                f"adapter folder {self.folder!r} must be a plain name or an absolute path"
            )
        if not _SHA256.fullmatch(self.sha256):
            raise ConfigError(f"adapter sha256 {self.sha256!r} must be 64 lower-case hex digits")


@dataclass(frozen=True)
class EnsembleMember:
    """Registered model that is a member of an ensemble (see `encoders.nets.ensemble_encoder`)."""

    model: str
    """Name of its card."""
    encoder_id: str
    """Its encoder; a model of the same name with other weights is refused."""
    weight: float
    """Weight of its cosine in that of the ensemble; those of all members sum to 1."""

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise ConfigError(f"weight {self.weight} of {self.model!r} must be between 0 and 1")


@dataclass(frozen=True)
class ModelCard:
    """Description of one encoder; facts that are unknown or were not measured are None or empty."""

    name: str
    """Short name, used in commands and stored with vectors."""
    architecture: str | Mapping[str, Any]
    """Name of an open_clip model config, or a config (see `encoders.architecture`)."""
    weights: WeightsFile
    preprocess: Preprocess
    embed_dim: int
    """Length of the vectors."""
    title: str = ""
    """Name for display."""
    description: str = ""
    source: str = ""
    """Origin of the model: a sentence or an address."""
    hub: HubFile | None = None
    licence: str = ""
    """Licence of the weights, not of the code."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages it was trained on."""
    context_length: int | None = None
    """Maximum number of tokens of a text; None means that of the architecture."""
    parameters: int | None = None
    """Number of weights."""
    gsd_range_m: tuple[float, float] | None = None
    """Smallest and largest ground sample distance of training images, in metres per pixel."""
    tokenizer: TokenizerFile | None = None
    """Tokenizer of the text tower, if it is not CLIP's."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Results measured with TerraSeek, and how."""
    published: tuple[Mapping[str, Any], ...] = ()
    """Results that others published, not measured here. Each has `task` (`retrieval`, `zeroshot`,
    `localization` or `segmentation`), `dataset`, `protocol` (everything a run must share to be
    comparable), `figures` (numbers by name) and `source`."""
    calibration: Mapping[str, Any] | None = None
    """Statistics of cosines of unrelated image-text pairs (see `Calibration`): `mean`, `std`,
    `quantiles`, how they were measured; and `words`, the vocabulary of the training captions (see
    `terraseek.encoders.vocabulary`)."""
    training: Mapping[str, Any] | None = None
    """How the model was trained: data, splits, recipe, commands."""
    limitations: tuple[str, ...] = ()
    """Known weaknesses."""
    adapter: AdapterFile | None = None
    """Adapter to attach after loading; architecture and weights are those of its base model."""
    ensemble: tuple[EnsembleMember, ...] = ()
    """Members of an ensemble of registered models; architecture, weights and preprocessing are
    those of the first."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.embed_dim < 1:
            raise ConfigError(f"card {self.name!r}: embed_dim {self.embed_dim} must be positive")
        if not self.architecture:
            raise ConfigError(f"card {self.name!r} has no architecture")
        if self.ensemble and abs(sum(member.weight for member in self.ensemble) - 1) > 1e-6:
            raise ConfigError(f"card {self.name!r}: the weights of its members must sum to 1")
        if self.gsd_range_m is not None and not (
            len(self.gsd_range_m) == 2 and 0 < self.gsd_range_m[0] <= self.gsd_range_m[1]
        ):
            raise ConfigError(f"card {self.name!r}: gsd_range_m must be [smallest, largest] metres")
        for result in self.published:
            _check_published(self.name, result)

    @classmethod
    def from_json(cls, value: object) -> "ModelCard":
        """Create a card from the value of a JSON file.

        Raises:
            ConfigError: a key is missing, unknown, or has an invalid value.
        """
        facts = _checked_fields(cls, value, "card")
        facts["weights"] = WeightsFile(**_checked_fields(WeightsFile, facts["weights"], "weights"))
        prepare = _checked_fields(Preprocess, facts["preprocess"], "preprocess")
        facts["preprocess"] = Preprocess(**_tuples(prepare, "mean", "std"))
        if facts.get("hub") is not None:
            facts["hub"] = HubFile(**_checked_fields(HubFile, facts["hub"], "hub"))
        if facts.get("tokenizer") is not None:
            facts["tokenizer"] = TokenizerFile(
                **_checked_fields(TokenizerFile, facts["tokenizer"], "tokenizer")
            )
        if facts.get("adapter") is not None:
            facts["adapter"] = AdapterFile(
                **_checked_fields(AdapterFile, facts["adapter"], "adapter")
            )
        facts["ensemble"] = tuple(
            EnsembleMember(**_checked_fields(EnsembleMember, member, "ensemble"))
            for member in facts.get("ensemble") or ()
        )
        return cls(**_tuples(facts, "languages", "limitations", "gsd_range_m", "published"))

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values, the inverse of `from_json`."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    def encoder_id(self, weights_sha256: str) -> str:
        """Return `name@` and 12 hex digits of a hash over all that determines the vectors.

        These are architecture, weights, preprocessing, tokenizer, adapter and members.

        Args:
            weights_sha256: hex digest of the weights file in use.
        """
        facts: dict[str, Any] = {
            "architecture": self.architecture,
            "weights": weights_sha256,
            "preprocess": asdict(self.preprocess),
        }
        if self.tokenizer is not None:  # keeps the ids of models without one, as for adapters
            used = ("start", "end", "pad", "clean", "sha256")
            facts["tokenizer"] = {name: getattr(self.tokenizer, name) for name in used}
        if self.adapter is not None:
            facts["adapter"] = self.adapter.sha256
        if self.ensemble:
            facts["ensemble"] = [asdict(member) for member in self.ensemble]
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _check_published(name: str, result: object) -> None:
    kinds = {"task": str, "dataset": str, "protocol": Mapping, "figures": Mapping, "source": str}
    valid = (
        isinstance(result, Mapping)
        and result.keys() == kinds.keys()
        and all(isinstance(result[key], kind) for key, kind in kinds.items())
        and bool(result["source"])
        and bool(result["figures"])
    )
    if not valid:
        raise ConfigError(
            f"card {name!r}: a published result must have {', '.join(kinds)}, with a source and at "
            f"least one figure, not {result!r}"
        )


def check_name(name: str) -> str:
    """Return the name if it is valid for a model, and so for a file and a folder.

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
    """Read a card file, whose name must be the model's name.

    Raises:
        ConfigError: the file holds no JSON or no valid card.
    """
    try:
        card = ModelCard.from_json(read_json(path))
    except (ValueError, TypeError, ConfigError) as error:
        raise ConfigError(f"model card {path} cannot be used: {error}") from error
    if card.name != path.stem:
        raise ConfigError(f"model card {path} is named {card.name!r} inside; rename one of them")
    return card


def _checked_fields(kind: type, value: object, what: str) -> dict[str, Any]:
    """The mapping `value`, if its keys are fields of `kind` and all required fields are present."""
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
    """Convert the JSON lists under `names` to tuples; a single string becomes a tuple of one."""
    for name in names:
        if isinstance(facts.get(name), str):
            facts[name] = (facts[name],)
        elif facts.get(name) is not None:
            facts[name] = tuple(facts[name])
    return facts
