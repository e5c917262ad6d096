"""A PMTiles archive of the operator as the map's basemap."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.browser_pixels import on_screen, screen_pixels
from helpers.pmtiles_file import write_pmtiles

KEY = "explore_map"
WORLD = f"window.__terraseek.{KEY}"
COLOUR = (200, 30, 200)


@pytest.fixture
def archive_server(
    start_server: Callable[[list[str]], str], served_catalogue: Path, tmp_path: Path
) -> str:
    """A server whose archive has one tile of zoom 2: 0 to 90 degrees east, 0 to 66 north."""
    content = io.BytesIO()
    Image.new("RGB", (256, 256), COLOUR).save(content, "PNG")
    path = write_pmtiles(
        tmp_path / "region.pmtiles",
        {(2, 2, 1): content.getvalue()},
        bounds=(0.0, 0.0, 90.0, 66.5),
        attribution="Survey of Nowhere",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASEEK_BASEMAP", str(path))
        return start_server(["serve", str(served_catalogue)])


def test_tiles_of_an_archive_are_drawn_above_the_blue_marble(
    archive_server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(archive_server)
    map_state(page, KEY, "s => s.samples === 36")
    page.evaluate(f"{WORLD}.map.jumpTo({{center: [30, 30], zoom: 2.5}})")
    page.wait_for_function(f"{WORLD}.map.areTilesLoaded() && {WORLD}.map.loaded()")
    assert share_of_colour(page, 62, 38) > 0.6
    assert share_of_colour(page, 12, -14) == 0
    page.locator(".maplibregl-ctrl-attrib", has_text="Survey of Nowhere").wait_for(state="attached")


def share_of_colour(page: Any, lon: float, lat: float) -> float:
    """Share of the archive's colour on the screen around a place."""
    x, y = on_screen(page, KEY, lon, lat)
    pixels = screen_pixels(page, {"x": x - 10, "y": y - 10, "width": 20, "height": 20})
    return float((np.abs(pixels - COLOUR).max(axis=2) <= 4).mean())
