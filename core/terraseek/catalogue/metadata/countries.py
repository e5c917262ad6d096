"""Names of countries in English and their two-letter codes (ISO 3166-1), in the usual variants.

The list of names comes with the gazetteer package; what is here are the spellings of other lists
(ISO's own, as RS5M has them, and everyday ones) that it lacks.
"""

import csv
import re
from functools import cache

from terraseek.catalogue.metadata.gazetteer_data import data_file

__all__ = ["country_code", "country_names", "lost_letters"]

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
_NO_COUNTRY = {"AP", "EU"}  # regions in the package's list
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def lost_letters(name: str) -> str:
    """The name as it reads after a tool replaced every letter beyond ASCII by a question mark."""
    return _BEYOND_ASCII.sub("?", name)


@cache
def _codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    with data_file("countries.csv").open(encoding="utf-8", newline="") as file:
        codes = {name: code for code, name in csv.reader(file) if code not in _NO_COUNTRY}
    codes |= {name: code for code, names in _VARIANTS.items() for name in names}
    damaged = {lost_letters(name): code for name, code in codes.items()}
    return damaged | codes


def country_names() -> tuple[str, ...]:
    """Every known spelling, those with lost letters among them, longest first."""
    return tuple(sorted(_codes(), key=lambda name: (-len(name), name)))


@cache
def _folded() -> dict[str, str]:
    return {name.casefold(): code for name, code in _codes().items()}


def country_code(name: str) -> str | None:
    """ISO 3166-1 alpha-2 code of a country's name or code; None for what is neither."""
    text = " ".join(name.split())
    if len(text) == 2 and text.upper() in set(_codes().values()):
        return text.upper()
    return _folded().get(text.casefold())
