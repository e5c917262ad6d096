"""Localize: where in this scene is a sentence true?"""

from pathlib import Path

import streamlit as st

from terraseek.errors import EmptyQueryError, TerraSeekError
from terraseek.localization import HeatMap
from terraseek_app import state
from terraseek_app.map import world_map
from terraseek_app.messages import say
from terraseek_app.views import asking, localize_state, scene_map
from terraseek_app.views.heat_panel import heat_panel, token_note
from terraseek_app.views.scene_choice import (
    SceneFacts,
    choose_scene,
    scene_facts,
    scene_file,
    sources,
    upload_drawer,
)
from terraseek_app.views.scene_examples import show_scene_examples

__all__ = ["render"]

MAP_HEIGHT = "max(440px, calc(100vh - 122px))"
"""The map takes what header and question leave of the window."""


def render() -> None:
    """Draw the page."""
    uploaded = st.session_state.pop("localize_uploaded", None)
    if uploaded:
        st.session_state.localize_source = uploaded
        localize_state.forget_answer()
    localize_state.take_over(st.session_state.explore_text.strip())
    asked = _bar()
    source = st.session_state.localize_source
    if not source:
        _welcome()
        return
    path = scene_file(source)
    facts = scene_facts(path, sources()[source])
    if asked or st.session_state.localize_ask:
        st.session_state.localize_ask = False
        _ask(path, source)
    left, right = st.columns([2.05, 1], gap="small")
    with right:
        heat = _panel(facts, source, path)
    with left:
        _map(facts, heat)


def _bar() -> bool:
    scene, upload, form, more = st.columns([2.4, 1.1, 6, 1.2], vertical_alignment="bottom")
    with upload, st.popover("Upload", icon=":material/upload:", width="stretch"):
        upload_drawer()
    with scene:
        choose_scene()
    with more, st.popover("Advanced", icon=":material/tune:", width="stretch"):
        st.text_input(
            "Window sizes in pixels",
            key="localize_scales",
            placeholder="chosen by the method",
            help="Sides of the square windows that are compared with the sentence, e.g. 128, 256. "
            "Other sizes encode the scene anew.",
        )
    with form, st.container(key="localize_form"), st.form("localize_question"):
        return _sentence()


def _sentence() -> bool:
    text, minus, button = st.columns([5, 2.2, 1.2], vertical_alignment="bottom")
    text.text_input(
        "What to look for in the scene",
        key="localize_text",
        placeholder="Where is ... e.g. planes at the terminal; storage tanks",
        icon=":material/my_location:",
        label_visibility="collapsed",
    )
    minus.text_input(
        "But not",
        key="localize_minus",
        placeholder="but not ...",
        icon=":material/do_not_disturb_on:",
        label_visibility="collapsed",
    )
    return bool(button.form_submit_button("Where?", type="primary", width="stretch"))


def _ask(path: Path, source: str) -> None:
    text = (st.session_state.localize_text or "").strip()
    minus = (st.session_state.localize_minus or "").strip()
    try:
        if not text:
            raise EmptyQueryError("The sentence is empty; say what to look for in a few words.")
        scales = asking.parse_scales(st.session_state.localize_scales or "")
        asking.ask(path, source, text, minus, scales)
    except TerraSeekError as error:
        say(error)


def _panel(facts: SceneFacts, source: str, path: Path) -> HeatMap | None:
    """The right column; gives the heat map to draw."""
    st.html(_scene_line(facts))
    running = asking.collect()
    if running is not None:
        asking.watch(running.job_id)
    heat = _kept(st.session_state.localize_heat)
    if heat is not None:
        note = token_note(heat.query)
        if note:
            st.warning(note, icon=":material/content_cut:")
        heat_panel(heat)
    elif running is None:
        st.html(
            '<p class="ts-hero">Where in this scene?</p><p class="ts-quiet">Write what to look '
            "for and press “Where?”. The first question encodes the scene; all further ones are "
            "answered at once.</p>"
        )
        show_scene_examples(path)
    _turns(source)
    return heat


def _scene_line(facts: SceneFacts) -> str:
    parts = [f"<b>{facts.width:,} x {facts.height:,}</b> px"]
    if facts.gsd_m:
        parts.append(f"{facts.gsd_m:.3g} m per pixel")
    parts.append(facts.crs or "no coordinates, shown in its own pixels")
    return f'<span class="ts-quiet">{" · ".join(parts)}</span>'


def _kept(heat_id: str | None) -> HeatMap | None:
    if heat_id is None:
        return None
    try:
        return state.heat(heat_id)
    except TerraSeekError as error:
        say(error)
        st.session_state.localize_heat = None
        return None


def _turns(source: str) -> None:
    """Earlier questions on this scene, one click away."""
    earlier = [
        turn
        for turn in localize_state.turns(source)
        if turn["heat"] != st.session_state.localize_heat
    ]
    if not earlier:
        return
    st.html('<span class="ts-quiet">asked before on this scene</span>')
    with st.container(horizontal=True, gap="small", key="localize_turns_row"):
        for number, turn in enumerate(earlier[:8]):
            words = turn["text"] + (f" (not {turn['minus']})" if turn["minus"] else "")
            st.button(
                words,
                key=f"localize_turn_{number}",
                on_click=_show_turn,
                args=(turn,),
                icon=":material/history:",
            )


def _show_turn(turn: dict[str, str]) -> None:
    st.session_state.localize_heat = turn["heat"]
    st.session_state.localize_text = turn["text"]
    st.session_state.localize_minus = turn["minus"]
    st.session_state.localize_fly = None


def _map(facts: SceneFacts, heat: HeatMap | None) -> None:
    world_map(
        "localize_map",
        overlays=scene_map.overlays(facts, heat, st.session_state.localize_heat),
        view=scene_map.view(facts, heat, st.session_state.localize_fly),
        pixels=None if facts.corners else (facts.width, facts.height),
        peaks=scene_map.peaks(heat),
        regions=scene_map.outlines(heat, st.session_state.localize_heat),
        report=(),  # nothing drawn or clicked here changes the question
        height=MAP_HEIGHT,
    )


def _welcome() -> None:
    st.html(
        '<p class="ts-hero">Where in a scene is a sentence true?</p>'
        '<p class="ts-quiet">Upload a GeoTIFF, PNG or JPEG above, or pick a picture in Explore and '
        "press “Where in this picture?”. An example folder can be given to the server with "
        "<code>terraseek serve --scenes FOLDER</code>.</p>"
    )
