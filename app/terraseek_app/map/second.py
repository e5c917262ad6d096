"""A second set of hits on the map, in a map of its own behind a divider or beside the first one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["SecondMap", "Split", "parse_split", "second_map_json", "split_text"]

_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Split:
    """How two maps share the place of one."""

    mode: Literal["swipe", "sides"] = "swipe"
    """`swipe`: the second lies over the first, to the right of a divider; `sides`: beside it,
    where the place is wide enough, else as `swipe`."""
    share: float = 0.5
    """Part of the free width, 0-1, that is left of the divider of a swipe."""


@dataclass(frozen=True, slots=True)
class SecondMap:
    """What the second map shows; its view, samples and areas are those of the first one."""

    titles: tuple[str, str]
    """What the hits of the first and of the second map are, in a few words."""
    hits: Sequence[Mapping[str, Any]]
    """Marks as those of the first map. In both, `side` is "first", "second" or "both"."""
    split: Split = Split()
    """How the maps are shown at first; the user changes it."""


def parse_split(text: str) -> Split | None:
    """Read a split of a link: `sides`, or the share left of the divider; None if it is neither."""
    if text == "sides":
        return Split("sides")
    try:
        share = float(text)
    except ValueError:
        return None
    return Split(share=share) if 0 <= share <= 1 else None


def split_text(split: Split) -> str:
    """The split as a link has it (`map/static/split.js` writes the same)."""
    return "sides" if split.mode == "sides" else f"{split.share:.{_DIGITS}f}"


def second_map_json(second: SecondMap | None) -> dict[str, Any] | None:
    """The second map as the browser expects it."""
    if second is None:
        return None
    return {
        "titles": list(second.titles),
        "hits": [dict(hit) for hit in second.hits],
        "split": split_text(second.split),
    }
