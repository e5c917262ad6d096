"""Localize: where in a scene a sentence is true."""

from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.localization import HeatMap
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS
from terraseek_app.map import MapEvent, world_map
from terraseek_app.messages import page_text, show_error, show_notes
from terraseek_app.navigation import explore_query
from terraseek_app.pages.localize import job, link, scene_map
from terraseek_app.pages.localize import state as localize_state
from terraseek_app.pages.localize.batch.panel import batch_panel
from terraseek_app.pages.localize.form import read_form
from terraseek_app.pages.localize.heat_panel import heat_panel, truncation_note
from terraseek_app.pages.localize.image_query import apply_upload, query_image
from terraseek_app.pages.localize.query_bar import query_bar
from terraseek_app.pages.localize.scene_choice import (
    SceneFacts,
    place_text,
    scene_facts,
    scene_file,
    sources,
)
from terraseek_app.pages.localize.scene_examples import show_scene_examples
from terraseek_app.server import state
from terraseek_app.widgets.page_link import page_link

__all__ = ["render"]

MAP_HEIGHT = "max(440px, calc(100vh - 122px))"
"""CSS height: the window without header and query bar."""
HISTORY_SHOWN = 8
"""Earlier questions shown."""


def render() -> None:
    """Draw the page."""
    show_notes(link.restore())
    uploaded = st.session_state.pop("localize_uploaded", None)
    if uploaded:
        st.session_state.localize_source = uploaded
        localize_state.clear_result()
    apply_upload()
    if not st.session_state.localize_picture:
        localize_state.suggest_text(explore_query())
    submitted = query_bar()
    source = st.session_state.localize_source
    if not source:
        if submitted:
            st.info("Choose or upload a scene first; the question stays.", icon=":material/image:")
        _welcome()
        return
    path = scene_file(source)
    facts = scene_facts(path, sources()[source])
    if submitted or st.session_state.localize_ask:
        st.session_state.localize_ask = False
        _start(path, source)
    left, right = st.columns([2.05, 1], gap="small")
    with right:
        heat = _panel(facts, source, path)
    with left:
        _map(facts, heat)
        batch_panel()
    link.update()


def _start(path: Path, source: str) -> None:
    try:
        job.start(path, source, read_form())
    except TerraSeekError as error:
        show_error(error)


def _panel(facts: SceneFacts, source: str, path: Path) -> HeatMap | None:
    """Draw the right column; returns the heat map to draw on the map."""
    with st.container(horizontal=True, vertical_alignment="center", key="localize_head"):
        st.html(_scene_line(facts, source))
        page_link("localize_link")
    query_image()
    running = job.collect()
    if running is not None:
        job.show_progress(running.job_id)
    heat = _heat_map(st.session_state.localize_heat)
    if heat is not None:
        note = truncation_note(heat.query)
        if note:
            st.warning(page_text(note), icon=":material/content_cut:")
        chosen = st.session_state.localize_threshold
        heat_panel(heat, scene_map.region_threshold(heat, chosen))
    elif running is None:
        st.html(
            '<p class="ts-hero">Where in this scene?</p><p class="ts-quiet">Write what to look '
            "for and press “Where?”. The first question encodes the scene; all further ones are "
            "answered at once.</p>"
        )
        show_scene_examples(path)
    _history(source)
    return heat


def _scene_line(facts: SceneFacts, source: str) -> str:
    parts = [f"<b>{facts.width:,} x {facts.height:,}</b> px"]
    if facts.gsd_m:
        parts.append(f"{facts.gsd_m:.3g} m per pixel")
    parts.append(place_text(facts, source))
    return f'<span class="ts-quiet">{" · ".join(parts)}</span>'


def _heat_map(heat_id: str | None) -> HeatMap | None:
    """The heat map with this id; shows an error if it is no longer kept."""
    if heat_id is None:
        return None
    try:
        return state.heat(heat_id)
    except TerraSeekError as error:
        show_error(error)
        st.session_state.localize_heat = None
        return None


def _history(source: str) -> None:
    """Draw earlier questions on this scene as buttons."""
    earlier = [
        entry
        for entry in localize_state.history(source)
        if entry["heat"] != st.session_state.localize_heat
    ]
    if not earlier:
        return
    st.html('<span class="ts-quiet">asked before on this scene</span>')
    with st.container(horizontal=True, gap="small", key="localize_turns_row"):
        for number, entry in enumerate(earlier[:HISTORY_SHOWN]):
            st.button(
                _history_label(entry),
                key=f"localize_turn_{number}",
                on_click=localize_state.show_from_history,
                args=(entry,),
                icon=":material/history:",
            )


def _history_label(entry: dict[str, Any]) -> str:
    form = entry["form"]
    minus = f" (not {form['minus']})" if form["minus"] else ""
    name = form["method"]
    method = "" if name == DEFAULT_METHOD else f" · {METHODS[name].title}"
    sizes = f" · {', '.join(map(str, form['scales']))} px" if form["scales"] else ""
    return f"{entry['label']}{minus}{method}{sizes}"


def _map(facts: SceneFacts, heat: HeatMap | None) -> None:
    heat_id = st.session_state.localize_heat if heat is not None else None
    threshold = None
    if heat is not None:
        threshold = scene_map.region_threshold(heat, st.session_state.localize_threshold)
    world_map(
        "localize_map",
        overlays=scene_map.map_overlays(facts, heat, heat_id),
        view=scene_map.map_view(facts, heat, st.session_state.localize_fly),
        pixels=None if facts.corners else (facts.width, facts.height),
        peaks=scene_map.peak_markers(heat),
        regions=scene_map.region_outlines(heat_id, threshold),
        threshold=None
        if heat is None or threshold is None
        else scene_map.colour_threshold(heat, threshold),
        report=("threshold",),
        on_event=_on_map_event,
        height=MAP_HEIGHT,
    )


def _on_map_event(event: MapEvent) -> None:
    """Store the threshold that the user set on the map."""
    if event.kind == "threshold":
        st.session_state.localize_threshold = event.threshold
        st.session_state.localize_region = None


def _welcome() -> None:
    st.html(
        '<p class="ts-hero">Where in a scene is a sentence true?</p>'
        '<p class="ts-quiet">Upload a GeoTIFF, PNG or JPEG above, or pick a picture in Explore and '
        "press “Where in this picture?”. An example folder can be given to the server with "
        "<code>terraseek serve --scenes FOLDER</code>.</p>"
    )
