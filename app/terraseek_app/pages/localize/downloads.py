"""Downloads of a heat map: the files that `terraseek localize` and the HTTP API write."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.localization import (
    HEAT_FILES,
    Comparison,
    HeatMap,
    write_bundle,
    write_heat_file,
)
from terraseek.localization.methods.registry import DEFAULT_METHOD
from terraseek.localization.output.winner_map import write_winner, write_winner_style

__all__ = ["bundle_bytes", "download_buttons", "file_bytes", "winner_buttons"]

_SHOWN = ("heat.tif", "regions.geojson", "numbers.json")
"""Files with a button of their own; the others are under "More files"."""


def download_buttons(heat: HeatMap, threshold: float | None = None, stretch: bool = False) -> None:
    """Draw a download button for each file.

    Args:
        heat: the heat map.
        threshold: see `regions`.
        stretch: see `HeatMap.colour_scale`.
    """
    with st.container(horizontal=True, gap="small"):
        for name in _SHOWN:
            _button(heat, name, threshold, stretch)
        with st.popover("More files", icon=":material/folder_zip:"):
            for name in HEAT_FILES:
                if name not in _SHOWN:
                    _button(heat, name, threshold, stretch)
            source = st.session_state.localize_source or ""
            st.download_button(
                "Everything (ZIP)",
                partial(bundle_bytes, heat, threshold, source, stretch),
                file_name=f"{_stem(heat)}.zip",
                mime="application/zip",
                icon=":material/folder_zip:",
                on_click="ignore",
                key="localize_zip",
            )


def winner_buttons(found: Comparison) -> None:
    """Draw the download of the map of the best sentence, and of its style."""
    kinds = (
        ("Best sentence (COG)", "winner.tif", "image/tiff", write_winner),
        ("Its style (QGIS)", "winner.qml", "application/xml", write_winner_style),
    )
    with st.container(horizontal=True, gap="small"):
        for title, name, media_type, write in kinds:
            st.download_button(
                title,
                partial(_winner_bytes, found, name, write),
                file_name=f"{_stem(found.heats[0])}-{name}",
                mime=media_type,
                icon=":material/download:",
                on_click="ignore",
                key=f"localize_{name.replace('.', '_')}",
            )


def _winner_bytes(found: Comparison, name: str, write: Callable[[Comparison, Path], Path]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(found, Path(folder) / name).read_bytes()


def _button(heat: HeatMap, name: str, threshold: float | None, stretch: bool) -> None:
    kind = HEAT_FILES[name]
    st.download_button(
        kind.title,
        partial(file_bytes, heat, name, threshold, stretch),
        file_name=f"{_stem(heat)}-{name}",
        mime=kind.media_type,
        icon=":material/download:",
        on_click="ignore",
        key=f"localize_{name.rpartition('.')[2]}",
    )


def _stem(heat: HeatMap) -> str:
    method = "" if heat.method == DEFAULT_METHOD else f"-{heat.method}"
    return f"{Path(heat.scene_name).stem}{method}"


def file_bytes(
    heat: HeatMap, name: str, threshold: float | None = None, stretch: bool = False
) -> bytes:
    """Bytes of one of `HEAT_FILES`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_heat_file(name, heat, path, threshold, stretch=stretch)
        return path.read_bytes()


def bundle_bytes(
    heat: HeatMap, threshold: float | None = None, source: str = "", stretch: bool = False
) -> bytes:
    """Bytes of the ZIP of all files; `source` is the scene as in `localize_source`."""
    with tempfile.TemporaryDirectory() as folder:
        return write_bundle(
            heat, Path(folder) / "all.zip", threshold, scene_param=source, stretch=stretch
        ).read_bytes()
