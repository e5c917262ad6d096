"""Explore: search with a sentence or an image; results in a gallery and on the map."""

from dataclasses import asdict, replace
from functools import partial

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.search import Hit
from terraseek_app.address import (
    arrived_by,
    first_value,
    set_title,
    update_address,
    value_lists,
    view_of,
)
from terraseek_app.messages import page_text, show_error, show_notes
from terraseek_app.pages.explore import link, search_bar
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.explore.areas import area_bounds
from terraseek_app.pages.explore.canvas.layout import (
    dock_is_open,
    draw_heads,
    make_panels,
    rail_is_open,
)
from terraseek_app.pages.explore.filter_panel import filter_panel
from terraseek_app.pages.explore.filters.facet_rail import choose
from terraseek_app.pages.explore.history.compare import compare_panel, compare_with
from terraseek_app.pages.explore.history.comparison import (
    Comparison,
    compare_results,
    restore_split,
)
from terraseek_app.pages.explore.history.panel import history_panel, remember
from terraseek_app.pages.explore.hit_actions import search_similar, select, vote
from terraseek_app.pages.explore.hits.chosen import (
    CHOSEN,
    choose_hits,
    chosen_bar,
    chosen_hits,
    restore_chosen,
)
from terraseek_app.pages.explore.hits.cut import cut_panel, read_cut, restore_cut, shown_hits
from terraseek_app.pages.explore.hits.figures import figures_panel
from terraseek_app.pages.explore.item_card import item_card
from terraseek_app.pages.explore.map_panel import link_view, map_panel
from terraseek_app.pages.explore.query.chips import chip_row
from terraseek_app.pages.explore.query.parts import drop_part, query_parts, query_title, without
from terraseek_app.pages.explore.query.problems import Problems, find_problems, part_problems
from terraseek_app.pages.explore.results import download_menu, gallery_tiles, result_summary
from terraseek_app.pages.explore.search import ResultList, count_matching, run_search
from terraseek_app.pages.explore.spot.run import Spot, ask
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.pages.explore.welcome import welcome
from terraseek_app.server import state
from terraseek_app.widgets.gallery import gallery
from terraseek_app.widgets.page_link import page_link
from terraseek_app.widgets.score_text import ScoreText, score_texts

__all__ = ["render"]

MAP_HEIGHT = "var(--ts-canvas-height)"
"""CSS height of the map, which the stylesheet sets by the width of the window."""


def render() -> None:
    """Draw the page."""
    notes = _restore_from_url()
    form = explore_state.read_form()
    state.catalogue()  # fails before anything is drawn when there is no catalogue
    problems = Problems(parts=part_problems(form))
    panels = make_panels()
    draw_heads(panels)  # before the search, so that its results move nothing
    with panels.bar:
        show_notes(notes)
        search_bar.search_bar(form)
        chip_row(form, problems.parts)
    with panels.busy:
        shown, results, problems = _search(form, problems)
        comparison = compare_results(shown, results, read_cut())
    with panels.bar:
        _show_problems(form, problems, kept=results is not None)
    hits = shown_hits(results.hits, results.facts, read_cut()) if results else []
    st.session_state.explore_hits = [hit.item_id for hit in hits]
    chosen = chosen_hits(hits)
    scores = _scores_of(results, hits)
    with panels.card:
        spot = _card(shown, hits, scores)
    with panels.map:
        both = comparison if isinstance(comparison, Comparison) else None
        map_panel(shown, results, hits, spot, both, MAP_HEIGHT)
    with panels.dock:
        if dock_is_open(len(hits) if results else None):
            _results(shown, results, hits, scores, problems, comparison)
            chosen_bar(chosen, partial(download_menu, form=shown, key="explore_chosen_export"))
    with panels.rail:
        if rail_is_open(forced=bool(problems.sql)):
            filter_panel(form, problems.sql)
    _update_url(form)


def _restore_from_url() -> list[str]:
    """Read the form values from the address, if it has changed; returns notes about it."""
    params = arrived_by("explore")
    if params is None:
        return []
    form, selected, notes = link.from_params(params)
    explore_state.write_form(form, selected)
    restore_cut(params, notes)
    restore_chosen(params)
    st.session_state.explore_compare = first_value(params, link.COMPARE)
    restore_split(params, notes)
    if selected and first_value(params, link.SPOT):
        ask(selected)
    st.session_state.explore_linked_view = area_bounds(form.box, form.polygons, form.circle)
    link_view(form, view_of(params, notes))
    return notes


def _update_url(form: SearchForm) -> None:
    session = st.session_state
    further = {
        link.SELECTED: session.explore_selected,
        link.COMPARE: session.explore_compare,
        link.SPOT: "1" if session.explore_spot else "",
    }
    params = _params(form) | {name: [text] for name, text in further.items() if text}
    update_address(params | ({CHOSEN: chosen} if (chosen := session.explore_chosen) else {}))
    set_title(query_title(form))


def _params(form: SearchForm) -> dict[str, list[str]]:
    """Parameters of the link to what is shown, without the selected item."""
    return value_lists({**link.to_params(form, None), **read_cut().to_params()})


def _search(form: SearchForm, problems: Problems) -> tuple[SearchForm, ResultList | None, Problems]:
    """Run the search; after a mistake, the results of the last one that worked stay.

    Returns:
        The form whose results are shown, its results, and what is wrong with `form`.
    """
    if problems:
        return _fall_back(form, problems)
    try:
        if not form.has_query:
            count_matching(form)  # fails for filters that cannot be used
            return form, None, problems
        with st.spinner("Searching ...", show_time=False):
            results = run_search(form)
        st.session_state.explore_good = asdict(form)
        remember(form, _params(form))
        return form, results, problems
    except TerraSeekError as error:
        return _fall_back(form, find_problems(form, error))


def _fall_back(
    form: SearchForm, problems: Problems
) -> tuple[SearchForm, ResultList | None, Problems]:
    values = st.session_state.get("explore_good")
    shown = SearchForm(**values) if values else without(form, list(problems.parts))
    if problems.sql or problems.other or not shown.has_query:
        shown = shown if values else form
        return shown, run_search(shown) if values else None, problems
    try:
        return shown, run_search(shown), problems
    except TerraSeekError as error:
        return form, None, replace(find_problems(form, error), parts=problems.parts)


def _show_problems(form: SearchForm, problems: Problems, kept: bool) -> None:
    """Say what is wrong with parts of the query, below their chips, with a way out.

    Args:
        form: the form values.
        problems: what is wrong with them; that of the SQL condition is shown below its field.
        kept: whether results are shown all the same.
    """
    for part in query_parts(form):
        if part.key in problems.parts:
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.error(page_text(problems.parts[part.key]), icon=":material/error:")
                st.button(
                    "Search without it",
                    key=f"explore_without_{part.key}",
                    on_click=drop_part,
                    args=(part.kind, part.value),
                )
    if problems.other is not None:
        show_error(problems.other)
    if problems and kept:
        before = bool(st.session_state.get("explore_good"))
        which = "those of the search before" if before else "without what is missing"
        st.html(f'<span class="ts-quiet">The results shown are {which}.</span>')


def _results(
    form: SearchForm,
    results: ResultList | None,
    hits: list[Hit],
    scores: list[ScoreText],
    problems: Problems,
    comparison: Comparison | TerraSeekError | None,
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="explore_head"):
        if results is not None:
            result_summary(results)
            cut_panel(results.hits, len(hits), read_cut())
            download_menu(hits, form)
        history_panel(_params(form), partial(compare_with, form))
        page_link("explore_link", "explore_map")
    if results is None:
        if not problems:
            welcome(form)
        return
    if comparison is not None:
        compare_panel(form, comparison)
        return
    figures_panel(hits, results.facts, choose)
    gallery(
        "explore_gallery",
        gallery_tiles(hits, scores, form.liked, results.facts),
        on_pick=select,
        on_like=search_similar,
        on_vote=vote,
        on_choose=choose_hits,
        selected=st.session_state.explore_selected,
        chosen=st.session_state.explore_chosen,
    )


def _scores_of(results: ResultList | None, hits: list[Hit]) -> list[ScoreText]:
    """Texts of the scores of the hits shown; bars compare with all hits."""
    if results is None:
        return []
    texts = score_texts(results.hits)
    by_id = {hit.item_id: text for hit, text in zip(results.hits, texts, strict=True)}
    return [by_id[hit.item_id] for hit in hits]


def _card(form: SearchForm, hits: list[Hit], scores: list[ScoreText]) -> Spot | None:
    """Draw the card of the selected item, if there is one; returns its heat map."""
    selected = st.session_state.explore_selected
    if not selected:
        explore_state.reset_keys("explore_spot")
        return None
    try:
        item = state.catalogue().item(selected)
    except TerraSeekError as error:
        show_error(error)
        explore_state.reset_keys("explore_selected", "explore_spot")
        return None
    for hit, score in zip(hits, scores, strict=True):
        if hit.item_id == selected:
            return item_card(item, score, hit.rank, form)
    return item_card(item, None, None, form)
