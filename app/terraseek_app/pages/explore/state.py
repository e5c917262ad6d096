"""Form values of the Explore page, and the session keys that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

__all__ = [
    "DEFAULTS",
    "KEPT_KEYS",
    "K_CHOICES",
    "WITH_COORDINATES",
    "Corners",
    "SearchForm",
    "preserve_session",
    "read_form",
    "reset_keys",
    "write_form",
]

Corners = tuple[tuple[float, float], ...]
"""Corners of a polygon, (lon, lat) in degrees, at least three; the first is not repeated."""

WITH_COORDINATES = ("exact", "point")
"""Location precisions of items whose position is known by coordinates."""

K_CHOICES = (12, 24, 48, 96)
"""Numbers of results to choose from."""

DEFAULTS: dict[str, Any] = {
    "explore_text": "",
    "explore_minus": "",
    "explore_plus": [],
    "explore_more_minus": [],
    "explore_likes": [],
    "explore_liked": [],
    "explore_disliked": [],
    "explore_captions": 0,
    "explore_ensemble": False,
    "explore_pictures": [],
    "explore_weights": {},
    "explore_rail": True,
    "explore_sheet": False,
    "explore_dock": True,
    "explore_hint": True,
    "explore_box": None,
    "explore_polygons": [],
    "explore_lon": None,
    "explore_lat": None,
    "explore_km": None,
    "explore_sql": "",
    "explore_k": 24,
    "explore_sources": [],
    "explore_labels": [],
    "explore_from": None,
    "explore_to": None,
    "explore_placed": False,
    "explore_columns": [],
    "explore_facets": [],
    "explore_distinct": False,
    "explore_order": "score",
    "explore_significant": False,
    "explore_min_score": None,
    "explore_compare": "",
    "explore_split": "",
    "explore_selected": None,
    "explore_chosen": [],
    "explore_extra": {},
    "explore_spot": None,
    "explore_spot_asked": None,
    "explore_spot_job": None,
    "explore_spot_heat": None,
    "explore_spot_threshold": None,
}
"""Session keys of the page with their default values; plain values only.

`explore_text` and `explore_minus` are the sentences in the search bar; `explore_weights` is by the
keys of `query.parts`; `explore_columns` has conditions on columns as text; `explore_rail` and
`explore_sheet` are whether the filters are shown in wide and in narrow windows, `explore_dock`
whether the results are, `explore_facets` the further columns counted in the filters;
`explore_spot` is the item with the heat map of the query, `explore_spot_threshold` where its
colours begin (0-1 of its display range);
`explore_compare` is the query of a link, or `model=NAME`, to compare with;
`explore_split` is how a link shows the two maps of a comparison.
"""
KEPT_KEYS = ("explore_rail", "explore_sheet", "explore_dock", "explore_facets", "explore_hint")
"""Session keys that a new search leaves as they are."""


@dataclass(frozen=True, slots=True)
class SearchForm:
    """Everything the user entered in Explore: query, ranking options and filters."""

    text: str = ""
    """Sentence to search for."""
    minus: tuple[str, ...] = ()
    """Sentences whose score is subtracted."""
    plus: tuple[str, ...] = ()
    """Further sentences to search for."""
    likes: tuple[str, ...] = ()
    """Items to find similar items of."""
    liked: tuple[str, ...] = ()
    """Hits voted as relevant."""
    disliked: tuple[str, ...] = ()
    """Hits voted as not relevant."""
    captions: int = 0
    """Weight of the captions in the score, in percent."""
    ensemble: bool = False
    """Whether the text embedding is averaged over many prompt templates."""
    images: tuple[str, ...] = ()
    """Tokens of uploaded query images: hashes of their content, known to this server only."""
    weights: tuple[tuple[str, float], ...] = ()
    """Weights that are not the default, by the keys of `query.parts`."""
    box: tuple[float, float, float, float] | None = None
    """(west, south, east, north) in degrees; west > east crosses the antimeridian."""
    polygons: tuple[Corners, ...] = ()
    """Polygons drawn on the map, which are searched together; longitudes exceed 180 where one
    crosses the antimeridian."""
    circle: tuple[float, float, float] | None = None
    """(lon, lat, radius in km), lon and lat in degrees."""
    where: str = ""
    """SQL condition on the columns of the items table."""
    k: int = 24
    """Number of results."""
    sources: tuple[str, ...] = ()
    """Sources to keep; empty keeps all."""
    labels: tuple[str, ...] = ()
    """Labels to keep; empty keeps all."""
    date_from: str | None = None
    """First day, ISO 8601."""
    date_to: str | None = None
    """Last day, ISO 8601."""
    with_coordinates: bool = False
    """Whether to keep only items whose location precision is `exact` or `point`."""
    columns: tuple[str, ...] = ()
    """Conditions on columns as text, such as `country=Peru` or `cloud=0..20`."""
    collapse_duplicates: bool = False
    """Whether to keep only the best hit of each group of near-duplicates."""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Parameters of a link that have no widget, by name, as texts; they count all the same."""

    @property
    def has_query(self) -> bool:
        """Whether there is something to rank by."""
        return bool(self.text.strip() or self.plus or self.likes or self.images or self.liked)

    @property
    def filters(self) -> "SearchForm":
        """The filters and areas alone, by which counts are kept in a cache."""
        return SearchForm(**{name: getattr(self, name) for name in _FILTER_FIELDS})

    @property
    def n_filters(self) -> int:
        """Number of active filters; areas drawn on the map are not counted."""
        dates = self.date_from or self.date_to
        filters = (self.sources, self.labels, dates, self.with_coordinates, self.where)
        columns = {text.partition("=")[0] for text in self.columns}
        return sum(map(bool, filters)) + len(columns) + len(self.extra)

    @property
    def has_area(self) -> bool:
        """Whether the search is limited to a box, a polygon or a circle."""
        return bool(self.box or self.polygons or self.circle)


_FILTER_FIELDS = (
    *("box", "polygons", "circle", "where", "sources", "labels", "date_from", "date_to"),
    *("with_coordinates", "columns", "extra"),
)
"""Fields of a form that `search.build_filter` reads."""


def preserve_session() -> None:
    """Set missing keys to their defaults, and keep the others while another page is shown.

    Streamlit drops the keys of widgets that a run does not draw, unless they are assigned.
    """
    for key, value in DEFAULTS.items():
        st.session_state[key] = st.session_state.get(key, value)


def reset_keys(*keys: str) -> None:
    """Set session keys to their default values; those of a whole search when none is given."""
    for key in keys or [name for name in DEFAULTS if name not in KEPT_KEYS]:
        st.session_state[key] = DEFAULTS[key]


def read_form() -> SearchForm:
    """Form values from the session."""
    state = st.session_state
    return SearchForm(
        text=(state.explore_text or "").strip(),
        minus=_sentences(state.explore_minus, state.explore_more_minus),
        plus=_sentences("", state.explore_plus),
        likes=tuple(state.explore_likes),
        liked=tuple(state.explore_liked),
        disliked=tuple(state.explore_disliked),
        captions=int(state.explore_captions),
        ensemble=bool(state.explore_ensemble),
        images=tuple(state.explore_pictures),
        weights=tuple(state.explore_weights.items()),
        box=tuple(state.explore_box) if state.explore_box else None,
        polygons=tuple(tuple((lon, lat) for lon, lat in one) for one in state.explore_polygons),
        circle=_circle(state.explore_lon, state.explore_lat, state.explore_km),
        where=(state.explore_sql or "").strip(),
        k=state.explore_k,
        sources=tuple(state.explore_sources),
        labels=tuple(state.explore_labels),
        date_from=_day_text(state.explore_from),
        date_to=_day_text(state.explore_to),
        with_coordinates=bool(state.explore_placed),
        columns=tuple(state.explore_columns),
        collapse_duplicates=bool(state.explore_distinct),
        extra=tuple((name, tuple(texts)) for name, texts in state.explore_extra.items()),
    )


def write_form(form: SearchForm, selected: str | None) -> None:
    """Store form values, for example from a link, in the session.

    Args:
        form: the values.
        selected: item id of the selected item.
    """
    st.session_state.update(
        explore_text=form.text,
        explore_minus=next(iter(form.minus), ""),
        explore_more_minus=list(form.minus[1:]),
        explore_plus=list(form.plus),
        explore_likes=list(form.likes),
        explore_pictures=list(form.images),
        explore_weights=dict(form.weights),
        explore_liked=list(form.liked),
        explore_disliked=list(form.disliked),
        explore_captions=form.captions,
        explore_ensemble=form.ensemble,
        explore_box=list(form.box) if form.box else None,
        explore_polygons=[[list(corner) for corner in one] for one in form.polygons],
        explore_sql=form.where,
        explore_k=form.k,
        explore_sources=list(form.sources),
        explore_labels=list(form.labels),
        explore_from=_day(form.date_from),
        explore_to=_day(form.date_to),
        explore_placed=form.with_coordinates,
        explore_columns=list(form.columns),
        explore_distinct=form.collapse_duplicates,
        explore_selected=selected,
        explore_extra={name: list(texts) for name, texts in form.extra},
    )
    lon, lat, km = form.circle or (None, None, None)
    st.session_state.update(explore_lon=lon, explore_lat=lat, explore_km=km)


def _sentences(first: str | None, more: Sequence[str]) -> tuple[str, ...]:
    stripped = ((text or "").strip() for text in (first, *more))
    return tuple(dict.fromkeys(text for text in stripped if text))


def _circle(
    lon: float | None, lat: float | None, km: float | None
) -> tuple[float, float, float] | None:
    if lon is None or lat is None or km is None:
        return None
    return lon, lat, km


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _day_text(value: date | None) -> str | None:
    return value.isoformat() if value else None
