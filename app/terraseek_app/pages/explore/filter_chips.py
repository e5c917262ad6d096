"""Chips above the results: each names one active option or filter and removes it on a click."""

from collections.abc import Sequence

import streamlit as st

from terraseek_app.pages.explore.areas import box_text, circle_text
from terraseek_app.pages.explore.state import SearchForm, reset_keys

__all__ = ["filter_chips"]

_SQL_LENGTH = 40
"""Characters of an SQL condition shown on its chip."""


def filter_chips(form: SearchForm) -> bool:
    """Draw the chips; returns whether there are any."""
    chips = _chips(form)
    if not chips:
        return False
    with st.container(horizontal=True, gap="small", key="explore_tags"):
        for label, keys in chips:
            st.button(
                label,
                key=f"explore_drop_{keys[0]}",
                icon=":material/close:",
                icon_position="right",
                help="Remove this",
                on_click=reset_keys,
                args=keys,
            )
    return True


def _chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    """(label, session keys to reset) of every active option and filter."""
    return [*_ranking_chips(form), *_area_chips(form), *_filter_chips(form)]


def _ranking_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.like:
        chips.append((f"like item {form.like}", ("explore_like",)))
    if form.liked:
        chips.append((f"more like {_count(form.liked)}", ("explore_liked",)))
    if form.disliked:
        chips.append((f"less like {_count(form.disliked)}", ("explore_disliked",)))
    if form.captions:
        chips.append((f"captions count {form.captions} %", ("explore_captions",)))
    if form.ensemble:
        chips.append(("many prompts", ("explore_ensemble",)))
    if form.image:
        chips.append(("like your picture", ("explore_picture",)))
    return chips


def _area_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.box:
        chips.append((f"area {box_text(form.box)}", ("explore_box",)))
    if form.polygon:
        chips.append((f"shape of {len(form.polygon)} corners", ("explore_polygon",)))
    if form.circle:
        keys = ("explore_lon", "explore_lat", "explore_km")
        chips.append((f"within {circle_text(form.circle)}", keys))
    return chips


def _filter_chips(form: SearchForm) -> list[tuple[str, tuple[str, ...]]]:
    chips: list[tuple[str, tuple[str, ...]]] = []
    if form.where:
        sql = form.where if len(form.where) <= _SQL_LENGTH else f"{form.where[: _SQL_LENGTH - 1]}…"
        chips.append((f"where {_escape_markdown(sql)}", ("explore_sql",)))
    if form.sources:
        chips.append((f"source {' or '.join(form.sources)}", ("explore_sources",)))
    if form.labels:
        chips.append((f"label {' or '.join(form.labels)}", ("explore_labels",)))
    if form.date_from or form.date_to:
        span = f"{form.date_from or 'any day'} to {form.date_to or 'any day'}"
        chips.append((span, ("explore_from", "explore_to")))
    if form.with_coordinates:
        chips.append(("known coordinates", ("explore_placed",)))
    if form.collapse_duplicates:
        chips.append(("no near-duplicates", ("explore_distinct",)))
    if form.extra:
        words = ", ".join(f"{name} {' or '.join(texts)}" for name, texts in form.extra)
        chips.append((_escape_markdown(words), ("explore_extra",)))
    return chips


def _count(items: Sequence[str]) -> str:
    return f"{len(items)} picture{'' if len(items) == 1 else 's'}"


def _escape_markdown(text: str) -> str:
    """Escape Markdown, which button labels are rendered as."""
    return "".join(f"\\{c}" if c in "\\`*_~[]<>:$#" else c for c in text)
