"""URL parameters of the Explore page: form values to parameters and back.

The URL holds everything except an uploaded image, so a copied link shows the same results.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date

from terraseek.catalogue import Circle
from terraseek.errors import BBoxError, FilterError
from terraseek.geo import BBox
from terraseek_app.pages.explore.areas import MAX_RADIUS_KM, polygon_area
from terraseek_app.pages.explore.state import K_CHOICES, Corners, SearchForm

__all__ = ["from_params", "to_params"]


def to_params(form: SearchForm, selected: str | None) -> dict[str, str | list[str]]:
    """URL parameters of form values; default values are left out.

    Args:
        form: the values.
        selected: item id of the selected item.
    """
    params: dict[str, str | list[str]] = {
        "q": form.text,
        "minus": form.minus,
        "like": form.like or "",
        "liked": list(form.liked),
        "disliked": list(form.disliked),
        "captions": str(form.captions or ""),
        "ensemble": "1" if form.ensemble else "",
        "box": _join_numbers(form.box or ()),
        "polygon": ";".join(map(_join_numbers, form.polygon or ())),
        "within": _join_numbers(form.circle or ()),
        "where": form.where,
        "k": str(form.k) if form.k != SearchForm().k else "",
        "source": list(form.sources),
        "label": list(form.labels),
        "from": form.date_from or "",
        "to": form.date_to or "",
        "placed": "1" if form.with_coordinates else "",
        "distinct": "1" if form.collapse_duplicates else "",
        "sel": selected or "",
    }
    return {name: value for name, value in params.items() if value}


def from_params(params: Mapping[str, Sequence[str]]) -> tuple[SearchForm, str | None, list[str]]:
    """Form values from URL parameters; invalid parameters keep their defaults.

    Args:
        params: name -> all values of that name.

    Returns:
        The form values, the selected item, and a message for every invalid parameter.
    """
    notes: list[str] = []

    def last(name: str) -> str:
        values = params.get(name) or [""]
        return values[-1]

    liked = _item_ids(params, "liked")
    form = SearchForm(
        text=last("q").strip(),
        minus=last("minus").strip(),
        like=last("like") or None,
        liked=liked,
        disliked=tuple(item for item in _item_ids(params, "disliked") if item not in liked),
        captions=_percent(last("captions"), notes),
        ensemble=last("ensemble") == "1",
        box=_box(last("box"), notes),
        polygon=_polygon(last("polygon"), notes),
        circle=_circle(last("within"), notes),
        where=last("where").strip(),
        k=_result_count(last("k"), notes),
        sources=tuple(params.get("source") or ()),
        labels=tuple(params.get("label") or ()),
        date_from=_day(last("from"), "from", notes),
        date_to=_day(last("to"), "to", notes),
        with_coordinates=last("placed") == "1",
        collapse_duplicates=last("distinct") == "1",
    )
    return form, last("sel") or None, notes


def _box(text: str, notes: list[str]) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        return BBox.parse(text).as_tuple()
    except BBoxError as error:
        notes.append(f"The link's area was left out: {error}.")
        return None


def _join_numbers(values: Sequence[float]) -> str:
    """Numbers separated by commas, with up to five decimals (one metre in degrees)."""
    return ",".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in values)


def _polygon(text: str, notes: list[str]) -> Corners | None:
    if not text:
        return None
    try:
        pairs = [tuple(float(part) for part in corner.split(",")) for corner in text.split(";")]
        corners = tuple((lon, lat) for lon, lat in pairs)
        polygon_area(corners)
    except (ValueError, FilterError):
        notes.append(
            f"The link's shape {text[:40]!r} was left out: it must be a list of corners "
            "lon,lat;lon,lat;... in degrees around an area."
        )
        return None
    return corners


def _circle(text: str, notes: list[str]) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        circle = Circle.parse(text)
        if circle.km > MAX_RADIUS_KM:
            raise FilterError(
                f"its radius of {circle.km:g} km is more than {MAX_RADIUS_KM:g} km, half the "
                "Earth's circumference"
            )
    except FilterError as error:
        notes.append(f"The link's circle was left out: {error}.")
        return None
    return circle.lon, circle.lat, circle.km


def _item_ids(params: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in params.get(name) or () if value))


def _percent(text: str, notes: list[str]) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= 100:
        return round(int(text), -1)
    notes.append(
        f"The link's share of captions {text!r} is no percentage; the ranking uses pictures alone."
    )
    return 0


def _result_count(text: str, notes: list[str]) -> int:
    default = SearchForm().k
    if not text:
        return default
    wanted = float(text) if text.isdecimal() else math.nan
    if not 1 <= wanted <= 1000:
        notes.append(f"The link asks for {text!r} results; {default} are shown.")
        return default
    return min(K_CHOICES, key=lambda choice: abs(choice - wanted))


def _day(text: str, name: str, notes: list[str]) -> str | None:
    if not text:
        return None
    try:
        date.fromisoformat(text)
    except ValueError:
        notes.append(
            f"The link's date {name}={text!r} was left out: it must be a day like 2017-08-31."
        )
        return None
    return text
