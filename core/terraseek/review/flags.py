"""Automatic checks of a caption: problems that a rater should look at."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from terraseek.catalogue.places.text_repair import LOST_DEGREE
from terraseek.catalogue.places.utm import utm_zone_number, zones_apart

__all__ = ["Flag", "caption_flags"]

_LOST_LETTER = re.compile(r"(?<=[^\W\d])\?+(?=[^\W\d])")
_UTM_ZONE = re.compile(r"\butm zone (\d{1,2})(?!\d)", re.IGNORECASE)
_GSD = re.compile(r"(\d+(?:\.\d+)?)\s?m\b")
_GSD_HINT = re.compile(r"ground sample distance|resolution|pixel", re.IGNORECASE)
_GSD_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Flag:
    """One possible problem of a caption."""

    code: str
    """Stable name, stored in the review records."""
    text: str
    """Sentence shown to the rater."""


def caption_flags(
    caption: str,
    token_count: Callable[[str], tuple[int, int]] | None = None,
    item: Mapping[str, Any] | None = None,
) -> tuple[Flag, ...]:
    """Check one caption.

    Args:
        caption: the text.
        token_count: an encoder's `token_count`; without it the length is not checked.
        item: catalogue row with `lon` in degrees and `gsd_m` in metres per pixel, against which the
            statements of the caption are checked.
    """
    if not caption.strip():
        return (Flag("empty", "No caption: write one, or skip."),)
    found = [*_lost_characters(caption), *_wrong_statements(caption, item or {})]
    if token_count is not None:
        needed, limit = token_count(caption)
        if needed > limit:
            found.append(
                Flag("too_long", f"Needs {needed} tokens; the encoder reads the first {limit}.")
            )
    return tuple(found)


def _lost_characters(caption: str) -> list[Flag]:
    found = []
    if lost := LOST_DEGREE.findall(caption):
        signs = "a degree sign" if len(lost) == 1 else f"{len(lost)} degree signs"
        found.append(Flag("lost_degree", f"“?” after a number: {signs} got lost."))
    if _LOST_LETTER.search(caption):
        found.append(Flag("lost_letter", "“?” inside a word: a letter got lost."))
    return found


def _wrong_statements(caption: str, item: Mapping[str, Any]) -> list[Flag]:
    found = []
    lon, gsd = _finite(item.get("lon")), _finite(item.get("gsd_m"))
    zone = _UTM_ZONE.search(caption)
    if zone and lon is not None:
        here = utm_zone_number(lon)
        # neighbouring zones are both used near their border
        if zones_apart(int(zone[1]), here) > 1:
            found.append(
                Flag("utm_mismatch", f"Says UTM zone {zone[1]}; the position is in zone {here}.")
            )
    if gsd is not None and _GSD_HINT.search(caption) and (stated := _GSD.search(caption)):
        value = float(stated[1])
        if abs(value - gsd) > max(_GSD_TOLERANCE * gsd, 0.01):
            found.append(
                Flag("gsd_mismatch", f"Says {value:g} m a pixel; the record says {gsd:g} m.")
            )
    return found


def _finite(value: Any) -> float | None:  # noqa: ANN401 - a table cell
    if value is None or isinstance(value, str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
