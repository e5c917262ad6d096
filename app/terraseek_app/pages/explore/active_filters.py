"""What is in force in Explore, each with a way to drop it."""

from collections.abc import Sequence

import streamlit as st

from terraseek_app.pages.explore.areas import box_words, circle_words
from terraseek_app.pages.explore.state import Ask, clear

__all__ = ["active_filters"]

_SQL_SHOWN = 40


def active_filters(ask: Ask) -> bool:
    """Everything that narrows or steers the search, each with a way to drop it; whether any."""
    tags = _tags(ask)
    if not tags:
        return False
    with st.container(horizontal=True, gap="small", key="explore_tags"):
        for words, keys in tags:
            st.button(
                words,
                key=f"explore_drop_{keys[0]}",
                icon=":material/close:",
                icon_position="right",
                help="Drop this",
                on_click=clear,
                args=keys,
            )
    return True


def _tags(ask: Ask) -> list[tuple[str, tuple[str, ...]]]:
    tags: list[tuple[str, tuple[str, ...]]] = []
    if ask.like:
        tags.append((f"like item {ask.like}", ("explore_like",)))
    if ask.liked:
        tags.append((f"more like {_images(ask.liked)}", ("explore_liked",)))
    if ask.disliked:
        tags.append((f"less like {_images(ask.disliked)}", ("explore_disliked",)))
    if ask.captions:
        tags.append((f"captions count {ask.captions} %", ("explore_captions",)))
    if ask.ensemble:
        tags.append(("many prompts", ("explore_ensemble",)))
    if ask.image:
        tags.append(("like your picture", ("explore_image",)))
    if ask.box:
        tags.append((f"area {box_words(ask.box)}", ("explore_box",)))
    if ask.polygon:
        tags.append((f"shape of {len(ask.polygon)} corners", ("explore_polygon",)))
    if ask.circle:
        circle = ("explore_lon", "explore_lat", "explore_km")
        tags.append((f"within {circle_words(ask.circle)}", circle))
    if ask.where:
        short = ask.where if len(ask.where) <= _SQL_SHOWN else ask.where[: _SQL_SHOWN - 1] + "…"
        tags.append((f"where {_plain(short)}", ("explore_sql",)))
    if ask.sources:
        tags.append((f"source {' or '.join(ask.sources)}", ("explore_sources",)))
    if ask.labels:
        tags.append((f"label {' or '.join(ask.labels)}", ("explore_labels",)))
    if ask.date_from or ask.date_to:
        span = f"{ask.date_from or 'any day'} to {ask.date_to or 'any day'}"
        tags.append((span, ("explore_from", "explore_to")))
    if ask.placed:
        tags.append(("known coordinates", ("explore_placed",)))
    if ask.distinct:
        tags.append(("no near-duplicates", ("explore_distinct",)))
    return tags


def _images(items: Sequence[str]) -> str:
    return f"{len(items)} picture{'' if len(items) == 1 else 's'}"


def _plain(text: str) -> str:
    """Labels of buttons are Markdown, SQL is not."""
    return "".join(f"\\{c}" if c in "\\`*_~[]<>:$#" else c for c in text)
