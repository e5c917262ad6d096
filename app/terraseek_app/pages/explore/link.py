"""URL parameters of the Explore page: form values to parameters and back.

Names, limits and spelling are those declared for every door (`terraseek.request`). The URL holds
everything, uploaded images by the hash of their content, so a copied link shows the same results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from terraseek.catalogue import Area, Circle
from terraseek.catalogue.filters.areas import polygon_rings
from terraseek.parameters import (
    Params,
    parameters_of,
    read_parameters,
    write_values,
)
from terraseek.request import SEARCH_PARTS
from terraseek_app.address import first_value
from terraseek_app.pages.explore.areas import MAX_RADIUS_KM, polygons_text
from terraseek_app.pages.explore.query.parts import WEIGHT_FIELDS, read_weights
from terraseek_app.pages.explore.search import filter_values, query_values
from terraseek_app.pages.explore.state import K_CHOICES, WITH_COORDINATES, Corners, SearchForm
from terraseek_app.server.uploads import is_token

__all__ = ["COMPARE", "IMAGE", "SELECTED", "SPOT", "from_params", "to_params"]

IMAGE = "image"
"""Parameter with the token of an uploaded image; repeatable."""
COMPARE = "compare"
"""Parameter with the query of another link, or `model=NAME`, to compare with."""
SELECTED = "sel"
"""Parameter with the id of the selected item."""
SPOT = "spot"
"""Parameter that shows where the query is in the selected item."""
_MAX_K = 1000
_KNOWN = {name: known for part in SEARCH_PARTS for name, known in parameters_of(part).items()}


def to_params(form: SearchForm, selected: str | None) -> dict[str, str | list[str]]:
    """URL parameters of form values; default values are left out.

    Args:
        form: the values.
        selected: item id of the selected item.
    """
    switches = {"collapse_duplicates": form.collapse_duplicates}
    values = query_values(form) | filter_values(form) | switches
    params = write_values(_KNOWN, values)
    if form.polygons:  # as they were drawn, even where edges cross
        params["polygon"] = polygons_text(form.polygons)
    if form.images:
        params[IMAGE] = list(form.images)
    if form.k != SearchForm().k:
        params["k"] = str(form.k)
    params |= {name: list(texts) for name, texts in form.extra if name not in params}
    return params | ({SELECTED: selected} if selected else {})


def from_params(params: Params) -> tuple[SearchForm, str | None, list[str]]:
    """Form values from URL parameters; invalid parameters keep their defaults.

    Args:
        params: name -> all values of that name.

    Returns:
        The form values, the selected item, and a message for every invalid parameter.
    """
    notes: list[str] = []
    params = _without_old_names(params)
    values = {
        k: v for p in SEARCH_PARTS for k, v in read_parameters(p, params, problems=notes).items()
    }
    box = values.get("bbox")
    liked = tuple(dict.fromkeys(filter(None, values.get("liked", ()))))
    disliked = dict.fromkeys(filter(None, values.get("disliked", ())))
    with_coordinates = set(values.get("precision", ())) == set(WITH_COORDINATES)
    form = SearchForm(
        text=values.get("text", "").strip(),
        minus=_distinct(values.get("minus", ())),
        plus=_distinct(values.get("plus", ())),
        likes=_distinct((values.get("item_id", ""), *values.get("plus_items", ()))),
        images=_images(params.get(IMAGE, ()), notes),
        liked=liked,
        disliked=tuple(item for item in disliked if item not in liked),
        captions=round(100 * values.get("alpha", 0), -1),
        ensemble=values.get("ensemble", False),
        box=box.as_tuple() if box else None,
        polygons=_polygons(values.get("polygon"), params.get("polygon", ()), notes),
        circle=_circle(values.get("within"), notes),
        where=values.get("sql", "").strip(),
        k=_result_count(values.get("k"), notes),
        sources=values.get("sources", ()),
        labels=values.get("labels", ()),
        date_from=_day(values, "date_from", notes),
        date_to=_day(values, "date_to", notes),
        with_coordinates=with_coordinates,
        columns=tuple(one.to_text() for one in values.get("columns", ())),
        collapse_duplicates=values.get("collapse_duplicates", False),
        extra=_extra(values, params, with_coordinates),
    )
    form = replace(form, weights=read_weights(form, values, notes))
    return form, first_value(params, SELECTED) or None, notes


_FORM_FIELDS = {
    *("text", "plus", "minus", "item_id", "plus_items", "liked", "disliked", "alpha", "ensemble"),
    *("bbox", "polygon", "columns", *WEIGHT_FIELDS.values()),
    *("within", "sql", "k", "sources", "labels", "date_from", "date_to", "collapse_duplicates"),
}
"""Fields of a request that the form has a widget for."""


def _without_old_names(params: Params) -> dict[str, Sequence[str]]:
    """Parameters with the percentage and the switch of older links in today's spelling."""
    now = dict(params)
    percent = (*now.pop("captions", ()), "")[0]
    if percent:
        now["alpha"] = [f"{int(percent) / 100:g}" if percent.isdecimal() else percent]
    if "1" in now.pop("placed", ()):
        now["precision"] = list(WITH_COORDINATES)
    return now


def _extra(
    values: Mapping[str, Any], params: Params, with_coordinates: bool
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Valid parameters that the form has no widget for, as texts."""
    shown = _FORM_FIELDS | ({"precision"} if with_coordinates else set())
    names = [field for field in values if field not in shown]
    return tuple((_KNOWN[name].name, tuple(_KNOWN[name].values(params))) for name in names)


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _images(tokens: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    wrong = [token for token in tokens if not is_token(token)]
    notes += [
        f"{IMAGE} is {token!r}, which is no uploaded image; it was left out." for token in wrong
    ]
    return _distinct([token for token in tokens if token not in wrong])


def _polygons(area: Area | None, texts: Sequence[str], notes: list[str]) -> tuple[Corners, ...]:
    """Corners as the link has them; edges that cross stay as they were drawn."""
    if area is None:
        return ()
    try:
        return tuple(_ring(ring) for ring in texts[-1].split("|"))
    except ValueError:
        rings = polygon_rings(area.geometry)
        if rings is not None:
            return tuple(map(tuple, rings))
        notes.append("polygon has holes, which cannot be shown; it was left out.")
        return ()


def _ring(text: str) -> Corners:
    pairs = [corner.split(",") for corner in text.split(";")]
    return tuple((float(lon), float(lat)) for lon, lat in pairs)


def _circle(circle: Circle | None, notes: list[str]) -> tuple[float, float, float] | None:
    if circle is None:
        return None
    if circle.km > MAX_RADIUS_KM:
        notes.append(
            f"within {circle.km:g} km is more than half the Earth's circumference; it was left out."
        )
        return None
    return circle.lon, circle.lat, circle.km


def _result_count(wanted: int | None, notes: list[str]) -> int:
    default = SearchForm().k
    if wanted is None:
        return default
    if wanted > _MAX_K:
        notes.append(f"k is {wanted}, more than {_MAX_K} results; {default} are shown.")
        return default
    return min(K_CHOICES, key=lambda choice: abs(choice - wanted))


def _day(values: Mapping[str, Any], name: str, notes: list[str]) -> str | None:
    """A whole day, as the form's calendar has it; years and months alone are left out."""
    text: str | None = values.get(name)
    try:
        return date.fromisoformat(text).isoformat() if text else None
    except ValueError:
        notes.append(f"{name} is {text!r}; give a day like 2017-08-31; it was left out.")
        return None
