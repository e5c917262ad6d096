"""Captions from metadata: class, place, time, resolution and viewing angles in sentences.

The meaning of each part is that of RS5M's published templates (A5 of its geo-metadata tool); the
words are ours. A part whose value is unknown is left out, instead of leaving a gap.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from terraseek.catalogue.metadata.label_captions import readable_label
from terraseek_train.corpus.geo.season import timestamp

__all__ = ["fields_of", "metadata_sentences", "pack_sentences"]

_SUBJECT = (
    "a satellite image of {class_label}",
    "an overhead view of {class_label}",
    "a view from space of {class_label}",
    "a remote sensing image that shows {class_label}",
    "an aerial scene with {class_label}",
)
_SUBJECT_UNKNOWN = ("a satellite image", "an overhead view", "a remote sensing image")
_PLACE = ("in {country}", "located in {country}", "from {country}")
_SEASON = ("in {season}", "taken in {season}", "captured during {season}")
_PARTS: dict[str, tuple[str, ...]] = {
    "relative_location": (
        "The target is in the {relative_location}.",
        "It lies in the {relative_location} of the image.",
    ),
    "ground_sample_distance": (
        "One pixel covers {ground_sample_distance} metres.",
        "The ground sample distance is {ground_sample_distance} m.",
    ),
    "utm_zone": ("The UTM zone is {utm_zone}.", "It lies in UTM zone {utm_zone}."),
    "timestamp": ("It was taken at {timestamp}.", "The acquisition time is {timestamp}."),
    "cloud_cover_rate": (
        "Clouds cover {cloud_cover_rate} percent of it.",
        "The cloud cover is {cloud_cover_rate} %.",
    ),
    "scan_direction": ("The sensor scanned {scan_direction}.",),
    "target_azimuth": ("The azimuth to the target is {target_azimuth} degrees.",),
    "off_nadir": (
        "The view is {off_nadir} degrees off nadir.",
        "The off-nadir angle is {off_nadir} degrees.",
    ),
}


def fields_of(row: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, str]:
    """Values of the placeholders that an item has; unknown ones are left out.

    Args:
        row: an item after the stage `geo`.
        extra: its further columns, among them those of FMoW.
    """
    place = ", ".join(str(row.get(key) or "") for key in ("place", "country") if row.get(key))
    found = {
        "class_label": readable_label(str(row.get("label") or "")),
        "country": place,
        "season": str(row.get("season") or "").lower(),
        "utm_zone": str(row.get("utm") or ""),
        "timestamp": timestamp(str(row.get("captured_at") or "")),
        "relative_location": str(extra.get("relative_location") or ""),
        "ground_sample_distance": _number(extra.get("gsd_m")),
        "cloud_cover_rate": _number(extra.get("cloud_cover")),
        "scan_direction": str(extra.get("scan_direction") or ""),
        "target_azimuth": _number(extra.get("target_azimuth")),
        "off_nadir": _number(extra.get("off_nadir")),
    }
    return {name: value for name, value in found.items() if value}


def _number(value: object) -> str:
    """At most two decimals; "" for what is no number."""
    if value in (None, ""):
        return ""
    try:
        return f"{float(str(value)):.2f}".rstrip("0").rstrip(".")
    except ValueError:
        return ""


def metadata_sentences(fields: Mapping[str, str], rng: np.random.Generator) -> list[str]:
    """Sentences that state all fields, the class first; templates are drawn at random.

    Empty if nothing is known.
    """
    if not fields:
        return []

    def draw(templates: tuple[str, ...]) -> str:
        return templates[int(rng.integers(len(templates)))].format(**fields)

    first = [draw(_SUBJECT if "class_label" in fields else _SUBJECT_UNKNOWN)]
    first += [draw(_PLACE)] if "country" in fields else []
    first += [draw(_SEASON)] if "season" in fields else []
    text = " ".join(first)
    sentences = [f"{text[0].upper()}{text[1:]}."]
    return sentences + [draw(parts) for name, parts in _PARTS.items() if name in fields]


def pack_sentences(
    sentences: list[str], count_tokens: Callable[[str], tuple[int, int]]
) -> list[str]:
    """Join sentences to captions that the text tower reads in full, each beginning with the first.

    RS5M's own captions of FMoW have 104 to 165 tokens, so that 77 cut off their last sentences.

    Args:
        sentences: the first one names the subject and opens every caption.
        count_tokens: tokens of a text and the most that are read, as `Encoder.token_count`.
    """
    if not sentences:
        return []
    packed = [sentences[0]]
    for sentence in sentences[1:]:
        longer = f"{packed[-1]} {sentence}"
        needed, most = count_tokens(longer)
        if needed <= most:
            packed[-1] = longer
        else:
            packed.append(f"{sentences[0]} {sentence}")
    return packed
