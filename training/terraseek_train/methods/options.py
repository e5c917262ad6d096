"""The methods that a training recipe can name, and the options of each; one dataclass a method."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from terraseek.errors import ConfigError

__all__ = [
    "METHODS",
    "EbakerMethodOptions",
    "GeorsclipOptions",
    "MethodOptions",
    "PirOptions",
    "PriorMethodOptions",
    "PriorclipOptions",
    "read_options",
]

Belief = Literal["none", "hard", "soft", "tower"]


@dataclass(frozen=True)
class MethodOptions:
    """Base class: options with defaults; `CHOICES` lists the values of closed options."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}


@dataclass(frozen=True)
class GeorsclipOptions(MethodOptions):
    """Options of the method `georsclip`: plain InfoNCE with a learned temperature."""

    clamped: bool = False
    """Keep the inverse temperature at most 100, as CLIP does; GeoRSCLIP's training did not."""
    share_captions: bool = False
    """Images with equal captions are positives of both, instead of negatives as published."""


@dataclass(frozen=True)
class EbakerMethodOptions(MethodOptions):
    """Options of the method `ebaker`; defaults are the paper's."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "ablate": ("local", "ker", "eba"),
        "elimination": ("joint", "split"),
        "mask": ("keywords", "adjectives", "random"),
        "vocabulary": ("full", "hidden"),
    }
    ablate: tuple[Literal["local", "ker", "eba"], ...] = ()
    """Parts left out: local, ker, eba. Without all three: contrastive loss at fixed temperature."""
    elimination: Literal["joint", "split"] = "joint"
    alpha: float = 0.5
    """Weight of the keyword loss."""
    drop_ratio: float = 0.01
    """Share of pairs below the threshold."""
    first_epoch: int = 4
    """Epoch, from 0, in which pairs begin to be dropped."""
    keywords: int = 512
    """Number of keywords per data source: its most frequent words are masked (their union)."""
    mask: Literal["keywords", "adjectives", "random"] = "keywords"
    """What is masked: keywords (KER), or for comparison adjectives (MAM) or 15 % of all word pieces
    (IRR)."""
    depth: int = 0
    """Blocks of the keyword head; 0: 4 as in the paper, or 2 under `release_compatible`."""
    heads: int = 8
    vocabulary: Literal["full", "hidden"] = "full"
    """Predict among all 49,408 tokens, or only among those that are ever masked (cheaper)."""
    weights: tuple[float, float] = (0.6, 0.4)
    """Weights of global and local score at inference."""
    release_compatible: bool = False
    """As in the released code: tokens masked at the index of a blank-separated word, padding
    counted in the local norm, a first-in-first-out bank filled with noise, no global token in KER,
    and a keyword head of two blocks.
    """

    @property
    def blocks(self) -> int:
        """Number of blocks of the keyword head."""
        return self.depth or (2 if self.release_compatible else 4)


@dataclass(frozen=True)
class PriorMethodOptions(MethodOptions):
    """Options that `pir` and `priorclip` share."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "belief": get_args(Belief),
        "reading": ("identity", "class"),
        "pool": ("first", "sum"),
    }
    belief: Belief = "none"
    """`hard`: PIR's head over the image tokens; `soft`: PriorCLIP's; `tower`: PriorCLIP's
    open-domain form, where the instruction is a token inside the image tower."""
    instruction: str = ""
    """Folder of the scene classifier that instructs the image tower (`terraseek-train
    instruction`); needed by every belief but `none`."""
    weight: float = 1.0
    """Weight of the affiliation loss; 0 leaves it out."""
    reading: Literal["identity", "class"] = "identity"
    """Targets of the affiliation loss, see `affiliation_loss`."""
    softmax_over_texts: bool = False
    """Direction of the affiliation loss's second softmax, see `affiliation_loss`."""
    own_temperature: bool = False
    """The affiliation loss has a learned temperature of its own, at first 0.07."""
    temporal: bool = False
    """Temporal-PAE over the caption's tokens, three cyclic steps."""
    keep: int = 40
    """Number of tokens that hard belief keeps."""
    layers: int = 2
    heads: int = 8
    dropout: float = 0.2
    pool: Literal["first", "sum"] = "first"
    zero_heads: bool = True
    """Whether the heads added to a tower's features start at zero, so that training starts from the
    initial weights; PIR, trained from scratch, initialises them at random."""
    release_compatible: bool = False
    """Sorting permutation in place of ranks, as in the released code."""


@dataclass(frozen=True)
class PirOptions(PriorMethodOptions):
    """Options of the method `pir`; defaults are the published ones."""

    belief: Belief = "hard"
    softmax_over_texts: bool = True
    own_temperature: bool = True
    temporal: bool = True
    zero_heads: bool = False


@dataclass(frozen=True)
class PriorclipOptions(PriorMethodOptions):
    """Options of the method `priorclip`; defaults are the open domain's, whose code is released."""

    belief: Belief = "tower"


METHODS: Mapping[str, type[MethodOptions]] = {
    "contrastive": MethodOptions,
    "georsclip": GeorsclipOptions,
    "ebaker": EbakerMethodOptions,
    "pir": PirOptions,
    "priorclip": PriorclipOptions,
}
"""Options of each method, by the name that a recipe gives as `method`."""


def read_options(method: str, given: Mapping[str, Any]) -> MethodOptions:
    """Build and check the options of a method from the plain values of a recipe.

    Args:
        method: name of the method.
        given: values by name of the option.

    Raises:
        ConfigError: an unknown method or option, a value of another type, or none of the choices.
    """
    if method not in METHODS:
        raise ConfigError(f"method {method!r} is unknown; known: {', '.join(METHODS)}")
    kind = METHODS[method]
    parts = {item.name: item for item in fields(kind)}
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    for key, value in plain.items():
        if key not in parts:
            known = ", ".join(parts) or "it has none"
            raise ConfigError(f"the method {method} has no option {key!r}; known: {known}")
        choices = kind.CHOICES.get(key)
        for one in value if isinstance(value, tuple) else (value,):
            if choices is not None and one not in choices:
                raise ConfigError(f"options.{key} is {one!r}; it can be {', '.join(choices)}")
        default = parts[key].default
        if default is not MISSING and not _same_type(value, default):
            raise ConfigError(f"options.{key} is {value!r}; it must be a value such as {default!r}")
    return kind(**plain)


def _same_type(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
