"""Explore: search with a sentence or an image; results in a gallery and on the map."""

from dataclasses import asdict, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from terraseek.errors import TerraSeekError
from terraseek_app.messages import page_text, show_error
from terraseek_app.pages.explore import link, search_bar
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.explore.areas import area_bounds
from terraseek_app.pages.explore.filter_panel import filter_panel
from terraseek_app.pages.explore.hit_actions import search_similar, select, vote
from terraseek_app.pages.explore.item_card import item_card
from terraseek_app.pages.explore.map_panel import map_panel
from terraseek_app.pages.explore.query.chips import chip_row
from terraseek_app.pages.explore.query.parts import drop_part, query_parts, without
from terraseek_app.pages.explore.query.problems import Problems, find_problems, part_problems
from terraseek_app.pages.explore.results import download_menu, gallery_tiles, result_summary
from terraseek_app.pages.explore.search import ResultList, count_matching, run_search
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state
from terraseek_app.widgets.gallery import gallery
from terraseek_app.widgets.score_text import ScoreText, score_texts

__all__ = ["render"]

RAIL_HEIGHT = 760
"""CSS pixels of the filters, which scroll inside."""
TOP_HEIGHT = 122
"""CSS pixels of header, search bar and margins; the map takes the rest of the window."""
CHIPS_HEIGHT = 44
"""CSS pixels of the row of filter chips."""
CARD_HEIGHT = 306
"""CSS pixels of the selected item's card above the gallery."""
SUMMARY_HEIGHT = 50
"""CSS pixels of the summary line above the gallery."""


def render() -> None:
    """Draw the page."""
    for note in _restore_from_url():
        st.warning(page_text(note))
    form = explore_state.read_form()
    state.catalogue()  # fails before anything is drawn when there is no catalogue
    search_bar.search_bar(form)
    problems = Problems(parts=part_problems(form))
    has_chips = chip_row(form, problems.parts)
    shown, results, problems = _search(form, problems)
    _show_problems(form, problems, kept=results is not None)
    st.session_state.explore_hits = [hit.item_id for hit in results.hits] if results else []
    top = TOP_HEIGHT + (CHIPS_HEIGHT if has_chips else 0)
    rail, left, right = _columns(problems)
    if rail is not None:
        with rail, st.container(key="explore_rail_panel", height=RAIL_HEIGHT, border=False):
            filter_panel(problems.sql)
    with left:
        map_panel(shown, results, _remaining_height(top, 440))
    with right:
        _results(shown, results, problems, top)
    _update_url(form)


def _columns(
    problems: Problems,
) -> tuple[DeltaGenerator | None, DeltaGenerator, DeltaGenerator]:
    """Columns of the filters (None when hidden), the map and the results."""
    if st.session_state.explore_rail or problems.sql:
        rail, left, right = st.columns([1.15, 2.6, 2.15], gap="small")
        return rail, left, right
    left, right = st.columns([3, 2.15], gap="small")
    return None, left, right


def _restore_from_url() -> list[str]:
    """Read the form values from the URL, once a session; returns notes on invalid parameters."""
    if st.session_state.get("explore_restored"):
        return []
    st.session_state.explore_restored = True
    names = list(st.query_params)
    if not names:
        return []
    form, selected, notes = link.from_params(
        {name: st.query_params.get_all(name) for name in names}
    )
    explore_state.write_form(form, selected)
    st.session_state.explore_linked_view = area_bounds(form.box, form.polygon, form.circle)
    return notes


def _update_url(form: SearchForm) -> None:
    wanted = link.to_params(form, st.session_state.explore_selected)
    current = {name: st.query_params.get_all(name) for name in st.query_params}
    if current != {n: v if isinstance(v, list) else [v] for n, v in wanted.items()}:
        st.query_params.from_dict(wanted)


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


def _remaining_height(used: int, minimum: int) -> str:
    """CSS height of the rest of the window, in a layout that uses `used` pixels above."""
    return f"max({minimum}px, calc(100vh - {used}px))"


def _results(form: SearchForm, results: ResultList | None, problems: Problems, top: int) -> None:
    scores = score_texts(results.hits) if results else []
    has_card = _card(results, scores)
    if results is None:
        if not problems:
            _welcome(form)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="explore_head"):
        result_summary(results, scores)
        download_menu(results.hits, form)
    gallery(
        "explore_gallery",
        gallery_tiles(results.hits, scores, form.liked),
        on_pick=select,
        on_like=search_similar,
        on_vote=vote,
        selected=st.session_state.explore_selected,
        height=_remaining_height(top + SUMMARY_HEIGHT + (CARD_HEIGHT if has_card else 0), 220),
    )


def _card(results: ResultList | None, scores: list[ScoreText]) -> bool:
    """Draw the card of the selected item; returns whether there is one."""
    selected = st.session_state.explore_selected
    if not selected:
        return False
    try:
        item = state.catalogue().item(selected)
    except TerraSeekError as error:
        show_error(error)
        explore_state.reset_keys("explore_selected")
        return False
    ids = [hit.item_id for hit in results.hits] if results else []
    if selected in ids:
        position = ids.index(selected)
        item_card(item, scores[position], position + 1)
    else:
        item_card(item, None, None)
    return True


def _welcome(form: SearchForm) -> None:
    """Draw the text and the examples of a page without a query."""
    try:
        matched, total = count_matching(form)
    except TerraSeekError as error:
        show_error(error)
        return
    if not st.session_state.explore_selected:
        st.html(f'<p class="ts-hero">Ask {total:,} pictures of the Earth</p>')
    matching = f"<b>{matched:,}</b> of {total:,} match the filter. " if matched != total else ""
    st.html(
        f'<p class="ts-quiet">{matching}Write a sentence above, upload a picture of your own, or '
        "click any sample on the map. Draw a box, a shape or a circle on the map to search one "
        "area only.</p>"
    )
    if form.minus:
        st.info("“But not” needs something to search for as well.", icon=":material/edit:")
    search_bar.show_examples(list(state.catalogue().labels))
