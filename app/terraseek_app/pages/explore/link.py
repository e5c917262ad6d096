"""A question in the page's address, and back.

The address holds everything but an uploaded image, so a copied link shows the same answer.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date

from terraseek.catalogue import Circle
from terraseek.errors import BBoxError, FilterError
from terraseek.geo import BBox
from terraseek_app.pages.explore.areas import MOST_KM, area_of
from terraseek_app.pages.explore.state import K_CHOICES, Ask, Corners

__all__ = ["from_params", "to_params"]


def to_params(ask: Ask, selected: str | None) -> dict[str, str | list[str]]:
    """URL parameters of a question; what is as by default is left out."""
    params: dict[str, str | list[str]] = {
        "q": ask.text,
        "minus": ask.minus,
        "like": ask.like or "",
        "liked": list(ask.liked),
        "disliked": list(ask.disliked),
        "captions": str(ask.captions or ""),
        "ensemble": "1" if ask.ensemble else "",
        "box": _numbers(ask.box or ()),
        "polygon": ";".join(map(_numbers, ask.polygon or ())),
        "within": _numbers(ask.circle or ()),
        "where": ask.where,
        "k": str(ask.k) if ask.k != Ask().k else "",
        "source": list(ask.sources),
        "label": list(ask.labels),
        "from": ask.date_from or "",
        "to": ask.date_to or "",
        "placed": "1" if ask.placed else "",
        "distinct": "1" if ask.distinct else "",
        "sel": selected or "",
    }
    return {name: value for name, value in params.items() if value}


def from_params(params: Mapping[str, Sequence[str]]) -> tuple[Ask, str | None, list[str]]:
    """A question out of URL parameters (name -> all values).

    Returns:
        The question, the selected item, and a note for every value that could not be used.
    """
    notes: list[str] = []

    def one(name: str) -> str:
        values = params.get(name) or [""]
        return values[-1]

    ask = Ask(
        text=one("q").strip(),
        minus=one("minus").strip(),
        like=one("like") or None,
        liked=_items(params, "liked"),
        disliked=tuple(i for i in _items(params, "disliked") if i not in params.get("liked", ())),
        captions=_percent(one("captions"), notes),
        ensemble=one("ensemble") == "1",
        box=_box(one("box"), notes),
        polygon=_polygon(one("polygon"), notes),
        circle=_circle(one("within"), notes),
        where=one("where").strip(),
        k=_count(one("k"), notes),
        sources=tuple(params.get("source") or ()),
        labels=tuple(params.get("label") or ()),
        date_from=_checked_day("from", one("from"), notes),
        date_to=_checked_day("to", one("to"), notes),
        placed=one("placed") == "1",
        distinct=one("distinct") == "1",
    )
    return ask, one("sel") or None, notes


def _box(text: str, notes: list[str]) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        return BBox.parse(text).as_tuple()
    except BBoxError as error:
        notes.append(f"The link's area was left out: {error}.")
        return None


def _numbers(values: Sequence[float]) -> str:
    """Five decimals are a metre, and no longer than needed."""
    return ",".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in values)


def _polygon(text: str, notes: list[str]) -> Corners | None:
    if not text:
        return None
    try:
        corners = [tuple(float(part) for part in corner.split(",")) for corner in text.split(";")]
        found = tuple((lon, lat) for lon, lat in corners)
        area_of(found)
    except (ValueError, FilterError):
        notes.append(
            f"The link's shape {text[:40]!r} was left out: it is no list of corners "
            "lon,lat;lon,lat;... in degrees around an area."
        )
        return None
    return found


def _circle(text: str, notes: list[str]) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        found = Circle.parse(text)
        if found.km > MOST_KM:
            raise FilterError(f"{found.km:g} km reach around the whole globe")
    except FilterError as error:
        notes.append(f"The link's circle was left out: {error}.")
        return None
    return found.lon, found.lat, found.km


def _items(params: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in params.get(name) or () if value))


def _percent(text: str, notes: list[str]) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= 100:
        return round(int(text), -1)
    notes.append(f"The link's share of captions {text!r} is no percentage; pictures alone count.")
    return 0


def _count(text: str, notes: list[str]) -> int:
    if not text:
        return Ask().k
    wanted = float(text) if text.isdecimal() else math.nan
    if not 1 <= wanted <= 1000:
        notes.append(f"The link asks for {text!r} results; {Ask().k} are shown.")
        return Ask().k
    return min(K_CHOICES, key=lambda choice: abs(choice - wanted))


def _checked_day(name: str, text: str, notes: list[str]) -> str | None:
    if not text:
        return None
    if _day(text) is None:
        notes.append(f"The link's date {name}={text!r} is no day like 2017-08-31 and was left out.")
        return None
    return text


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
