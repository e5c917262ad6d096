"""The panel of the truth: measures of the heat map, import and export of `anno.json`."""

import html
from collections.abc import Sequence

import streamlit as st

from terraseek.display import shortened
from terraseek.errors import TerraSeekError
from terraseek.localization import HeatMap
from terraseek_app.messages import show_error
from terraseek_app.pages.localize.truth import outlines

__all__ = ["truth_panel"]

_MEASURES = {
    "Rsu": "share of the map's values inside the truth; higher is better",
    "Ras": "distance of the peaks from the truth's centres; lower is better",
    "Rda": "one peak in each region rather than several; higher is better",
    "Rmi": "0.40 Rsu + 0.35 (1 - Ras) + 0.25 Rda; higher is better",
}


def truth_panel(heat_ids: Sequence[str], heats: Sequence[HeatMap], source: str) -> None:
    """Draw the panel.

    Args:
        heat_ids: ids of the heat maps shown.
        heats: the heat maps.
        source: the scene, as in the session key `localize_source`.
    """
    with st.expander("Truth", icon=":material/edit_location_alt:", key="localize_truth_panel"):
        index = 0
        if len(heats) > 1:
            index = st.selectbox(
                "Truth of",
                range(len(heats)),
                format_func=lambda one: shortened(heats[one].query),
                key="localize_truth_of",
            )
        sentence = heats[index].query
        rings = outlines.of_sentence(source, sentence)
        if rings:
            _measures(heat_ids[index], rings)
            _files(source, heats[index].scene_name, sentence)
        else:
            st.caption(
                "Outline on the map where the sentence is true (“Draw truth”), or import an "
                "anno.json: SeLo's measures then stand here."
            )
        _import(source, heats)


def _measures(heat_id: str, rings: outlines.Rings) -> None:
    try:
        found = outlines.measures(heat_id, rings).as_dict
    except TerraSeekError as error:
        show_error(error)
        return
    cells = "".join(
        f'<div title="{html.escape(_MEASURES[name])}"><span class="ts-quiet">{name}</span>'
        f"<b>{value:.3f}</b></div>"
        for name, value in found.items()
    )
    count = f"{len(rings)} region{'' if len(rings) == 1 else 's'}"
    st.html(f'<div class="ts-measures">{cells}</div><span class="ts-quiet">{count}</span>')


def _files(source: str, scene_name: str, sentence: str) -> None:
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "anno.json",
            lambda: outlines.annotations_bytes(source, scene_name),
            file_name="anno.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key="localize_truth_export",
        )
        st.button(
            "Remove",
            icon=":material/delete:",
            key="localize_truth_clear",
            on_click=outlines.set_outlines,
            args=(source, sentence, ()),
        )


def _import(source: str, heats: Sequence[HeatMap]) -> None:
    number = st.session_state.setdefault("localize_truth_generation", 0)
    upload = st.file_uploader("Import anno.json", type=["json"], key=f"localize_anno_{number}")
    if upload is None:
        return
    try:
        taken = outlines.import_annotations(upload.getvalue(), source, heats)
    except TerraSeekError as error:
        show_error(error)
        return
    st.session_state.localize_truth_generation = number + 1
    if not any(heat.query in taken for heat in heats):
        # what the file is about is asked, so that its measures can be seen
        st.session_state.localize_truth_ask = "; ".join(dict.fromkeys(taken[:8]))
    st.rerun()
