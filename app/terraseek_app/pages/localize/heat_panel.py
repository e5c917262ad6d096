"""The panel beside the map: peak, regions, significance and downloads of a heat map."""

import html
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.display import shortened
from terraseek.localization import Comparison, HeatMap
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS
from terraseek.localization.output.outlines import area_text
from terraseek.significance.words import scene_text
from terraseek_app.messages import page_text
from terraseek_app.pages.localize.downloads import download_buttons, winner_buttons
from terraseek_app.pages.localize.regions.comparison import colour_of, compared, table_rows
from terraseek_app.pages.localize.regions.crop import region_card
from terraseek_app.pages.localize.regions.table import region_table
from terraseek_app.server import state
from terraseek_app.widgets.copy_button import copy_button
from terraseek_app.widgets.level_tag import level_tag
from terraseek_app.widgets.metadata import coordinates

__all__ = ["heat_panel", "truncation_note"]


def heat_panel(heat_ids: Sequence[str], chosen: float | None, path: Path) -> None:
    """Draw the panel.

    Args:
        heat_ids: ids of the heat maps shown.
        chosen: position of the threshold, see `regions.comparison.thresholds`.
        path: file of the scene.
    """
    found = compared(tuple(heat_ids), chosen)
    if len(found.heats) == 1:
        _headline(found.heats[0])
        _peak(found.heats[0])
    else:
        _sentences(found)
    _regions(found, path)
    index = 0
    if len(found.heats) > 1:
        winner_buttons(found)
        index = _choose_files(found)
    download_buttons(found.heats[index], found.thresholds[index], st.session_state.localize_stretch)


def _sentences(found: Comparison) -> None:
    """Draw the sentences with their colours, levels, and the area that each of them wins."""
    heat = found.heats[0]
    encoded = "from the cache" if heat.from_cache else f"encoded in {heat.encode_s:.1f} s"
    st.html(
        f'<p class="ts-title">{len(found.heats)} sentences</p><span class="ts-quiet">'
        f"{_method_text(heat.method)}<b>{heat.n_windows:,}</b> windows {encoded}</span>"
    )
    lines = [_sentence_line(found, index) for index in range(len(found.heats))]
    rest = 1 - sum(found.shares)
    lines.append(
        '<span class="ts-swatch"></span><span class="ts-clamp">none of them</span>'
        f'<span class="ts-quiet">{rest:.0%} of the scene</span>'
    )
    rows = "".join(f'<div class="ts-sentence-row">{line}</div>' for line in lines)
    st.html(f'<div class="ts-sentence-list">{rows}</div>')
    for warning in dict.fromkeys(warning for heat in found.heats for warning in heat.warnings):
        st.info(page_text(warning), icon=":material/info:")


def _sentence_line(found: Comparison, index: int) -> str:
    heat, won_m2 = found.heats[index], found.areas_m2[index]
    level = "" if heat.significance is None else level_tag(heat.significance)
    area = "" if won_m2 is None else f" · {area_text(won_m2)}"
    won = f"best on {found.shares[index]:.1%}{area}" if found.shares[index] else "best nowhere"
    text = html.escape(heat.question)
    colour = colour_of(index, len(found.heats))
    return (
        f'<span class="ts-swatch" style="background:{colour}"></span>'
        f'<span class="ts-clamp" title="{text}">{text}</span>'
        f'<span class="ts-quiet">{level}{won}</span>'
    )


def _choose_files(found: Comparison) -> int:
    """Draw the choice of the sentence whose files are offered; returns its index."""
    names = [shortened(heat.question) for heat in found.heats]
    chosen = st.selectbox(
        "Files of", range(len(names)), format_func=lambda index: names[index], key="localize_files"
    )
    return int(chosen or 0)


def _headline(heat: HeatMap) -> None:
    question = html.escape(heat.question)
    st.html(f'<p class="ts-title ts-clamp" title="{question}">“{question}”</p>')
    encoded = "from the cache" if heat.from_cache else f"encoded in {heat.encode_s:.1f} s"
    st.html(
        f'<span class="ts-quiet">{_method_text(heat.method)}<b>{heat.n_windows:,}</b> windows '
        f"{encoded}, answered in "
        f"<b>{heat.query_s * 1000:.0f} ms</b></span>"
    )
    _significance_note(heat)
    for warning in heat.warnings:
        st.info(page_text(warning), icon=":material/info:")


def _method_text(name: str) -> str:
    """Start of the line below the headline; empty for the default method."""
    if name == DEFAULT_METHOD:
        return ""
    published = ", as published" if METHODS[name].published else ""
    return f"method {name}{published} · "


def _significance_note(heat: HeatMap) -> None:
    """State the level of the map; nothing where it is unknown."""
    if heat.significance is None:
        return
    text = scene_text(heat.significance, heat.probability)
    if heat.significance == "likely":
        st.html(f'{level_tag("likely")}<span class="ts-quiet">{text}</span>')
    elif heat.significance == "possible":
        st.html(level_tag("possible"))
        st.info(text, icon=":material/help:")
    else:
        st.html(level_tag("none"))
        st.warning(text, icon=":material/help:")


def _peak(heat: HeatMap) -> None:
    peak = heat.peak
    where = coordinates(peak.lon, peak.lat, 5) or f"column {peak.col:,}, row {peak.row:,}"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="ts_peak"):
        st.html(
            f'<span class="ts-quiet">best place</span><p class="ts-title">{where}</p>'
            f'<span class="ts-quiet">similarity {peak.score:.3f}</span>'
        )
        if st.button("Fly to", icon=":material/flight:", key="localize_fly_peak"):
            _fly_to(heat, peak.col, peak.row)
            st.rerun()
        if peak.lon is not None:
            copy_button(f"{peak.lat:.6f}, {peak.lon:.6f}", "Copy", key="localize_copy")


def _fly_to(heat: HeatMap, col: float, row: float) -> None:
    """Let the map move to a square around a pixel, at least one window large."""
    half = max(heat.window_px or 0, min(heat.width, heat.height) / 12)
    box = (
        max(0.0, col - half),
        max(0.0, row - half),
        min(float(heat.width), col + half),
        min(float(heat.height), row + half),
    )
    # the map follows a view when it changes; the counter makes the same place a new view
    turn = (st.session_state.localize_fly or {}).get("turn", 0) + 1
    st.session_state.localize_fly = {"pixels": box, "turn": turn}


def _regions(found: Comparison, path: Path) -> None:
    """Draw the table of regions, and the region that was chosen in it or on the map."""
    threshold = found.thresholds[0]
    if not found.rows:
        st.html('<span class="ts-quiet">No region stands out from its surroundings.</span>')
        return
    chosen = st.session_state.localize_region
    if len(found.heats) == 1:
        count = f"<b>{len(found.rows)}</b> region{'' if len(found.rows) == 1 else 's'}"
        st.html(f'<span class="ts-quiet">{count} above the threshold {threshold:.3f}</span>')
    for row in found.rows:
        is_chosen = chosen is not None and [row.sentence, row.rank] == list(chosen)
        heat = found.heats[row.sentence]
        if is_chosen and region_card(heat, row.region, row.rank, path):
            st.session_state.localize_region = None
            st.rerun()
    region_table(
        "localize_regions",
        table_rows(found),
        map_key="localize_map",
        selected=None if chosen is None else (chosen[0], chosen[1]),
        on_choose=partial(_choose_region, found),
    )


def _choose_region(found: Comparison, sentence: int, rank: int) -> None:
    st.session_state.localize_region = [sentence, rank]
    for row in found.rows:
        if (row.sentence, row.rank) == (sentence, rank):
            peak = row.region.peak
            _fly_to(found.heats[sentence], peak.col, peak.row)


def truncation_note(text: str) -> str | None:
    """A warning if `text` has more tokens than the encoder reads; None otherwise."""
    needed, limit = state.encoder().token_count(text)
    if needed <= limit:
        return None
    return (
        f"The model reads the first {limit} tokens of this sentence; it has {needed}, so its end "
        "is ignored. Use a shorter sentence."
    )
