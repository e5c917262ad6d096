"""Compare what is shown with another search or another model, side by side."""

import html
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.search import Hit
from terraseek.search.ranking import Overlap, compare_rankings
from terraseek_app.address import value_lists
from terraseek_app.messages import show_error
from terraseek_app.pages.explore import link
from terraseek_app.pages.explore.history.comparison import MODEL, Comparison
from terraseek_app.pages.explore.history.panel import history
from terraseek_app.pages.explore.hit_actions import search_similar, select, vote
from terraseek_app.pages.explore.results import gallery_tiles
from terraseek_app.pages.explore.search import model_names
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.server import state
from terraseek_app.server.saved_searches import SavedSearch
from terraseek_app.widgets.gallery import gallery
from terraseek_app.widgets.score_text import ScoreText, score_texts

__all__ = ["compare_panel", "compare_with", "overlap_text", "rank_changes"]

_SIDES = ("first", "second")


def compare_with(form: SearchForm, saved: Sequence[SavedSearch]) -> None:
    """Draw the choice of what to compare with.

    Args:
        form: the form values of what is shown.
        saved: the saved searches.
    """
    choices = _choices(form, saved)
    current = st.session_state.explore_compare
    if current and current not in choices:
        choices[current] = "the search of the link"
    if not choices:
        st.caption("Search again, save a search or embed with another model, to compare with it.")
        return
    st.selectbox(
        "Compare with",
        ["", *choices],
        key="explore_compare",
        format_func=lambda text: choices.get(text, "nothing"),
    )


def _choices(form: SearchForm, saved: Sequence[SavedSearch]) -> dict[str, str]:
    """What can be compared with: value of the session key -> title."""
    shown = value_lists(link.to_params(form, None))
    models = [name for name in model_names() if name != state.settings().model]
    found = {urlencode({MODEL: name}): f"model {name}" for name in models}
    searches = [(one["title"], one["params"]) for one in history()]
    searches += [(one.name, one.params) for one in saved]
    for title, params in searches:
        if params != shown:
            found.setdefault(urlencode(params, doseq=True), title)
    return found


def compare_panel(form: SearchForm, comparison: Comparison | TerraSeekError) -> None:
    """Draw both rankings side by side, with how much they agree.

    Args:
        form: the form values of what is shown.
        comparison: both rankings, or what is wrong with the other one.
    """
    if isinstance(comparison, TerraSeekError):
        show_error(comparison)
        st.button("Stop comparing", on_click=reset_keys, args=("explore_compare",))
        return
    with st.container(horizontal=True, vertical_alignment="center", key="explore_compared"):
        overlap = compare_rankings(*comparison.ids)
        st.html(f'<span class="ts-quiet">{overlap_text(overlap)}</span>')
        st.button(
            "Stop comparing",
            type="tertiary",
            icon=":material/close:",
            on_click=reset_keys,
            args=("explore_compare",),
            key="explore_uncompare",
        )
    if comparison.cut_text:
        st.html(f'<span class="ts-quiet">{comparison.cut_text}</span>')
    others = reversed(comparison.ids)
    sides = zip(st.columns(2), comparison.titles, comparison.shown, others, strict=True)
    for number, (column, title, ranking, other) in enumerate(sides):
        with column:
            st.html(f'<p class="ts-side ts-side-{_SIDES[number]}">{html.escape(title)}</p>')
            scores = rank_changes(ranking.hits, other)
            gallery(
                f"explore_compared_{number}",
                gallery_tiles(ranking.hits, scores, form.liked, ranking.facts),
                on_pick=select,
                on_like=search_similar,
                on_vote=vote,
                selected=st.session_state.explore_selected,
            )


def overlap_text(overlap: Overlap) -> str:
    """How much two rankings agree, in a sentence."""
    most = max(overlap.n_first, overlap.n_second)
    return (
        f"<b>{len(overlap.common)}</b> of {most} in common, rank-biased overlap "
        f"<b>{overlap.rbo:.2f}</b> (1: the same ranking)"
    )


def rank_changes(hits: Sequence[Hit], others: Sequence[str]) -> list[ScoreText]:
    """Texts of tiles: the rank of each hit in the other ranking instead of its score."""
    ranks = {item_id: rank for rank, item_id in enumerate(others, 1)}
    texts = []
    for hit, score in zip(hits, score_texts(hits), strict=True):
        rank = ranks.get(hit.item_id)
        short = "only here" if rank is None else f"there {rank}"
        texts.append(replace(score, short=short))
    return texts
