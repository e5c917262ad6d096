"""Place names in captions: towns and countries of the gazetteer, with their ambiguity kept.

A name is a run of up to three capitalised words after a word such as "in" or "of", or before a
country's name. RS5M's own tables come from a general entity recogniser, which names more entities
and places none of them.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from terraseek.catalogue.places.countries import country_code
from terraseek.catalogue.places.gazetteer import Place, all_places

__all__ = ["FoundPlace", "find_places"]

_NAME = r"[A-Z][\w'.-]+(?: (?:de |da |do |of |la |el |upon )?[A-Z][\w'.-]+){0,2}"
_PATTERN = re.compile(
    rf"(?:\b(?:in|near|of|at|over|from|around|above|outside|to)\s+(?:the\s+)?(?P<a>{_NAME}))"
    rf"|(?P<b>{_NAME})(?=,\s*[A-Z])"
)
_MIN_POPULATION = 5_000
_DOMINANT = 10.0
"""A town this many times larger than all others of its name is taken for the one that is meant."""


@dataclass(frozen=True)
class FoundPlace:
    """A name in a caption and all towns that have it."""

    name: str
    country: str
    """ISO code of the country that follows the name, or that the name is; "" without one."""
    candidates: tuple[tuple[str, float, float, int], ...]
    """Country, longitude, latitude and inhabitants of each town, largest first."""

    @property
    def resolved(self) -> tuple[str, float, float, int] | None:
        """The town that is meant: the only one, or one that is far larger than the others."""
        found = self.candidates
        if not found:
            return None
        if len(found) == 1 or found[0][3] >= _DOMINANT * max(1, found[1][3]):
            return found[0]
        return None


@cache
def _by_name() -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for town in all_places():
        if town.population >= _MIN_POPULATION:
            found.setdefault(_key(town.name), []).append(town)
    return found


def _key(name: str) -> str:
    """Name without case and accents."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def find_places(caption: str) -> Iterator[FoundPlace]:
    """Places that a caption names, in order; names that the gazetteer lacks are left out."""
    for match in _PATTERN.finditer(caption):
        name = (match["a"] or match["b"]).strip(" .")
        after = re.match(r",?\s*([A-Z][\w .'-]+?)(?:[,.;]|$)", caption[match.end() :])
        country = country_code(after[1].strip()) if after else None
        while name:
            rows = _by_name().get(_key(name), [])
            if country:
                rows = [row for row in rows if row.country == country]
            own = country_code(name) if len(name) > 2 else None
            if rows or own:
                ordered = sorted(rows, key=lambda row: -row.population)
                yield FoundPlace(
                    name,
                    country or own or "",
                    tuple((r.country, r.lon, r.lat, r.population) for r in ordered),
                )
                break
            name = name.rpartition(" ")[0]  # "Rome Italy" may end with another word
