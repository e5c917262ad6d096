"""Place of named entities: RS5M's NER table lists the geopolitical ones of each caption.

The names have no order that means anything (`['Paris', 'Texas']`, `['France']`), so a place is
taken only where the gazetteer leaves one reading; otherwise the names stay as they are.
"""

import ast
from functools import lru_cache

from terraseek.catalogue.places.countries import country_code, country_name
from terraseek.catalogue.places.gazetteer import find_anywhere, find_place, find_states

__all__ = ["parse_entities", "place_of_entities"]

_MAX_CHARACTERS = 10_000
_SHORT_NAMES = {"US", "USA", "UK", "UAE"}
"""Abbreviations that mean a country; other two letters are as likely a state (`CA`, `IN`)."""


def parse_entities(value: object) -> list[str]:
    """Names of a cell: a list, or its Python literal (`['Paris', 'France']`); without repeats."""
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("[") or len(text) > _MAX_CHARACTERS:
            return []
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    if not isinstance(value, (list, tuple)):
        return []
    names = (" ".join(name.split()) for name in value if isinstance(name, str))
    return list(dict.fromkeys(name for name in names if name))


def place_of_entities(names: list[str], country: str = "") -> dict[str, str]:
    """Columns `place`, `state` and `country` of named entities; those that are ambiguous are left.

    A name that is a country gives the country; of two countries none is taken. A name that is a
    state of the other name's country decides between towns of one name. One town without a country
    gives the country if no other country has a town of that name.

    Args:
        names: geopolitical entities of one caption.
        country: country that is known from elsewhere; may be empty.
    """
    return dict(_place(tuple(names), country))


@lru_cache(maxsize=65_536)
def _place(names: tuple[str, ...], country: str) -> tuple[tuple[str, str], ...]:
    countries = {name: code for name in names if (code := _code(name))}
    towns = [name for name in names if name not in countries]
    # Georgia, Niger and Luxembourg are also states of other countries
    double = [name for name, code in countries.items() if find_states(name) - {code}]
    known = {code for name, code in countries.items() if name not in double}
    known |= {_code(country)} - {""}
    if len(known) > 1:
        return ()
    code = next(iter(known), "")
    if double and not code:
        return tuple(_country_or_state(towns, countries, double).items())
    towns += [name for name in double if countries[name] != code]
    found = {"country": country_name(code)} if code else {}
    if len(towns) == 1:
        found |= _one_town(towns[0], code)
    elif len(towns) == 2:
        one, other = towns
        found |= _town_in_state(one, other, code) or _town_in_state(other, one, code)
    return tuple(found.items())


def _country_or_state(
    towns: list[str], countries: dict[str, str], double: list[str]
) -> dict[str, str]:
    """Columns of one town and one name that is a country and a state, if one reading holds."""
    if len(towns) != 1 or len(countries) != 1:
        return {}
    code = countries[double[0]]
    in_state = _town_in_state(towns[0], double[0], "")
    if find_place(towns[0], code) is None:
        return in_state
    return {} if in_state else {"place": towns[0], "country": country_name(code)}


def _one_town(name: str, code: str) -> dict[str, str]:
    if code:
        return {"place": name}
    place = find_anywhere(name)
    return {"place": name} | ({"country": country_name(place.country)} if place else {})


def _town_in_state(town: str, state: str, code: str) -> dict[str, str]:
    """Columns of a town, if exactly one country has such a state with one such town."""
    candidates = find_states(state) & {code} if code else find_states(state)
    places = [find_place(town, of, state=state) for of in candidates]
    inside = [place for place in places if place and _same(place.state, state)]
    if len(inside) != 1:
        return {}
    return {"place": town, "state": inside[0].state, "country": country_name(inside[0].country)}


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _code(name: str) -> str:
    """Code of a country's name; empty if it is none."""
    plain = name.replace(".", "").removeprefix("the ").removeprefix("The ")
    if len(plain) == 2 and plain not in _SHORT_NAMES:
        return ""
    return country_code(plain) or ""
