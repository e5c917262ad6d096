"""Class names in metadata captions: categories of fMoW, and names in quotes as in BigEarthNet."""

import re
from collections.abc import Iterator

__all__ = ["FMOW_CLASSES", "find_label"]

_NAMES = """
    airport airport_hangar airport_terminal amusement_park aquaculture archaeological_site barn
    border_checkpoint burial_site car_dealership construction_site crop_field dam debris_or_rubble
    educational_institution electric_substation factory_or_powerplant false_detection fire_station
    flooded_road fountain gas_station golf_course ground_transportation_station helipad hospital
    impoverished_settlement interchange lake_or_pond lighthouse military_facility
    multi-unit_residential nuclear_powerplant office_building oil_or_gas_facility park
    parking_lot_or_garage place_of_worship police_station port prison race_track railway_bridge
    recreational_facility road_bridge runway shipyard shopping_mall single-unit_residential
    smokestack solar_farm space_facility stadium storage_tank surface_mine swimming_pool toll_booth
    tower tunnel_opening waste_disposal water_treatment_facility wind_farm zoo
"""
FMOW_CLASSES = tuple(_NAMES.split())
"""Categories of Functional Map of the World (Christie et al. 2018), as captions spell them."""

_SINGLE_WORDS = tuple(
    # a pattern that begins with letters is found fastest, so the left side is checked after them
    (name, re.compile(rf"{name}(?<![\w-]{name})(?![\w-])"))
    for name in FMOW_CLASSES
    if "_" not in name
)
"""Categories of one word, and the pattern of one that stands alone."""
_FMOW = frozenset(FMOW_CLASSES)
_WORD_AFTER = re.compile(r"[\w-]*")
_WORD_BEFORE = re.compile(r"[\w-]*$")
_QUOTED = re.compile(r" '([^']+)'(?=[\s,.]|$)")
_UNDERSCORED = re.compile(r"[a-z][a-z-]*(?:_[a-z-]+)+")


def find_label(metadata: str) -> str:
    """Class that a metadata sentence names; empty text if it names none or several.

    Args:
        metadata: the sentence without the name of the place.
    """
    quoted = set(_QUOTED.findall(f" {metadata}")) if "'" in metadata else set()
    if quoted:
        return _only(quoted)
    joined = set(_joined_words(metadata)) if "_" in metadata else set()
    singles = {name for name, word in _SINGLE_WORDS if name in metadata and word.search(metadata)}
    known = singles | (joined & _FMOW)
    return _only(known or {word for word in joined if _UNDERSCORED.fullmatch(word)})


def _joined_words(text: str) -> Iterator[str]:
    """Words with an underscore; a word has letters, digits, `_` and `-`."""
    end, at = 0, text.find("_")
    while at >= 0:
        first = max(end, text.rfind(" ", end, at) + 1)
        found = _WORD_BEFORE.search(text, first, at)
        start = at if found is None else found.start()
        after = _WORD_AFTER.match(text, at)
        assert after is not None  # it may be empty
        end = after.end()
        yield text[start:end]
        at = text.find("_", end)


def _only(names: set[str]) -> str:
    return " ".join(names.pop().split()) if len(names) == 1 else ""
