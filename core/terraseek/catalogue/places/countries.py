"""English names of countries, with spelling variants, and their ISO 3166-1 two-letter codes.

The list of names comes with the gazetteer package; this file adds spellings that it lacks: those of
ISO 3166-1, which RS5M uses, and common short names.
"""

import csv
from functools import cache

from terraseek.catalogue.places.gazetteer_files import gazetteer_file
from terraseek.catalogue.places.text_repair import ascii_with_question_marks

__all__ = ["country_code", "country_name", "country_names"]

_VARIANTS = {
    "BN": ("Brunei",),
    "BO": ("Bolivia, Plurinational State of",),
    "BL": ("Saint Barthélemy",),
    "BQ": ("Bonaire, Sint Eustatius and Saba",),
    "AX": ("Åland Islands",),
    "CD": ("Democratic Republic of the Congo", "DR Congo"),
    "CG": ("Republic of the Congo",),
    "CI": ("Côte d'Ivoire", "Ivory Coast"),
    "CV": ("Cabo Verde",),
    "CW": ("Curaçao",),
    "CZ": ("Czechia",),
    "FK": ("Falkland Islands",),
    "FM": ("Micronesia",),
    "GB": ("Great Britain", "UK"),
    "IR": ("Iran",),
    "KP": ("North Korea",),
    "KR": ("South Korea",),
    "LA": ("Laos",),
    "LY": ("Libya",),
    "MD": ("Moldova",),
    "MF": ("Saint Martin (French part)",),
    "MK": ("North Macedonia", "Macedonia, Republic of"),
    "NL": ("The Netherlands",),
    "PS": ("Palestine, State of", "Palestine"),
    "RE": ("Réunion",),
    "RU": ("Russia",),
    "SH": ("Saint Helena, Ascension and Tristan da Cunha",),
    "SX": ("Sint Maarten (Dutch part)",),
    "SY": ("Syria",),
    "SZ": ("Eswatini",),
    "TL": ("East Timor",),
    "TR": ("Türkiye",),
    "TW": ("Taiwan, Province of China",),
    "TZ": ("Tanzania",),
    "US": ("United States of America", "USA"),
    "VA": ("Vatican City",),
    "VE": ("Venezuela, Bolivarian Republic of",),
    "VI": ("U.S. Virgin Islands",),
    "VG": ("British Virgin Islands",),
    "VN": ("Viet Nam",),
}
_REGIONS = {"AP", "EU"}  # entries of the package's list that are not countries


@cache
def _codes() -> dict[str, str]:
    codes = {name: code for code, name in _names_by_code().items() if code not in _REGIONS}
    codes |= {name: code for code, names in _VARIANTS.items() for name in names}
    damaged = {ascii_with_question_marks(name): code for name, code in codes.items()}
    return damaged | codes


def country_names() -> tuple[str, ...]:
    """Every known spelling, including those with lost letters, longest first."""
    return tuple(sorted(_codes(), key=lambda name: (-len(name), name)))


@cache
def _codes_by_folded_name() -> dict[str, str]:
    return {name.casefold(): code for name, code in _codes().items()}


def country_code(name: str) -> str | None:
    """ISO 3166-1 alpha-2 code of a country's name or code; None if it is neither."""
    text = " ".join(name.split())
    if len(text) == 2 and text.upper() in set(_codes().values()):
        return text.upper()
    return _codes_by_folded_name().get(text.casefold())


def country_name(code: str) -> str:
    """Name of a country, given its code, as the gazetteer spells it; the code if it is unknown."""
    return _names_by_code().get(code, code)


@cache
def _names_by_code() -> dict[str, str]:
    with gazetteer_file("countries.csv").open(encoding="utf-8", newline="") as file:
        return dict(csv.reader(file))
