"""Class names in metadata captions: categories of fMoW, and names in quotes as in BigEarthNet."""

import re

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

_WORDS = re.compile(r"[\w-]+")
_FMOW = frozenset(FMOW_CLASSES)
_QUOTED = re.compile(r" '([^']+)'(?=[\s,.]|$)")
_UNDERSCORED = re.compile(r"[a-z][a-z-]*(?:_[a-z-]+)+")


def find_label(metadata: str) -> str:
    """Class that a metadata sentence names; empty text if it names none or several.

    Args:
        metadata: the sentence without the name of the place.
    """
    words = set(_WORDS.findall(metadata))
    underscored = {word for word in words if "_" in word and _UNDERSCORED.fullmatch(word)}
    for found in (set(_QUOTED.findall(f" {metadata}")), words & _FMOW, underscored):
        if len(found) == 1:
            return " ".join(found.pop().split())
        if found:
            return ""
    return ""
