"""Localize: where in a scene a sentence is true."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.display import shortened
from terraseek.errors import SceneError, TerraSeekError
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
from terraseek_app.pages.localize.image_query import apply_upload, clear_image, query_image
from terraseek_app.pages.localize.query_bar import query_bar
from terraseek_app.pages.localize.regions.comparison import (
    colour_threshold,
    compared,
    outlines,
    region_at,
    thresholds,
)
from terraseek_app.pages.localize.regions.sides import choose_sides
from terraseek_app.pages.localize.scene_choice import (
    SceneFacts,
    place_text,
    scene_facts,
    scene_file,
    sources,
)
from terraseek_app.pages.localize.scene_examples import show_scene_examples
from terraseek_app.pages.localize.truth import outlines as outlines_of_truth
from terraseek_app.pages.localize.truth.panel import truth_panel
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
    if st.session_state.localize_truth_ask:
        clear_image()
        text = st.session_state.localize_truth_ask
        st.session_state.update(localize_text=text, localize_ask=True, localize_truth_ask="")
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
        heat_ids = _panel(facts, source, path)
    with left:
        _map(facts, heat_ids)
        batch_panel()
    if st.session_state.localize_unseen:
        _prepare_panel(heat_ids)
    link.update()


def _prepare_panel(heat_ids: list[str]) -> None:
    """Find the regions while the browser loads the heat of a new answer, then draw the panel."""
    outlines(tuple(heat_ids), st.session_state.localize_threshold)  # kept for the next run
    st.session_state.localize_unseen = False
    st.rerun()


def _start(path: Path, source: str) -> None:
    try:
        job.start(path, source, read_form())
    except TerraSeekError as error:
        show_error(error)


def _panel(facts: SceneFacts, source: str, path: Path) -> list[str]:
    """Draw the right column; returns the ids of the heat maps to draw on the map."""
    with st.container(horizontal=True, vertical_alignment="center", key="localize_head"):
        st.html(_scene_line(facts, source))
        page_link("localize_link")
    query_image()
    running = job.collect()
    if running is not None:
        job.show_progress(running.job_id)
    session = st.session_state
    coarse = _kept(session.localize_partial) if running is not None else []
    if coarse:
        return coarse
    if session.localize_heat not in session.localize_heats:  # set by another page
        session.localize_heats = [session.localize_heat] if session.localize_heat else []
    heat_ids = _kept(session.localize_heats)
    if not heat_ids and session.localize_heats:
        show_error(SceneError("the heat map is no longer kept; ask the question again"))
        session.update(localize_heat=None, localize_heats=[])
    session.localize_unseen = bool(session.localize_unseen and heat_ids)
    if heat_ids:
        for heat_id in heat_ids:
            note = truncation_note(state.heat(heat_id).query)
            if note:
                st.warning(page_text(note), icon=":material/content_cut:")
        heat_ids = choose_sides(heat_ids)
        if session.localize_unseen:
            return heat_ids  # the map first, see `_prepare_panel`
        heat_panel(heat_ids, session.localize_threshold, path)
        truth_panel(heat_ids, [state.heat(heat_id) for heat_id in heat_ids], source)
    elif running is None:
        st.html(
            '<p class="ts-hero">Where in this scene?</p><p class="ts-quiet">Write what to look '
            "for and press “Where?”; “Several” takes one sentence per line. The first question "
            "encodes the scene; all further ones are answered at once.</p>"
        )
        show_scene_examples(path)
    _history(source)
    return heat_ids


def _scene_line(facts: SceneFacts, source: str) -> str:
    parts = [f"<b>{facts.width:,} x {facts.height:,}</b> px"]
    if facts.gsd_m:
        parts.append(f"{facts.gsd_m:.3g} m per pixel")
    parts.append(place_text(facts, source))
    return f'<span class="ts-quiet">{" · ".join(parts)}</span>'


def _kept(heat_ids: list[str]) -> list[str]:
    """The heat maps if all of them are still kept, else none."""
    try:
        for heat_id in heat_ids:
            state.heat(heat_id)
    except SceneError:
        return []
    return list(heat_ids)


def _history(source: str) -> None:
    """Draw earlier questions on this scene as buttons."""
    earlier = [
        entry
        for entry in localize_state.history(source)
        if entry["heats"] != st.session_state.localize_heats
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
    return f"{shortened(entry['label'])}{minus}{method}{sizes}"


def _map(facts: SceneFacts, heat_ids: list[str]) -> None:
    session = st.session_state
    heats = [state.heat(heat_id) for heat_id in heat_ids]
    ids, chosen = tuple(heat_ids), session.localize_threshold
    world_map(
        "localize_map",
        overlays=scene_map.map_overlays(facts, heats, heat_ids),
        view=scene_map.map_view(facts, heats[0] if heats else None, session.localize_fly),
        pixels=None if facts.corners else (facts.width, facts.height),
        peaks=scene_map.peak_markers(heats),
        regions=outlines(ids, chosen) if heats and not session.localize_unseen else None,
        threshold=colour_threshold(heats[0], thresholds(heats, chosen)[0]) if heats else None,
        truth=_drawn_truth(heats),
        stretch=session.localize_stretch,
        report=("threshold", "stretch", "region", "truth") if heats else (),
        on_event=partial(_on_map_event, ids),
        height=MAP_HEIGHT,
    )


def _truth_of(count: int) -> int:
    """Index of the heat map whose truth is drawn."""
    return min(int(st.session_state.localize_truth_of or 0), count - 1)


def _drawn_truth(heats: list[HeatMap]) -> outlines_of_truth.Rings:
    if not heats:
        return ()
    heat = heats[_truth_of(len(heats))]
    rings = outlines_of_truth.of_sentence(st.session_state.localize_source, heat.query)
    return outlines_of_truth.to_map(rings, heat.georef)


def _on_map_event(heat_ids: tuple[str, ...], event: MapEvent) -> None:
    """Store the threshold or scale that the user set on the map, or the region clicked."""
    session = st.session_state
    if event.kind == "threshold":
        session.localize_threshold = event.threshold
        session.localize_region = None
    elif event.kind == "stretch":
        session.localize_stretch = bool(event.stretch)
    elif event.kind == "truth" and event.truth is not None and heat_ids:
        heat = state.heat(heat_ids[_truth_of(len(heat_ids))])
        rings = outlines_of_truth.from_map(event.truth, heat.georef)
        outlines_of_truth.set_outlines(session.localize_source, heat.query, rings)
    elif event.kind == "region" and event.click is not None and heat_ids:
        try:
            found = compared(heat_ids, session.localize_threshold)
        except SceneError:
            return  # the page says that it is no longer kept
        georef = found.heats[0].georef
        pixel = georef.lonlat_to_pixel(*event.click) if georef.located else event.click
        region = None if pixel is None else region_at(found, *pixel)
        session.localize_region = None if region is None else list(region)


def _welcome() -> None:
    st.html(
        '<p class="ts-hero">Where in a scene is a sentence true?</p>'
        '<p class="ts-quiet">Upload a GeoTIFF, PNG or JPEG above, or pick a picture in Explore and '
        "press “Where in this picture?”. An example folder can be given to the server with "
        "<code>terraseek serve --scenes FOLDER</code>.</p>"
    )
