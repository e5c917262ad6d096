"""Columns out of metadata captions, for items whose source says less than its captions do."""

from typing import Any

from terraseek.catalogue.metadata.caption_parser import parse_metadata_caption
from terraseek.catalogue.metadata.gazetteer import split_zone
from terraseek.catalogue.metadata.location import named_place, number

__all__ = ["add_metadata_facts"]

_COPIED = (
    "place",
    "country",
    "season",
    "captured_at",
    "gsd_m",
    "utm",
    "utm_kind",
    "cloud_percent",
    "scan_direction",
    "azimuth_deg",
    "off_nadir_deg",
    "label",
    "relative_location",
    "sentence",
)
_BANDS = "CDEFGHJKLMNPQRSTUVWX"


def add_metadata_facts(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns with what RS5M's sentences in `caption` or `geometa_cap` say; theirs stay.

    A caption with a metadata part keeps its whole text, degree signs restored; the part itself goes
    to `geometa_cap` and the generated sentence to `sentence`, since CLIP reads 77 tokens and the
    metadata alone has more (methods: 128 on average for fMoW). A column that is filled is never
    overwritten. `utm_kind` tells what the letter of `utm` means, if that can be known.
    """
    told = dict(columns)
    for source in ("caption", "geometa_cap"):
        facts = parse_metadata_caption(str(columns.get(source) or ""))
        if facts is None:
            continue
        told[source] = f"{facts.metadata} {facts.sentence}".strip()
        if source == "caption" and not told.get("geometa_cap"):
            told["geometa_cap"] = facts.metadata
        for name in _COPIED:
            value = getattr(facts, name)
            if value not in (None, "") and told.get(name) in (None, ""):
                told[name] = value
    if told.get("utm") and not told.get("utm_kind"):
        told["utm_kind"] = _kind(str(told["utm"]), number(told.get("lat")))
    if "?" in str(told.get("place") or ""):
        found = named_place(told)
        told["place"] = found.name if found else told["place"]
    return told


def _kind(zone: str, lat: float | None) -> str:
    """`band`, `hemisphere`, or empty if the letter may be either (`29N`, `33S`)."""
    parts = split_zone(zone)
    if parts is None:
        return ""
    if parts[1] not in "NS":
        return "band"
    if lat is None or not -80 <= lat <= 84:
        return ""
    return "band" if _BANDS[min(int((lat + 80) // 8), 19)] == parts[1] else "hemisphere"
