"""Explore: search with a sentence or an image; results in a gallery and on the map."""

from dataclasses import asdict

import streamlit as st

from terraseek.errors import ItemNotFoundError, TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.pages.explore import link, search_bar
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.explore.areas import area_bounds
from terraseek_app.pages.explore.filter_chips import filter_chips
from terraseek_app.pages.explore.hit_actions import search_similar, select, vote
from terraseek_app.pages.explore.item_card import item_card
from terraseek_app.pages.explore.map_panel import map_panel
from terraseek_app.pages.explore.results import (
    download_menu,
    gallery_tiles,
    result_summary,
)
from terraseek_app.pages.explore.search import ResultList, count_matching, run_search
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state
from terraseek_app.widgets.gallery import gallery
from terraseek_app.widgets.score_text import ScoreText, score_texts

__all__ = ["render"]

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
        st.warning(note)
    form = explore_state.read_form()
    state.catalogue()  # fails before anything is drawn when there is no catalogue
    search_bar.search_bar(form)
    has_chips = filter_chips(form)
    results, error = _search(form)
    shown = form if error is None else _last_good_form()
    if error is not None:
        _search_error(form, error)
        results = None if shown is None else run_search(shown)
    st.session_state.explore_hits = [hit.item_id for hit in results.hits] if results else []
    top = TOP_HEIGHT + (CHIPS_HEIGHT if has_chips else 0)
    left, right = st.columns([3, 2.15], gap="small")
    with left:
        map_panel(shown or form, results, _remaining_height(top, 440))
    with right:
        _results(shown or form, results, error, top)
    _update_url(form)


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


def _search(form: SearchForm) -> tuple[ResultList | None, TerraSeekError | None]:
    if not form.has_query:
        return None, None
    try:
        with st.spinner("Searching ...", show_time=False):
            results = run_search(form)
        st.session_state.explore_good = asdict(form)
        return results, None
    except TerraSeekError as error:
        return None, error


def _last_good_form() -> SearchForm | None:
    """Form values of the last search that worked; its results stay while there is an error."""
    values = st.session_state.get("explore_good")
    return SearchForm(**values) if values else None


def _search_error(form: SearchForm, error: TerraSeekError) -> None:
    """Show why the search failed, below the fields it came from, with a way out."""
    show_error(error)
    keys = {
        "explore_like": form.like,
        "explore_liked": form.liked,
        "explore_disliked": form.disliked,
    }
    given = [key for key, value in keys.items() if value]
    with st.container(horizontal=True, gap="small"):
        if isinstance(error, ItemNotFoundError) and given:
            st.button(
                "Search without the missing picture",
                icon=":material/close:",
                on_click=explore_state.reset_keys,
                args=given,
                key="explore_without_item",
            )
        if st.session_state.get("explore_good"):
            st.html('<span class="ts-quiet">The results are those of the search before.</span>')


def _remaining_height(used: int, minimum: int) -> str:
    """CSS height of the rest of the window, in a layout that uses `used` pixels above."""
    return f"max({minimum}px, calc(100vh - {used}px))"


def _results(
    form: SearchForm, results: ResultList | None, error: TerraSeekError | None, top: int
) -> None:
    scores = score_texts(results.hits) if results else []
    has_card = _card(results, scores)
    if results is None:
        if error is None:
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
    except ItemNotFoundError as error:
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
