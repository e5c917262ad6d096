"""Downloads of a heat map: the files that `terraseek localize` writes, and the API's JSON."""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from terraseek.localization import HeatMap, map_numbers, write_cog, write_regions
from terraseek.localization.methods.registry import DEFAULT_METHOD

__all__ = ["cog_bytes", "download_buttons", "numbers_bytes", "regions_bytes"]


def download_buttons(heat: HeatMap, threshold: float | None = None) -> None:
    """Draw a download button for each file; see `regions` for the threshold."""
    method = "" if heat.method == DEFAULT_METHOD else f"-{heat.method}"
    stem = f"{Path(heat.scene_name).stem}{method}"
    with st.container(horizontal=True, gap="small"):
        for label, key, make_bytes, suffix, mime in (
            ("Heat map (COG)", "cog", partial(cog_bytes, heat), "heat.tif", "image/tiff"),
            (
                "Regions (GeoJSON)",
                "geojson",
                partial(regions_bytes, heat, threshold),
                "regions.geojson",
                "application/geo+json",
            ),
            (
                "Numbers (JSON)",
                "numbers",
                partial(numbers_bytes, heat, threshold),
                "numbers.json",
                "application/json",
            ),
        ):
            st.download_button(
                label,
                make_bytes,
                file_name=f"{stem}-{suffix}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"localize_{key}",
            )


def cog_bytes(heat: HeatMap) -> bytes:
    """Bytes of the file that `terraseek localize --out` writes."""
    return _file_bytes(lambda path: write_cog(heat, path), "heat.tif")


def regions_bytes(heat: HeatMap, threshold: float | None = None) -> bytes:
    """Bytes of the file that `terraseek localize --regions` writes."""
    return _file_bytes(lambda path: write_regions(heat, path, threshold), "regions.geojson")


def numbers_bytes(heat: HeatMap, threshold: float | None = None) -> bytes:
    """The heat map's entry of `/api/localize` as JSON, regions included."""
    numbers = map_numbers(heat, threshold)
    return json.dumps(numbers, ensure_ascii=False, allow_nan=False, indent=2).encode()


def _file_bytes(write: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
