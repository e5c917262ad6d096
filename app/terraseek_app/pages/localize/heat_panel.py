"""The answer beside the map: the peak, the regions, what to beware of, files to take home."""

import html
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from terraseek.localization import (
    HeatMap,
    Region,
    map_numbers,
    regions,
    write_cog,
    write_regions,
)
from terraseek_app.server import state
from terraseek_app.widgets.copy_button import copy_button
from terraseek_app.widgets.facts import coordinates
from terraseek_app.widgets.score_text import SELDOM, beaten

__all__ = ["cog_bytes", "heat_panel", "numbers_bytes", "regions_bytes", "token_note"]


_METHODS = {
    "terraseek": "",
    "dense": "method dense · ",
    "selo-v1": "method selo-v1, as published · ",
    "selo-v2": "method selo-v2, as published · ",
}
"""How the line below the headline begins."""


def heat_panel(heat: HeatMap) -> None:
    """Draw everything there is to say about a heat map."""
    _headline(heat)
    _peak(heat)
    _regions(heat)
    _downloads(heat)


def _headline(heat: HeatMap) -> None:
    st.html(f'<p class="ts-title">“{html.escape(heat.query)}”</p>')
    encoded = "from the cache" if heat.stored else f"encoded in {heat.encode_s:.1f} s"
    st.html(
        f'<span class="ts-quiet">{_METHODS[heat.method]}<b>{heat.windows:,}</b> windows {encoded}, '
        "answered in "
        f"<b>{heat.query_s * 1000:.0f} ms</b></span>"
    )
    _verdict(heat)
    for warning in heat.warnings:
        st.info(warning, icon=":material/info:")


def _verdict(heat: HeatMap) -> None:
    """Doubt, in two degrees; a convincing map needs no words, an uncalibrated one gets none."""
    if heat.convincing is not False:
        return
    share = heat.confidence or 0
    if share >= SELDOM:
        st.info(
            f"Not certain: the best place beats {beaten(share)} of unrelated pairs of picture and "
            f"sentence, but among {heat.windows:,} windows one that good can be chance.",
            icon=":material/help:",
        )
    else:
        st.warning(
            "Nothing convincing: the best place is no better than what the model says of any "
            "picture. It is shown all the same.",
            icon=":material/help:",
        )


def _peak(heat: HeatMap) -> None:
    peak = heat.peak
    where = coordinates(peak.lon, peak.lat, 5) or f"column {peak.col:,}, row {peak.row:,}"
    share = heat.confidence
    beats = "" if share is None else f", beats {beaten(share)} of the background"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="ts_peak"):
        st.html(
            f'<span class="ts-quiet">best place</span><p class="ts-title">{where}</p>'
            f'<span class="ts-quiet">similarity {peak.score:.3f}{beats}</span>'
        )
        if st.button("Fly to", icon=":material/flight:", key="localize_fly_peak"):
            _fly(heat, peak.col, peak.row, heat.window_px or 0)
        if peak.lon is not None:
            copy_button(f"{peak.lat:.6f}, {peak.lon:.6f}", "Copy", key="localize_copy")


def _fly(heat: HeatMap, col: float, row: float, side: float) -> None:
    """Ask the map to show a square around a pixel; a number makes the same wish new again."""
    half = max(side, min(heat.width, heat.height) / 12)
    box = (
        max(0.0, col - half),
        max(0.0, row - half),
        min(float(heat.width), col + half),
        min(float(heat.height), row + half),
    )
    turn = (st.session_state.localize_fly or {}).get("turn", 0) + 1
    st.session_state.localize_fly = {"pixels": box, "turn": turn}
    st.rerun()


def _regions(heat: HeatMap) -> None:
    found = regions(heat)
    if not found:
        st.html('<span class="ts-quiet">No region stands out from its surroundings.</span>')
        return
    table = pd.DataFrame([_row(rank, region) for rank, region in enumerate(found, 1)])
    st.html(f'<span class="ts-quiet">{_count_words(len(found))} above the threshold</span>')
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
        _fly(heat, peak.col, peak.row, heat.window_px or 0)


def _count_words(count: int) -> str:
    return f"<b>{count}</b> region{'' if count == 1 else 's'}"


def _row(rank: int, region: Region) -> dict[str, Any]:
    peak = region.peak
    where = coordinates(peak.lon, peak.lat, 5) or f"{peak.col:,}, {peak.row:,} px"
    size = f"{region.area_m2:,.0f} m²" if region.area_m2 else f"{region.area_px:,.0f} px²"
    return {"#": rank, "score": float(peak.score), "where": where, "size": size}


def _downloads(heat: HeatMap) -> None:
    how = "" if heat.method == "terraseek" else f"-{heat.method}"
    stem = f"{Path(heat.name).stem}{how}"
    with st.container(horizontal=True, gap="small"):
        for label, kind, made, ending, mime in (
            ("Heat map (COG)", "cog", cog_bytes, "heat.tif", "image/tiff"),
            (
                "Regions (GeoJSON)",
                "geojson",
                regions_bytes,
                "regions.geojson",
                "application/geo+json",
            ),
            ("Numbers (JSON)", "numbers", numbers_bytes, "numbers.json", "application/json"),
        ):
            st.download_button(
                label,
                partial(made, heat),
                file_name=f"{stem}-{ending}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"localize_{kind}",
            )


def cog_bytes(heat: HeatMap) -> bytes:
    """The file `terraseek localize --out` writes."""
    return _written(lambda path: write_cog(heat, path), "heat.tif")


def regions_bytes(heat: HeatMap) -> bytes:
    """The file `terraseek localize --regions` writes."""
    return _written(lambda path: write_regions(heat, path), "regions.geojson")


def numbers_bytes(heat: HeatMap) -> bytes:
    """What `/api/localize` says of the map, its regions included."""
    found = map_numbers(heat)
    return json.dumps(found, ensure_ascii=False, allow_nan=False, indent=2).encode()


def _written(write: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def token_note(text: str) -> str | None:
    """A sentence on what the encoder does not read of `text`; None when it reads all."""
    needed, limit = state.encoder().token_count(text)
    if needed <= limit:
        return None
    return (
        f"The model reads the first {limit} tokens of this sentence; it has {needed}, so its end "
        "plays no part. Say it shorter."
    )
