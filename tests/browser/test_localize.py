"""Localize in a real browser: upload, heat map, sliders, downloads; and the README's images."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

KEY = "localize_map"


@pytest.fixture
def localize(page: Any) -> Any:
    page.get_by_role("link", name="Localize").click()
    page.get_by_label("What to look for in the scene").wait_for()
    return page


def ask(page: Any, text: str) -> None:
    box = page.get_by_label("What to look for in the scene")
    box.fill(text)
    box.press("Enter")


def count_messages(page: Any) -> None:
    """Count in `window.__sent` what the browser tells the server from now on."""
    page.evaluate(
        """() => {
            window.__sent = 0;
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (...parts) {
                window.__sent++;
                return send.apply(this, parts);
            };
        }"""
    )


def test_heat_map_covers_the_scene_and_sliders_need_no_rerun(
    localize: Any, map_state: Callable[..., Any], tmp_path: Path
) -> None:
    ask(localize, "red")
    map_state(localize, KEY, "s => s.heatVisible && s.zoom > 8")
    localize.get_by_text("EPSG:32631").wait_for()
    count_messages(localize)
    localize.locator(".ts-opacity").fill("0.2")
    map_state(localize, KEY, "s => Math.abs(s.heatStyle.opacity - 0.2) < 0.01 && s.heatVisible")
    assert localize.evaluate("window.__sent") == 0

    with localize.expect_download() as waiting:
        localize.locator(".st-key-localize_geojson button").click()
    regions = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    assert regions["type"] == "FeatureCollection"
    assert waiting.value.suggested_filename == "field-regions.geojson"


def test_uploaded_image_is_localized_in_pixel_space(
    localize: Any, map_state: Callable[..., Any]
) -> None:
    pixels = np.full((300, 400, 3), (60, 150, 60), np.uint8)
    pixels[30:110, 250:350] = (205, 40, 40)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    localize.get_by_role("button", name="Upload").click()
    localize.locator('input[type="file"]').set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": out.getvalue()}
    )
    localize.get_by_text("no coordinates").wait_for()
    localize.keyboard.press("Escape")
    ask(localize, "red")
    map_state(localize, KEY, "s => s.heatVisible")
    place = localize.locator(".st-key-ts_peak .ts-title").inner_text()
    col, row = (int(word.replace(",", "")) for word in place.replace(", row", "").split()[1:])
    assert 230 <= col <= 370
    assert 10 <= row <= 130


def test_result_of_explore_is_localized(
    browse: Callable[[str], Any], server: str, map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}/?q=red")
    page.locator(".tile .pick").first.click()
    page.locator(".st-key-explore_where button").click()
    map_state(page, KEY, "s => s.heatVisible")
    assert page.get_by_label("What to look for in the scene").input_value() == "red"
    scene = page.locator(".stSelectbox").first
    shown = scene.inner_text() + (scene.locator("input").first.get_attribute("value") or "")
    assert "from Explore" in shown


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("TERRASEEK_SCREENSHOTS") != "1",
    reason="set TERRASEEK_SCREENSHOTS=1 to take the README's pictures from the demo world",
)
def test_take_the_images_of_the_readme(
    start_server: Callable[[list[str]], str],
    browse: Callable[[str], Any],
    map_state: Callable[..., Any],
) -> None:
    """Only ever of the demo world: images of real data must not be published."""
    folder = Path(__file__).resolve().parents[2] / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    server = start_server(["demo"])
    page = browse(f"{server}/?q=a+stadium+with+a+running+track")
    map_state(page, "explore_map", "s => s.hits > 10")
    page.locator(".tile .pick").first.click()
    page.locator(".st-key-explore_card img").wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=folder / "explore.png")
    page.get_by_role("link", name="Localize").click()
    ask(page, "planes parked next to a terminal")
    map_state(page, KEY, "s => s.heatVisible", timeout=300_000)
    page.wait_for_timeout(5000)
    page.screenshot(path=folder / "localize.png")
    assert (folder / "explore.png").stat().st_size > 100_000
    assert (folder / "localize.png").stat().st_size > 100_000
