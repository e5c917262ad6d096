"""The counts and histograms in the filter rail, and what choosing in them does to the form."""

import calendar
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import streamlit as st

from terraseek.catalogue.filters.column_condition import ColumnCondition
from terraseek.catalogue.filters.facets import Facet
from terraseek.errors import TerraSeekError
from terraseek_app.pages.explore.search import build_filter
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.server import state
from terraseek_app.widgets.facets import facet_list

__all__ = ["choose", "facet_rail", "shown_facets"]

N_SHOWN = 5
"""Facets shown before further columns are chosen."""
_LISTS = {"label": "explore_labels", "source": "explore_sources"}
_TITLES = {
    "captured_at": "date",
    "gsd_m": "resolution (m per pixel)",
    "location_precision": "how exact the place is",
}


def facet_rail(form: SearchForm) -> None:
    """Draw the counts of the items that pass the filters, and the choice of further columns."""
    names = state.catalogue().facet_names
    if not names:
        return
    chosen = {ColumnCondition.parse(text).column for text in form.columns}
    further = [n for n in names[N_SHOWN:] if n in st.session_state.explore_facets or n in chosen]
    facet_list(
        "explore_facet_list", shown_facets(form, [*names[:N_SHOWN], *further]), on_choose=choose
    )
    if len(names) > N_SHOWN:
        st.multiselect(
            "Further columns",
            names[N_SHOWN:],
            key="explore_facets",
            placeholder="add a column",
            format_func=_title,
        )


def shown_facets(form: SearchForm, names: Sequence[str]) -> list[dict[str, Any]]:
    """Facets as the widget draws them.

    Without the filters if these cannot be used: what is wrong is shown at their fields.

    Args:
        form: the form values.
        names: columns to count.
    """
    catalogue = state.catalogue()
    facets = _counts(form.filters, tuple(names), str(catalogue.path), catalogue.count)
    return [_as_json(facets[name], _chosen(form, name)) for name in names]


@st.cache_data(max_entries=128, show_spinner=False)
def _counts(form: SearchForm, names: tuple[str, ...], path: str, count: int) -> dict[str, Facet]:
    # path and count are part of the cache key only
    try:
        return state.catalogue().facets(names, build_filter(form))
    except TerraSeekError:
        return state.catalogue().facets(names)


def _as_json(
    facet: Facet, is_chosen: Callable[[str, float | None, float | None], bool]
) -> dict[str, Any]:
    bins = [
        {
            "text": one.text,
            "count": one.count,
            "low": one.low,
            "high": one.high,
            "on": is_chosen(one.text, one.low, one.high),
        }
        for one in facet.bins
    ]
    return {
        "name": facet.name,
        "title": _title(facet.name),
        "kind": facet.kind,
        "bins": bins,
        "unknown": facet.n_unknown,
        "chosen": any(one["on"] for one in bins),
    }


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))


def _chosen(form: SearchForm, name: str) -> Callable[[str, float | None, float | None], bool]:
    """Whether a bin of a facet belongs to the filter."""
    if name in _LISTS:
        values = form.labels if name == "label" else form.sources
        folded = {value.casefold() for value in values}
        return lambda text, low, high: text.casefold() in folded
    if name == "captured_at":
        first, last = form.date_from or "", form.date_to or "9999"
        given = bool(form.date_from or form.date_to)
        return lambda text, low, high: given and first[: len(text)] <= text <= last[: len(text)]
    conditions = [one for one in map(ColumnCondition.parse, form.columns) if one.column == name]

    def is_chosen(text: str, low: float | None, high: float | None) -> bool:
        for one in conditions:
            if not one.is_range and one.value == text:
                return True
            start = float("-inf") if one.low is None else one.low
            end = float("inf") if one.high is None else one.high
            if (
                one.is_range
                and low is not None
                and high is not None
                and start <= low
                and high <= end
            ):
                return True
        return False

    return is_chosen


def choose(choice: dict[str, Any]) -> None:
    """Put a choice into the session: a value is added or removed, a range replaces another one.

    Args:
        choice: as `widgets.facets` reports it.
    """
    session, name = st.session_state, str(choice["name"])
    if choice.get("clear"):
        _clear(name)
    elif name in _LISTS:
        session[_LISTS[name]] = _toggled(session[_LISTS[name]], str(choice["text"]))
    elif name == "captured_at":
        first, _, last = str(choice["text"]).partition("..")
        days = (_first_day(first), _last_day(last or first))
        is_same = days == (session.explore_from, session.explore_to)
        session.explore_from, session.explore_to = (None, None) if is_same else days
    elif choice.get("range"):
        text = f"{name}={choice['text']}"
        others = [one for one in session.explore_columns if not one.startswith(f"{name}=")]
        session.explore_columns = others if text in session.explore_columns else [*others, text]
    else:
        text = f"{name}={choice['text']}"
        session.explore_columns = _toggled(session.explore_columns, text)


def _clear(name: str) -> None:
    session = st.session_state
    if name in _LISTS:
        reset_keys(_LISTS[name])
    elif name == "captured_at":
        reset_keys("explore_from", "explore_to")
    else:
        kept = [one for one in session.explore_columns if not one.startswith(f"{name}=")]
        session.explore_columns = kept


def _toggled(values: Sequence[str], value: str) -> list[str]:
    left = [other for other in values if other != value]
    return left if len(left) < len(values) else [*left, value]


def _first_day(period: str) -> date:
    year, month = _period(period)
    return date(year, month or 1, 1)


def _last_day(period: str) -> date:
    year, month = _period(period)
    month = month or 12
    return date(year, month, calendar.monthrange(year, month)[1])


def _period(text: str) -> tuple[int, int | None]:
    year, _, month = text.partition("-")
    return int(year), int(month) if month else None
