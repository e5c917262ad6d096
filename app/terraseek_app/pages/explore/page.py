"""Explore: words or an image in, ranked images and places out."""

from typing import Any

import streamlit as st

from terraseek.errors import ItemNotFoundError, TerraSeekError
from terraseek.geo import BBox
from terraseek_app.map import EVENTS, MapEvent, world_map
from terraseek_app.messages import say
from terraseek_app.pages.explore import link as explore_link
from terraseek_app.pages.explore import search_bar
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.explore.active_filters import active_filters
from terraseek_app.pages.explore.answer import (
    Answer,
    count_matching,
    find,
    sample_bounds,
    sample_urls,
)
from terraseek_app.pages.explore.areas import bounds_of
from terraseek_app.pages.explore.results import export, images, map_hits, result_line
from terraseek_app.pages.explore.state import Ask
from terraseek_app.server import state
from terraseek_app.widgets.gallery import gallery
from terraseek_app.widgets.item_card import item_card, like, vote
from terraseek_app.widgets.score_text import Reading, read_scores

__all__ = ["render"]

ABOVE_MAP = 122
"""CSS pixels of header, search bar and margins; the map takes the rest of the window."""
TAGS_HEIGHT = 44
"""What the row of filters in force adds to that, when there is one."""
FIRST_KM = 100.0
"""Radius of the first circle drawn by a click; the drawer changes it."""
CARD_HEIGHT = 306
"""What the card of the selected item takes of the results' height."""
HEAD_HEIGHT = 50
"""What the line above the gallery takes."""


def render() -> None:
    """Draw the page."""
    for note in _restore_from_url():
        st.warning(note)
    ask = explore_state.read()
    state.catalogue()  # a server without a catalogue says so before anything is drawn
    search_bar.search_bar(ask)
    has_tags = active_filters(ask)
    answer, error = _answer(ask)
    st.session_state.explore_hits = [hit.item_id for hit in answer.hits] if answer else []
    above = ABOVE_MAP + (TAGS_HEIGHT if has_tags else 0)
    left, right = st.columns([3, 2.15], gap="small")
    with left:
        _map(ask, answer, above)
    with right:
        _results(ask, answer, error, above)
    _sync_url(ask)


def _restore_from_url() -> list[str]:
    """Take the question from the address, once a session; gives notes on what was unusable."""
    if st.session_state.get("explore_restored"):
        return []
    st.session_state.explore_restored = True
    names = list(st.query_params)
    if not names:
        return []
    ask, selected, notes = explore_link.from_params(
        {name: st.query_params.get_all(name) for name in names}
    )
    explore_state.restore(ask, selected)
    st.session_state.explore_linked_view = bounds_of(ask.box, ask.polygon, ask.circle)
    return notes


def _sync_url(ask: Ask) -> None:
    wanted = explore_link.to_params(ask, st.session_state.explore_selected)
    shown = {name: st.query_params.get_all(name) for name in st.query_params}
    if shown != {n: v if isinstance(v, list) else [v] for n, v in wanted.items()}:
        st.query_params.from_dict(wanted)


def _answer(ask: Ask) -> tuple[Answer | None, TerraSeekError | None]:
    if not ask.is_question:
        return None, None
    try:
        with st.spinner("Searching ...", show_time=False):
            return find(ask), None
    except TerraSeekError as error:
        return None, error


def _map(ask: Ask, answer: Answer | None, above: int) -> None:
    points_url, density_url = sample_urls()
    world_map(
        "explore_map",
        points_url=points_url,
        density_url=density_url,
        hits=map_hits(answer.hits if answer else ()),
        selected=st.session_state.explore_selected,
        box=BBox(*ask.box) if ask.box else None,
        shape=ask.polygon,
        circle=ask.circle,
        report=(*EVENTS, "shape", "centre"),
        view=_view(ask, answer),
        height=_rest(above, 440),
        on_event=_on_map,
    )


def _view(ask: Ask, answer: Answer | None) -> dict[str, Any] | None:
    """Where the map should go: to new hits, never away from an area the user chose."""
    if ask.has_area:
        linked = st.session_state.get("explore_linked_view")
        drawn = bounds_of(ask.box, ask.polygon, ask.circle)
        return {"bounds": list(linked)} if linked and linked == drawn else None
    if answer and answer.hits:
        return {"fit": "hits", "of": _asked_for(ask)}
    if answer is None:
        catalogue = state.catalogue()
        bounds = sample_bounds(str(catalogue.path), catalogue.count)
        return {"bounds": bounds} if bounds else None
    return None


def _asked_for(ask: Ask) -> list[Any]:
    """What a new view follows from; filters and votes leave the map where it is."""
    return [ask.text, ask.minus, ask.like, ask.image]


def _on_map(event: MapEvent) -> None:
    """Turn what was done on the map into state, before the page is drawn again."""
    if event.clicked:
        st.session_state.explore_selected = event.clicked
    if event.kind in ("box", "area"):
        st.session_state.explore_box = list(event.box.as_tuple()) if event.box else None
    if event.kind == "shape":
        st.session_state.explore_polygon = [list(c) for c in event.shape] if event.shape else None
    if event.kind == "centre":
        _circle_around(event.click)


def _circle_around(place: tuple[float, float] | None) -> None:
    """A circle around a place clicked on the map, as wide as the last one; none without a place."""
    if place is None:
        explore_state.clear("explore_lon", "explore_lat", "explore_km")
        return
    lon, lat = place
    km = st.session_state.explore_km or FIRST_KM
    st.session_state.update(explore_lon=round(lon, 5), explore_lat=round(lat, 5), explore_km=km)


def _rest(above: int, least: int) -> str:
    """CSS height of what is left of the window below `above` pixels."""
    return f"max({least}px, calc(100vh - {above}px))"


def _results(ask: Ask, answer: Answer | None, error: TerraSeekError | None, above: int) -> None:
    if error is not None:
        say(error)
    readings = read_scores(answer.hits) if answer else []
    has_card = _card(answer, readings)
    if answer is None:
        if error is None:
            _welcome(ask)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="explore_head"):
        result_line(answer, readings)
        export(answer.hits)
    gallery(
        "explore_gallery",
        images(answer.hits, readings, ask.liked),
        on_pick=_select,
        on_like=like,
        on_vote=vote,
        selected=st.session_state.explore_selected,
        height=_rest(above + HEAD_HEIGHT + (CARD_HEIGHT if has_card else 0), 220),
    )


def _select(item_id: str) -> None:
    st.session_state.explore_selected = item_id


def _card(answer: Answer | None, readings: list[Reading]) -> bool:
    """The selected item's card, if there is one to draw."""
    selected = st.session_state.explore_selected
    if not selected:
        return False
    try:
        item = state.catalogue().item(selected)
    except ItemNotFoundError as error:
        say(error)
        explore_state.clear("explore_selected")
        return False
    ids = [hit.item_id for hit in answer.hits] if answer else []
    at = ids.index(selected) if selected in ids else None
    item_card(item, None if at is None else readings[at], None if at is None else at + 1)
    return True


def _welcome(ask: Ask) -> None:
    try:
        matched, total = count_matching(ask)
    except TerraSeekError as error:
        say(error)
        return
    if not st.session_state.explore_selected:
        st.html(f'<p class="ts-hero">Ask {total:,} pictures of the Earth</p>')
    narrowed = f"<b>{matched:,}</b> of {total:,} match the filter. " if matched != total else ""
    st.html(
        f'<p class="ts-quiet">{narrowed}Write a sentence above, bring a picture of your own, or '
        "click any sample on the map. Draw a box, a shape or a circle on the map to search one "
        "area only.</p>"
    )
    if ask.minus:
        st.info("“But not” needs something to search for as well.", icon=":material/edit:")
    search_bar.show_examples(list(state.catalogue().labels))
