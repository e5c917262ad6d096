"""The panel beside the map: peak, regions, significance and downloads of a heat map."""

import html
from typing import Any

import pandas as pd
import streamlit as st

from terraseek.localization import HeatMap, Region, regions
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS
from terraseek.significance.words import scene_text
from terraseek_app.messages import page_text
from terraseek_app.pages.localize.downloads import download_buttons
from terraseek_app.server import state
from terraseek_app.widgets.copy_button import copy_button
from terraseek_app.widgets.metadata import coordinates

__all__ = ["heat_panel", "truncation_note"]


def heat_panel(heat: HeatMap, threshold: float) -> None:
    """Draw the panel.

    Args:
        heat: the heat map.
        threshold: lowest cosine of a region, for the table and the downloads.
    """
    _headline(heat)
    _peak(heat)
    _regions(heat, threshold)
    download_buttons(heat, threshold)


def _headline(heat: HeatMap) -> None:
    st.html(f'<p class="ts-title">“{html.escape(heat.question)}”</p>')
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
        st.html(f'<span class="ts-quiet">{text}</span>')
    elif heat.significance == "possible":
        st.info(text, icon=":material/help:")
    else:
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
            _show_on_map(heat, peak.col, peak.row)
        if peak.lon is not None:
            copy_button(f"{peak.lat:.6f}, {peak.lon:.6f}", "Copy", key="localize_copy")


def _show_on_map(heat: HeatMap, col: float, row: float) -> None:
    """Move the map to a square around a pixel, at least one window large."""
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
    st.rerun()


def _regions(heat: HeatMap, threshold: float) -> None:
    """Draw the table of regions; a selected row moves the map."""
    found = regions(heat, threshold)
    if not found:
        st.html('<span class="ts-quiet">No region stands out from its surroundings.</span>')
        return
    table = pd.DataFrame([_table_row(rank, region) for rank, region in enumerate(found, 1)])
    count = f"<b>{len(found)}</b> region{'' if len(found) == 1 else 's'}"
    st.html(f'<span class="ts-quiet">{count} above the threshold {threshold:.3f}</span>')
    event = st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(found) + 1), 250),
        on_select="rerun",
        selection_mode="single-row",
        key="localize_regions",
        column_config={
            "score": st.column_config.ProgressColumn(
                "score", format="%.3f", min_value=float(heat.low), max_value=float(heat.high)
            )
        },
    )
    rows = event.selection.rows if event else []
    if rows and st.session_state.localize_region != rows[0]:
        st.session_state.localize_region = rows[0]
        peak = found[int(rows[0])].peak
        _show_on_map(heat, peak.col, peak.row)


def _table_row(rank: int, region: Region) -> dict[str, Any]:
    peak = region.peak
    where = coordinates(peak.lon, peak.lat, 5) or f"{peak.col:,}, {peak.row:,} px"
    size = f"{region.area_m2:,.0f} m²" if region.area_m2 else f"{region.area_px:,.0f} px²"
    return {"#": rank, "score": float(peak.score), "where": where, "size": size}


def truncation_note(text: str) -> str | None:
    """A warning if `text` has more tokens than the encoder reads; None otherwise."""
    needed, limit = state.encoder().token_count(text)
    if needed <= limit:
        return None
    return (
        f"The model reads the first {limit} tokens of this sentence; it has {needed}, so its end "
        "is ignored. Use a shorter sentence."
    )
