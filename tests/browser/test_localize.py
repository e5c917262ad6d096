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

from helpers.browser_pixels import on_screen, screen_pixels
from terraseek.encoders.fake import FakeEncoder
from terraseek.localization import localize as find
from terraseek.localization.annotations import measure_map
from terraseek.scenes import Scene

KEY = "localize_map"
FOCUSED = "key => Boolean(document.activeElement?.closest(`.st-key-${key}`))"
"""JavaScript: whether the focus is in a container of the page."""


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


def test_one_threshold_for_colours_outlines_table_and_files(
    localize: Any, map_state: Callable[..., Any]
) -> None:
    ask(localize, "red")
    map_state(localize, KEY, "s => s.heatVisible && s.zoom > 8")
    shares = []
    for setting in (None, "0.9"):
        if setting:
            localize.locator(".ts-threshold").fill(setting)
        shown = localize.evaluate(f"window.__terraseek.{KEY}.overlays.style.threshold")
        low, high = (float(localize.locator(".ts-legend-ends span").nth(n).inner_text())
                     for n in (0, 1))  # fmt: skip
        threshold = low + shown * (high - low)
        text = localize.get_by_text("above the threshold")
        localize.wait_for_function(
            "value => Math.abs(Number(document.body.innerText.match("
            "/above the threshold ([0-9.]+)/)?.[1]) - value) < 0.002",
            arg=threshold,
        )
        with localize.expect_download() as waiting:
            localize.locator(".st-key-localize_geojson button").click()
        regions = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
        given = float(regions["request"][0]["parameters"]["threshold"])
        assert given == pytest.approx(threshold, abs=0.002)
        assert text.inner_text().startswith(str(len(regions["features"])))
        drawn = localize.evaluate(
            """key => {
                const world = window.__terraseek[key];
                const heat = world.heats()[0];
                const { width, height } = heat.canvas;
                const { data } = heat.context.getImageData(0, 0, width, height);
                let opaque = 0, valid = 0;
                for (let i = 0; i < heat.values.length; i++) {
                    opaque += data[4 * i + 3] > 0;
                    valid += heat.opacities[i] >= 128;
                }
                const outlines = JSON.parse(world.regions.shown)[0].features;
                return { share: opaque / valid, outlines };
            }""",
            KEY,
        )
        assert drawn["outlines"] == regions["features"]
        share = sum(f["properties"]["area_px"] for f in regions["features"]) / 1024**2
        assert drawn["share"] == pytest.approx(share, rel=0.15)
        shares.append(share)
    assert shares[1] < 0.8 * shares[0]


def test_several_sentences_are_layers_that_follow_the_threshold_without_the_server(
    localize: Any, map_state: Callable[..., Any]
) -> None:
    ask(localize, "blue")  # encodes the scene, so that no coarse maps come before the next answer
    localize.get_by_text("“blue”").wait_for()
    ask(localize, "red; green")
    localize.get_by_text("2 sentences").wait_for()
    localize.wait_for_function(
        f"(heats => heats.map((heat) => heat.overlay.label).join() === 'red,green' && "
        f"heats.every((heat) => heat.pixels))(window.__terraseek.{KEY}.heats())"
    )
    map_state(localize, KEY, "s => s.heatVisible && s.zoom > 8")
    localize.locator(".ts-mode[data-mode=winner]").click()
    won = localize.evaluate(_WON_AT, [KEY, [700 / 1024, 400 / 1024]])
    assert won == [True, False]
    table = localize.locator(".regions tbody tr")
    before = table.count()
    assert before >= 1
    outline = localize.evaluate(_LARGEST_OUTLINE, KEY)
    count_messages(localize)
    # a drag of the slider, which has not been released
    localize.locator(".ts-threshold").evaluate(
        "slider => { slider.value = '0.97'; slider.dispatchEvent(new Event('input', "
        "{bubbles: true})); }"
    )
    localize.wait_for_function(f"window.__terraseek.{KEY}.live.rows?.length > 0")
    live = localize.evaluate(f"window.__terraseek.{KEY}.live.rows")
    assert localize.evaluate("window.__sent") == 0
    assert table.count() == len(live)
    assert localize.evaluate(_LARGEST_OUTLINE, KEY) < outline
    localize.locator(".ts-threshold").dispatch_event("change")
    localize.wait_for_function("window.__sent > 0")
    red = [row for row in live if row["query"] == "red"]
    localize.wait_for_function(
        f"JSON.parse(window.__terraseek.{KEY}.regions.shown ?? '[null]')[0]?.features"
        f".filter((one) => one.properties.query === 'red').length === {len(red)}"
    )
    table.first.click()
    localize.get_by_text("Region 1").wait_for()
    localize.get_by_role("button", name="Search with it").click()
    localize.locator(".tile .pick").first.wait_for()
    assert "localize" not in localize.url


_WON_AT = """([key, [x, y]]) => window.__terraseek[key].heats().map((heat) => {
    const { width, height } = heat.canvas;
    const at = [Math.floor(x * width), Math.floor(y * height)];
    return heat.context.getImageData(...at, 1, 1).data[3] > 0;
})"""
"""Whether each heat map is drawn at a place, given as fractions of width and height."""
_LARGEST_OUTLINE = """key => {
    const world = window.__terraseek[key];
    const data = world.map.getSource("regions").serialize().data;
    return Math.max(...data.features.map((feature) => {
        const lons = feature.geometry.coordinates[0].map((point) => point[0]);
        return Math.max(...lons) - Math.min(...lons);
    }));
}"""
"""Width in degrees of the widest outline on the map."""


def test_a_scene_is_chosen_on_the_map_beside_the_thumbnails(
    localize: Any, map_state: Callable[..., Any], scenes_folder: Path
) -> None:
    page = localize
    opener = page.locator(".st-key-localize_scenes_popover button").first
    opener.click()
    map_state(page, "localize_scenes_map", "s => s.hits === 1 && !s.moving")
    with Scene.open(scenes_folder / "field.tif") as scene:
        corners = np.array(scene.footprint)
    place = page.evaluate(
        "(hit => [hit.lon, hit.lat])(window.__terraseek.localize_scenes_map.hitsLayer.hits[0])"
    )
    assert place == pytest.approx(corners.mean(axis=0).tolist(), abs=1e-6)
    page.get_by_text("1 of 2 without coordinates, not on the map.").wait_for()
    page.locator(".scene", has_text="plain.png").click()
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached")
    page.get_by_text("no coordinates, shown in its own pixels").wait_for()
    page.wait_for_function(FOCUSED, arg="localize_scenes_popover")

    opener.click()
    map_state(page, "localize_scenes_map", "s => s.hits === 1 && !s.moving")
    chosen = page.locator(".scene.on")
    chosen.wait_for()
    assert chosen.all_inner_texts() == ["plain.png"]
    tile = page.locator(".scene", has_text="field.tif")
    mark = page.locator(".st-key-localize_scenes_map .ts-hit, .ts-hit").first
    tile.hover()
    page.locator(".ts-hit.ts-lit").wait_for()
    mark.hover()
    page.locator(".scene.lit", has_text="field.tif").wait_for()
    mark.click()
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached")
    page.get_by_text("EPSG:32631").wait_for()
    opener.click()
    chosen.wait_for()
    assert chosen.all_inner_texts() == ["field.tif"]


def test_the_list_of_sentences_closes_when_they_are_asked(localize: Any) -> None:
    localize.locator(".st-key-localize_several button").first.click()
    field = localize.get_by_label("One sentence per line")
    field.fill("red\ngreen")
    field.press("ControlOrMeta+Enter")
    localize.get_by_role("button", name="Where are they?").click()
    localize.locator("[data-testid=stPopoverBody]").wait_for(state="detached")
    localize.wait_for_function(FOCUSED, arg="localize_several")
    localize.locator(".ts-sentence").nth(1).wait_for()
    assert localize.locator(".ts-sentence-text").all_inner_texts() == ["red", "green"]


def test_truth_is_drawn_on_the_map_and_measured(
    localize: Any, map_state: Callable[..., Any], scenes_folder: Path
) -> None:
    ask(localize, "red")
    map_state(localize, KEY, "s => s.heatVisible && s.zoom > 8 && !s.moving")
    corners = [(600, 300), (800, 300), (800, 500), (600, 500)]
    with Scene.open(scenes_folder / "field.tif") as scene:
        heat = find(scene, "red", FakeEncoder(), cache=False)
        places = [scene.georef.pixel_to_lonlat(col, row) for col, row in corners]
    at = [on_screen(localize, KEY, *place) for place in places]
    edge = {"x": (at[0][0] + at[1][0]) / 2 - 20, "y": at[0][1] - 6, "width": 40, "height": 12}
    assert cyan_pixels(localize, edge) == 0
    localize.locator(".ts-draw-truth").click()
    for x, y in at:
        localize.mouse.click(x, y)
    localize.keyboard.press("Enter")
    numbers = localize.locator(".ts-measures b")
    numbers.first.wait_for(state="attached")
    shown = [float(text) for text in numbers.all_text_contents()]
    expected = measure_map(heat, [corners]).as_dict
    assert list(expected) == localize.locator(".ts-measures span").all_text_contents()
    assert shown == pytest.approx(list(expected.values()), abs=0.02)
    assert expected["Rsu"] > 0.5  # the map is right about the square
    localize.keyboard.press("Escape")
    assert cyan_pixels(localize, edge) > 20


def cyan_pixels(page: Any, clip: dict[str, float]) -> int:
    """Number of pixels of a part of the page that have the colour of the truth's outline."""
    red, green, blue = np.moveaxis(screen_pixels(page, clip), 2, 0)
    return int(((green > red + 90) & (blue > red + 90)).sum())


def test_uploaded_image_is_localized_in_pixel_space(
    localize: Any, map_state: Callable[..., Any]
) -> None:
    pixels = np.full((300, 400, 3), (60, 150, 60), np.uint8)
    pixels[30:110, 250:350] = (205, 40, 40)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    localize.get_by_role("button", name="Scenes").click()
    localize.locator('[data-testid="stPopoverBody"] input[type="file"]').set_input_files(
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
    page.locator(".st-key-explore_where button").first.click()
    page.locator(".st-key-explore_spot_open button").first.click()
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
    page.get_by_role("button", name="Heat map (COG)").wait_for(timeout=600_000)  # of all windows
    map_state(page, KEY, "s => s.heatVisible")
    page.wait_for_timeout(5000)
    page.screenshot(path=folder / "localize.png")
    assert (folder / "explore.png").stat().st_size > 100_000
    assert (folder / "localize.png").stat().st_size > 100_000
