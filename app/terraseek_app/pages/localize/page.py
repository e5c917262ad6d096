"""Localize: where in this scene is a sentence true?"""

from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.localization import HeatMap
from terraseek_app.map import world_map
from terraseek_app.messages import say
from terraseek_app.pages.localize import question as localize_question
from terraseek_app.pages.localize import run as asking
from terraseek_app.pages.localize import scene_map
from terraseek_app.pages.localize import state as localize_state
from terraseek_app.pages.localize.heat_panel import heat_panel, token_note
from terraseek_app.pages.localize.image_query import (
    forget_image,
    image_drawer,
    image_line,
    take_image,
)
from terraseek_app.pages.localize.question import METHOD_WORDS
from terraseek_app.pages.localize.scene_choice import (
    SceneFacts,
    choose_scene,
    scene_facts,
    scene_file,
    sources,
    upload_drawer,
)
from terraseek_app.pages.localize.scene_examples import show_scene_examples
from terraseek_app.server import state

__all__ = ["render"]

MAP_HEIGHT = "max(440px, calc(100vh - 122px))"
"""The map takes what header and question leave of the window."""
_METHOD_CAPTIONS = {
    "terraseek": "single windows, drawn between their centres; judged against chance",
    "dense": "many more windows out of one pass per size: finer and quicker",
    "selo-v1": "the first published way: large windows, their mean, median of 251 px",
    "selo-v2": "the second: two stages, shuffled words, Gaussian of 255 px",
}
"""One line on each method."""


def render() -> None:
    """Draw the page."""
    uploaded = st.session_state.pop("localize_uploaded", None)
    if uploaded:
        st.session_state.localize_source = uploaded
        localize_state.forget_answer()
    take_image()
    if not st.session_state.localize_image:
        localize_state.take_over(st.session_state.explore_text.strip())
    asked = _bar()
    source = st.session_state.localize_source
    if not source:
        if asked:
            st.info("Choose or upload a scene first; the question stays.", icon=":material/image:")
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
    with st.container(key="localize_bar"):
        scene, upload, form, image, more = st.columns(
            [2.3, 1.1, 5.6, 1.1, 1.25], vertical_alignment="bottom"
        )
    with upload, st.popover("Upload", icon=":material/upload:", width="stretch"):
        upload_drawer()
    with scene:
        choose_scene()
    with image, st.popover("Picture", icon=":material/image_search:", width="stretch"):
        image_drawer()
    with more, st.popover(_method_label(), icon=":material/tune:", width="stretch"):
        _method_drawer()
    with form, st.container(key="localize_form"), st.form("localize_question"):
        return _sentence()


def _method_label() -> str:
    chosen = st.session_state.localize_method
    return "Advanced" if chosen == "terraseek" else METHOD_WORDS[chosen]


def _method_drawer() -> None:
    methods = localize_question.methods_for(state.settings().model, state.encoder_if_loaded())
    if st.session_state.localize_method not in methods:
        st.session_state.localize_method = methods[0]
    st.radio(
        "Method",
        methods,
        key="localize_method",
        format_func=METHOD_WORDS.__getitem__,
        captions=[_METHOD_CAPTIONS[method] for method in methods],
    )
    st.text_input(
        "Window sizes in pixels",
        key="localize_scales",
        placeholder="chosen by the method",
        help="Sides of the square windows that are compared with the question, e.g. 128, 256.",
    )
    st.caption("Another method or other sizes encode the scene anew, with the next question.")


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
    return bool(
        button.form_submit_button("Where?", type="primary", width="stretch", on_click=_asked)
    )


def _asked() -> None:
    # a new sentence is asked by itself; the image asked for before is done with
    if st.session_state.localize_text.strip():
        forget_image()


def _ask(path: Path, source: str) -> None:
    try:
        asking.ask(path, source, localize_question.read())
    except TerraSeekError as error:
        say(error)


def _panel(facts: SceneFacts, source: str, path: Path) -> HeatMap | None:
    """The right column; gives the heat map to draw."""
    st.html(_scene_line(facts))
    image_line()
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
            st.button(
                _turn_words(turn),
                key=f"localize_turn_{number}",
                on_click=localize_state.show_turn,
                args=(turn,),
                icon=":material/history:",
            )


def _turn_words(turn: dict[str, Any]) -> str:
    question = turn["question"]
    minus = f" (not {question['minus']})" if question["minus"] else ""
    method = question["method"]
    how = "" if method == "terraseek" else f" · {METHOD_WORDS[method]}"
    sizes = f" · {', '.join(map(str, question['scales']))} px" if question["scales"] else ""
    return f"{turn['words']}{minus}{how}{sizes}"


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
