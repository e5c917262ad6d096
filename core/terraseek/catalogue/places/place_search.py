"""Search of named places: towns of the gazetteer by the beginning of their name."""

import difflib
import unicodedata
from functools import cache

from terraseek.catalogue.places.countries import country_code
from terraseek.catalogue.places.gazetteer import Place, all_places

__all__ = ["search_places"]

_FUZZY_PLACES = 6000
"""Largest places among which a misspelt name, or one of another language, is looked for."""
_FUZZY_CUTOFF = 0.75


def search_places(text: str, limit: int = 8) -> list[Place]:
    """Places whose name begins with a text, or has a word that does, the best first.

    Case and accents do not matter. After a comma a country may follow (`Lyon, France`). If there is
    none, the large places with the most similar names are returned (`Hambourg` finds `Hamburg`).

    Args:
        text: beginning of a name, at least two letters.
        limit: most places to return.
    """
    name, _, country = (part.strip() for part in text.partition(","))
    key, code = _folded(name), country_code(country) if country else None
    if len(key) < 2 or (country and code is None and len(country) > 2):
        return []
    ranked: list[tuple[int, int, Place]] = []
    for folded, place in _index():
        if key in folded and (code is None or place.country == code):
            rank = 0 if folded == key else 1 if folded.startswith(key) else 2
            if rank < 2 or f" {key}" in folded.replace("-", " "):
                ranked.append((rank, -place.population, place))
    ranked.sort(key=lambda entry: entry[:2])
    found = [place for _, _, place in ranked[:limit]]
    return found or _similar(key, code, limit)


def _similar(key: str, code: str | None, limit: int) -> list[Place]:
    largest = [e for e in _index()[:_FUZZY_PLACES] if code is None or e[1].country == code]
    names = difflib.get_close_matches(key, [name for name, _ in largest], limit, _FUZZY_CUTOFF)
    first = {name: place for name, place in reversed(largest)}
    return [first[name] for name in dict.fromkeys(names)]


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).strip()


@cache
def _index() -> list[tuple[str, Place]]:
    """Folded name and place of all places, the largest first."""
    places = sorted(all_places(), key=lambda place: -place.population)
    return [(_folded(place.name), place) for place in places]
