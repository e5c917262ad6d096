"""Columns filled from metadata captions, for items whose source has no metadata table."""

from typing import Any

from terraseek.catalogue.metadata.caption_parser import parse_metadata_caption
from terraseek.catalogue.metadata.entities import parse_entities, place_of_entities
from terraseek.catalogue.metadata.location import lookup_place, parse_number
from terraseek.catalogue.metadata.spacing import single_spaced
from terraseek.catalogue.places.text_repair import restore_degrees
from terraseek.catalogue.places.utm import latitude_band, parse_utm_zone

__all__ = ["add_caption_facts"]

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


def add_caption_facts(columns: dict[str, Any]) -> dict[str, Any]:
    """Fill empty columns with the facts that RS5M's sentences state.

    The sentences are read from `caption` and `geometa_cap`. A metadata caption keeps its whole
    text, with degree signs restored; its metadata part is copied to `geometa_cap` and its generated
    sentence to `sentence`, because CLIP reads 77 tokens and the metadata alone has more (RS5M: 128
    on average for fMoW). Without a stated place, it may be that of the named entities. A column
    that has a value is never overwritten. `utm_kind` states what the letter of `utm` means, where
    that can be decided.
    """
    filled = dict(columns)
    facts = None
    for source in ("caption", "geometa_cap"):
        text = str(columns.get(source) or "")
        if not text:
            continue
        if facts is not None and facts.metadata == restore_degrees(single_spaced(text)):
            filled[source] = facts.metadata  # the caption begins with it and is parsed already
            continue
        facts = parse_metadata_caption(text, is_metadata=source == "geometa_cap")
        if facts is None:
            continue
        filled[source] = f"{facts.metadata} {facts.sentence}".strip()
        if source == "caption" and not filled.get("geometa_cap"):
            filled["geometa_cap"] = facts.metadata
        for name in _COPIED:
            value = getattr(facts, name)
            if value not in (None, "") and filled.get(name) in (None, ""):
                filled[name] = value
    _add_entities(filled)
    if filled.get("utm") and not filled.get("utm_kind"):
        filled["utm_kind"] = _utm_kind(str(filled["utm"]), parse_number(filled.get("lat")))
    if "?" in str(filled.get("place") or ""):
        place = lookup_place(filled)
        filled["place"] = place.name if place else filled["place"]
    return filled


def _add_entities(columns: dict[str, Any]) -> None:
    """Fill the place with that of named entities (RS5M's column `entity`), if none is stated."""
    names = parse_entities(columns.get("entity"))
    if names and columns.get("place") in (None, ""):
        country = str(columns.get("country") or "")
        for name, value in place_of_entities(names, country).items():
            if columns.get(name) in (None, ""):
                columns[name] = value


def _utm_kind(zone: str, lat: float | None) -> str:
    """`band`, `hemisphere`, or empty text if the letter may be either (`29N`, `33S`)."""
    parts = parse_utm_zone(zone)
    if parts is None:
        return ""
    if parts[1] not in "NS":
        return "band"
    if lat is None or not -80 <= lat <= 84:
        return ""
    return "band" if latitude_band(lat) == parts[1] else "hemisphere"
