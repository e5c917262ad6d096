"""What the Explore page is asked, as plain values: in the session, in the URL, and back.

The URL holds everything but an uploaded picture, so a copied address shows the same answer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from terraseek.errors import BBoxError
from terraseek.geo import BBox

__all__ = ["DEFAULTS", "Ask", "clear", "from_params", "keep", "read", "restore", "to_params"]

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
    "explore_picture": None,
    "explore_box": None,
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
    picture: str | None = None
    """Token of an uploaded picture; lives in this server only and is left out of the URL."""
    box: tuple[float, float, float, float] | None = None
    """(west, south, east, north) in degrees; west > east crosses the antimeridian."""
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
        return bool(self.text.strip() or self.like or self.picture or self.liked)

    @property
    def filters(self) -> int:
        """Number of filters in force, the box not counted."""
        return sum(
            map(bool, (self.sources, self.labels, self.date_from or self.date_to, self.placed))
        )


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
        picture=state.explore_picture,
        box=tuple(state.explore_box) if state.explore_box else None,
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
        explore_k=ask.k,
        explore_sources=list(ask.sources),
        explore_labels=list(ask.labels),
        explore_from=_day(ask.date_from),
        explore_to=_day(ask.date_to),
        explore_placed=ask.placed,
        explore_distinct=ask.distinct,
        explore_selected=selected,
    )


def to_params(ask: Ask, selected: str | None) -> dict[str, str | list[str]]:
    """URL parameters of a question; what is as by default is left out."""
    box = ",".join(f"{edge:.5f}".rstrip("0").rstrip(".") for edge in ask.box) if ask.box else ""
    params: dict[str, str | list[str]] = {
        "q": ask.text,
        "minus": ask.minus,
        "like": ask.like or "",
        "liked": list(ask.liked),
        "disliked": list(ask.disliked),
        "captions": str(ask.captions or ""),
        "ensemble": "1" if ask.ensemble else "",
        "box": box,
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


def _day_text(value: date | None) -> str | None:
    return value.isoformat() if value else None
