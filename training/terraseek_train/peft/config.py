"""Config of a PEFT method, with AdapterHub's defaults as the RS5M paper uses them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from terraseek.errors import ConfigError

__all__ = ["KINDS", "Kind", "PeftConfig", "TowerName"]

Kind = Literal[
    "full", "frozen-image", "frozen-text", "linear-probe", "lora", "pfeiffer", "prefix", "unipelt"
]
TowerName = Literal["image", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_PREFIX_LENGTH = {"prefix": 30, "unipelt": 10}


@dataclass(frozen=True)
class PeftConfig:
    """What is trained on top of a base model.

    `full` trains everything; `frozen-image` and `frozen-text` keep one tower fixed; `linear-probe`
    trains only the two projections into the joint space and the temperature; the other kinds
    freeze the whole base, its projections and temperature included, and train what they add.

    Raises:
        ConfigError: an unknown kind or tower, or a size below 1.
    """

    kind: Kind
    towers: tuple[TowerName, ...] = ("image", "text")
    """Towers that get adapters; ignored by the kinds that add no modules."""
    rank: int = 8
    """LoRA: r."""
    alpha: float = 8.0
    """LoRA: the delta is scaled by alpha / rank; in UniPELT the gate replaces this factor."""
    reduction: int = 16
    """Pfeiffer: width of the block divided by the width of the bottleneck."""
    prefix_length: int | None = None
    """Prefix tokens per layer; None means 30 for prefix tuning and 10 inside UniPELT."""
    prefix_hidden: int = 512
    """Width of the reparametrising MLP."""
    prefix_logit: float = 0.0
    """Added to attention logits of prefix tokens where the tower has a causal mask.

    adapter-transformers 3.2.1 used 1 there by mistake.
    """
    ejected: bool = False
    """The prefixes are plain parameters, without the MLP that produced them."""

    def __post_init__(self) -> None:
        _choices(self.kind, self.towers)
        if not self.towers or len(set(self.towers)) < len(self.towers):
            raise ConfigError(f"towers is {self.towers}; name image, text or both, once each")
        for name in ("rank", "reduction", "prefix_hidden"):
            _positive(name, getattr(self, name))
        if self.prefix_length is not None:
            _positive("prefix_length", self.prefix_length)
        if self.ejected and self.kind != "prefix":
            raise ConfigError(f"ejected belongs to kind 'prefix', not {self.kind!r}")

    @property
    def has_lora(self) -> bool:
        """Whether query and value projections get low-rank deltas."""
        return self.kind in ("lora", "unipelt")

    @property
    def has_bottleneck(self) -> bool:
        """Whether every block ends in a bottleneck."""
        return self.kind in ("pfeiffer", "unipelt")

    @property
    def has_prefix(self) -> bool:
        """Whether learned keys and values precede those of every layer."""
        return self.kind in ("prefix", "unipelt")

    @property
    def gated(self) -> bool:
        """Whether each added module has a gate computed from its input."""
        return self.kind == "unipelt"

    @property
    def adds_modules(self) -> bool:
        """Whether the kind adds modules to the model."""
        return self.has_lora or self.has_bottleneck or self.has_prefix

    @property
    def prefix_tokens(self) -> int:
        """Prefix tokens per layer."""
        if self.prefix_length is not None:
            return self.prefix_length
        return _PREFIX_LENGTH.get(self.kind, 0)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"towers": list(self.towers)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PeftConfig":
        """Config from plain values.

        Raises:
            ConfigError: an unknown key, no kind, or a value that cannot be used.
        """
        known = [item.name for item in fields(cls)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ConfigError(f"adapter key {unknown[0]!r} is unknown; known: {', '.join(known)}")
        if "kind" not in value:
            raise ConfigError(f"the adapter lacks the key 'kind'; kinds: {', '.join(KINDS)}")
        plain = dict(value)
        if "towers" in plain:
            plain["towers"] = tuple(plain["towers"])
        _choices(plain["kind"], plain.get("towers", ()))
        return cls(**plain)


def _choices(kind: str, towers: tuple[str, ...]) -> None:
    _choice("kind", kind, KINDS)
    for tower in towers:
        _choice("towers", tower, get_args(TowerName))


def _choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} has the unknown value {value!r}; known: {', '.join(known)}")


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} is {value}; it must be at least 1")
