"""What the Explore page is asked, as plain values in the session."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

__all__ = ["DEFAULTS", "K_CHOICES", "Ask", "Corners", "clear", "keep", "read", "restore"]

Corners = tuple[tuple[float, float], ...]
"""Corners of a polygon, (lon, lat) in degrees, at least three; the last is joined to the first."""

K_CHOICES = (12, 24, 48, 96)
"""Numbers of results to choose from."""

DEFAULTS: dict[str, Any] = {
    "explore_text": "",
    "explore_minus": "",
    "explore_like": None,
    "explore_liked": [],
    "explore_disliked": [],
    "explore_captions": 0,
    "explore_ensemble": False,
    "explore_image": None,
    "explore_box": None,
    "explore_polygon": None,
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
    "explore_distinct": False,
    "explore_selected": None,
}
"""Session keys of the page with what they start from; plain values only."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the catalogue."""

    text: str = ""
    """Sentence to look for."""
    minus: str = ""
    """Sentence to stay away from."""
    like: str | None = None
    """Item to find neighbours of."""
    liked: tuple[str, ...] = ()
    """Hits that were what was meant."""
    disliked: tuple[str, ...] = ()
    """Hits that were not."""
    captions: int = 0
    """Share of the captions in the score, in percent."""
    ensemble: bool = False
    """Whether the words are averaged over many prompts."""
    image: str | None = None
    """Token of an uploaded image; lives in this server only and is left out of the URL."""
    box: tuple[float, float, float, float] | None = None
    """(west, south, east, north) in degrees; west > east crosses the antimeridian."""
    polygon: Corners | None = None
    """A shape drawn on the map; longitudes go on past 180 where it crosses the antimeridian."""
    circle: tuple[float, float, float] | None = None
    """(lon, lat, km): everything within so many kilometres of a point."""
    where: str = ""
    """Condition on columns in SQL."""
    k: int = 24
    """Results wanted."""
    sources: tuple[str, ...] = ()
    """Sources to keep; empty keeps all."""
    labels: tuple[str, ...] = ()
    """Labels to keep; empty keeps all."""
    date_from: str | None = None
    """First day, ISO."""
    date_to: str | None = None
    """Last day, ISO."""
    placed: bool = False
    """Whether only items whose position is known by coordinates are wanted."""
    distinct: bool = False
    """Whether of near-duplicates only the best is wanted."""

    @property
    def is_question(self) -> bool:
        """Whether there is anything to rank by."""
        return bool(self.text.strip() or self.like or self.image or self.liked)

    @property
    def filters(self) -> int:
        """Number of filters in force, what is drawn on the map not counted."""
        dates = self.date_from or self.date_to
        return sum(map(bool, (self.sources, self.labels, dates, self.placed, self.where)))

    @property
    def has_area(self) -> bool:
        """Whether a part of the globe was chosen."""
        return bool(self.box or self.polygon or self.circle)


def keep() -> None:
    """Seed missing keys and hold on to the others while their widgets are on another page."""
    for key, value in DEFAULTS.items():
        st.session_state[key] = st.session_state.get(key, value)


def clear(*keys: str) -> None:
    """Set keys back to what they start from; all of them when none is named."""
    for key in keys or DEFAULTS:
        st.session_state[key] = DEFAULTS[key]


def read() -> Ask:
    """The question in the session."""
    state = st.session_state
    return Ask(
        text=(state.explore_text or "").strip(),
        minus=(state.explore_minus or "").strip(),
        like=state.explore_like,
        liked=tuple(state.explore_liked),
        disliked=tuple(state.explore_disliked),
        captions=int(state.explore_captions),
        ensemble=bool(state.explore_ensemble),
        image=state.explore_image,
        box=tuple(state.explore_box) if state.explore_box else None,
        polygon=_corners(state.explore_polygon),
        circle=_circle(state.explore_lon, state.explore_lat, state.explore_km),
        where=(state.explore_sql or "").strip(),
        k=state.explore_k,
        sources=tuple(state.explore_sources),
        labels=tuple(state.explore_labels),
        date_from=_day_text(state.explore_from),
        date_to=_day_text(state.explore_to),
        placed=bool(state.explore_placed),
        distinct=bool(state.explore_distinct),
    )


def restore(ask: Ask, selected: str | None) -> None:
    """Put a question, for example one from the URL, into the session."""
    st.session_state.update(
        explore_text=ask.text,
        explore_minus=ask.minus,
        explore_like=ask.like,
        explore_liked=list(ask.liked),
        explore_disliked=list(ask.disliked),
        explore_captions=ask.captions,
        explore_ensemble=ask.ensemble,
        explore_box=list(ask.box) if ask.box else None,
        explore_polygon=[list(corner) for corner in ask.polygon] if ask.polygon else None,
        explore_sql=ask.where,
        explore_k=ask.k,
        explore_sources=list(ask.sources),
        explore_labels=list(ask.labels),
        explore_from=_day(ask.date_from),
        explore_to=_day(ask.date_to),
        explore_placed=ask.placed,
        explore_distinct=ask.distinct,
        explore_selected=selected,
    )
    lon, lat, km = ask.circle or (None, None, None)
    st.session_state.update(explore_lon=lon, explore_lat=lat, explore_km=km)


def _corners(value: list[list[float]] | None) -> Corners | None:
    return tuple((lon, lat) for lon, lat in value) if value else None


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
