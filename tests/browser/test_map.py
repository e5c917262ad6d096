"""The map component in a real browser: it is kept across reruns and reports events."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.browser_steps import drag

KEY = "test"
SHOWN = "s => s.samples === 36 && s.hits === 3"


@pytest.fixture(scope="module")
def map_server(
    start_process: Callable[[list[str], int], str],
    free_port: Callable[[], int],
    served_catalogue: Path,
) -> str:
    port = free_port()
    script = Path(__file__).parent / "map_server.py"
    return start_process([str(script), str(served_catalogue), str(port)], port)


@pytest.fixture
def map_page(browse: Callable[[str], Any], map_server: str, map_state: Callable[..., Any]) -> Any:
    page = browse(map_server)
    map_state(page, KEY, SHOWN)
    return page


def reported_event(page: Any, kind: str) -> dict[str, Any]:
    """The last event of a kind that Python received; waits for it."""
    code = page.locator("code", has_text=f'"kind": "{kind}"')
    code.wait_for()
    answer: dict[str, Any] = json.loads(code.inner_text())
    return answer


def look(page: Any, script: str) -> Any:
    """Run JavaScript that knows the map as `world`; gives what it returns."""
    return page.evaluate(f"(() => {{ const world = window.__terraseek.{KEY}; {script} }})()")


def until(page: Any, script: str) -> None:
    """Wait until JavaScript that knows the map as `world` returns something true."""
    page.wait_for_function(
        f"(() => {{ const world = window.__terraseek.{KEY}; {script} }})()", timeout=90_000
    )


def test_reruns_keep_the_map_and_the_view(map_page: Any, map_state: Callable[..., Any]) -> None:
    look(map_page, "window.__first = world.map; world.map.jumpTo({center: [40, 20], zoom: 4});")
    map_page.get_by_label("hits", exact=True).fill("5")
    map_page.get_by_label("hits", exact=True).press("Enter")
    state = map_state(map_page, KEY, "s => s.hits === 5")
    assert look(map_page, "return window.__first === world.map;")
    assert state["zoom"] == pytest.approx(4)


def test_markers_are_at_the_positions_of_their_items(map_page: Any) -> None:
    look(map_page, "world.map.jumpTo({center: [2.4, 48.9], zoom: 8});")
    until(
        map_page,
        """
        const frame = world.element.querySelector(".ts-map").getBoundingClientRect();
        const pins = [...world.element.querySelectorAll(".ts-hit")];
        const off = world.hitsLayer.hits.map((hit, i) => {
            const tip = pins[i].getBoundingClientRect();
            const at = world.map.project([hit.lon, hit.lat]);
            const [x, y] = [tip.x + tip.width / 2 - frame.x, tip.y + tip.height - frame.y];
            return Math.hypot(x - at.x, y - at.y);
        });
        return off.length === 3 && Math.max(...off) < 2;
        """,
    )


def test_a_marker_is_a_numbered_button_that_selects(map_page: Any) -> None:
    look(map_page, "world.map.jumpTo({center: [2.4, 48.9], zoom: 8});")  # apart from each other
    pin = map_page.get_by_role("button", name="Hit 2: a ")
    item = pin.get_attribute("data-item")
    pin.click()
    answer = reported_event(map_page, "select")
    assert answer["clicked"] == item
    popup = map_page.locator(".ts-popup")
    assert popup.locator(".ts-popup-caption").inner_text().startswith("2. a ")
    assert popup.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert "ts-selected" in pin.get_attribute("class")


def test_a_sample_that_is_no_hit_can_be_clicked(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    look(map_page, "world.map.jumpTo({center: [151.21, -33.87], zoom: 9});")
    map_state(map_page, KEY, "s => Math.abs(s.zoom - 9) < 1e-6")
    until(map_page, "return world.points.at(world.map.project([151.21, -33.87]))?.row >= 0;")
    frame = map_page.locator(".ts-map").bounding_box()
    map_page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    answer = reported_event(map_page, "select")
    assert answer["click"] == pytest.approx([151.21, -33.87], abs=1e-4)
    assert "red field near Sydney" in map_page.locator(".ts-popup-caption").inner_text()


def test_a_drawn_box_reaches_python_and_stays(map_page: Any, map_state: Callable[..., Any]) -> None:
    map_page.locator(".ts-draw").click()
    drag(map_page, (0.4, 0.3), (0.6, 0.6))
    west, south, east, north = reported_event(map_page, "box")["box"]
    assert west < east
    assert south < north
    shown = map_state(map_page, KEY, "s => s.box !== null")["box"]
    assert shown == pytest.approx([west, south, east, north])
    map_page.get_by_label("hits", exact=True).fill("4")
    map_page.get_by_label("hits", exact=True).press("Enter")
    assert map_state(map_page, KEY, "s => s.hits === 4")["box"] == pytest.approx(shown)
    map_page.get_by_text("forget box").click()
    map_state(map_page, KEY, "s => s.box === null")


def test_shift_drag_draws_a_box_and_clear_removes_it(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    before = look(map_page, "return world.map.getCenter().toArray();")
    map_page.keyboard.down("Shift")
    drag(map_page, (0.3, 0.3), (0.5, 0.5))
    map_page.keyboard.up("Shift")
    assert reported_event(map_page, "box")["box"] is not None
    assert look(map_page, "return world.map.getCenter().toArray();") == pytest.approx(before)
    map_page.locator(".ts-clear").click()
    map_state(map_page, KEY, "s => s.box === null")
    map_page.wait_for_function("document.body.innerText.includes('\"box\": null')")


def test_box_across_the_antimeridian_has_west_greater_than_east(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    look(map_page, "world.map.jumpTo({center: [180, -15], zoom: 4});")
    map_page.locator(".ts-draw").click()
    drag(map_page, (0.3, 0.3), (0.7, 0.7))
    west, _, east, _ = reported_event(map_page, "box")["box"]
    assert 150 < west < 180
    assert -180 < east < -150


TRIANGLE = ((2, 44), (12, 44), (8, 50))


def click_at(page: Any, lnglat: tuple[float, float], twice: bool = False) -> None:
    frame = page.locator(".ts-map").bounding_box()
    at = look(page, f"return world.map.project({list(lnglat)});")
    click = page.mouse.dblclick if twice else page.mouse.click
    click(frame["x"] + at["x"], frame["y"] + at["y"])


def test_polygon_is_drawn_kept_and_removed(map_page: Any, map_state: Callable[..., Any]) -> None:
    look(map_page, "world.map.jumpTo({center: [8, 47], zoom: 4});")
    map_page.locator(".ts-draw-shape").click()
    for corner in TRIANGLE[:-1]:
        click_at(map_page, corner)
    click_at(map_page, TRIANGLE[-1], twice=True)
    found = map_state(map_page, KEY, "s => s.shapes.length === 1 && !s.armed && !s.moving")
    assert found["zoom"] == pytest.approx(4), "a double-click that closes does not zoom"
    drawn = [value for corner in TRIANGLE for value in corner]
    (reported_shape,) = reported_event(map_page, "shape")["shapes"]
    assert [value for corner in reported_shape for value in corner] == pytest.approx(drawn, abs=0.1)
    inside = look(map_page, "return world.map.querySourceFeatures('shape').length;")
    assert inside > 0
    map_page.get_by_label("hits", exact=True).fill("4")
    map_page.get_by_label("hits", exact=True).press("Enter")
    assert map_state(map_page, KEY, "s => s.hits === 4")["shapes"]
    map_page.locator(".ts-clear-shape").click()
    map_state(map_page, KEY, "s => s.shapes.length === 0")
    heard = map_page.locator("code", has_text='"kind": "shape"')
    heard.filter(has_text='"shapes": []').wait_for()


def flat(*rings: list[list[float]]) -> list[float]:
    return [value for ring in rings for corner in ring for value in corner]


def drag_on_map(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    frame = page.locator(".ts-map").bounding_box()
    at = [look(page, f"return world.map.project({list(place)});") for place in (start, end)]
    page.mouse.move(frame["x"] + at[0]["x"], frame["y"] + at[0]["y"])
    page.mouse.down()
    page.mouse.move(frame["x"] + at[1]["x"], frame["y"] + at[1]["y"], steps=5)
    page.mouse.up()


def test_shapes_are_edited_after_drawing(map_page: Any, map_state: Callable[..., Any]) -> None:
    look(map_page, "world.map.jumpTo({center: [-140, 20], zoom: 4});")
    for lon in (-148, -138):
        map_page.locator(".ts-draw-shape").click()
        for corner in ((lon, 15), (lon + 6, 15), (lon, 20), (lon, 15)):
            click_at(map_page, corner)
        map_state(map_page, KEY, "s => !s.armed")
    shapes = map_state(map_page, KEY, "s => s.shapes.length === 2")["shapes"]
    center = look(map_page, "return world.map.getCenter();")

    drag_on_map(map_page, (-148, 20), (-146, 24))
    moved = map_state(map_page, KEY, "s => s.shapes[0][2][1] > 23")["shapes"]
    assert moved[0][2] == pytest.approx([-146, 24], abs=0.1)
    assert flat(moved[0][:2], moved[1]) == pytest.approx(flat(shapes[0][:2], shapes[1]), abs=1e-4)
    assert look(map_page, "return world.map.getCenter();") == center, "the map was not dragged"

    drag_on_map(map_page, (-135, 15), (-135, 12))  # the middle of an edge becomes a corner
    grown = map_state(map_page, KEY, "s => s.shapes[1].length === 4")["shapes"]
    assert grown[1][1] == pytest.approx([-135, 12], abs=0.1)

    handle = map_page.locator(".ts-shape-handle").first
    middle = look(map_page, "return world.shapeTool.handles.markers[0].getLngLat().toArray();")
    drag_on_map(map_page, middle, (middle[0] - 3, middle[1]))
    shifted = map_state(map_page, KEY, "s => s.shapes[0][0][0] < -150")["shapes"]
    step = shifted[0][0][0] - moved[0][0][0]
    assert step == pytest.approx(-3, abs=0.1)
    east = [[lon + step, lat] for lon, lat in moved[0]]
    assert flat(shifted[0]) == pytest.approx(flat(east), abs=0.1)
    assert flat(shifted[1]) == pytest.approx(flat(grown[1]), abs=1e-4)
    handle.press("Shift+ArrowRight")
    handle.press("ArrowRight")
    known = f"JSON.parse(world.shapeTool.lastSynced)[0][0][0] > {shifted[0][0][0]} + 0.5"
    until(map_page, f"return {known};")  # the page has the shape
    focused = "world.element.getRootNode().activeElement"
    assert look(map_page, f"return {focused}.matches('.ts-shape-handle');")
    corner = map_state(map_page, KEY)["shapes"][0][0]
    assert look(map_page, "return world.map.getCenter();") == center, "the map was moved"

    def right_click(place: tuple[float, float]) -> None:
        frame = map_page.locator(".ts-map").bounding_box()
        at = look(map_page, f"return world.map.project({list(place)});")
        map_page.mouse.click(frame["x"] + at["x"], frame["y"] + at["y"], button="right")

    right_click((-135, 12))
    map_state(map_page, KEY, "s => s.shapes[1].length === 3")
    right_click(corner)  # a triangle without a corner is none
    left = map_state(map_page, KEY, "s => s.shapes.length === 1")["shapes"]
    assert flat(left[0]) == pytest.approx(flat(shapes[1]), abs=1e-4)


def test_escape_cancels_a_polygon(map_page: Any, map_state: Callable[..., Any]) -> None:
    look(map_page, "world.map.jumpTo({center: [-140, 0], zoom: 5});")
    map_page.locator(".ts-draw-shape").click()
    click_at(map_page, (-141, 0))
    click_at(map_page, (-139, 0))
    map_page.keyboard.press("Escape")
    assert map_state(map_page, KEY, "s => !s.armed")["shapes"] == []
    click_at(map_page, (-140, 1))
    assert reported_event(map_page, "click")["click"] == pytest.approx([-140, 1], abs=0.05)


def test_first_corner_closes_a_polygon_across_the_antimeridian(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    look(map_page, "world.map.jumpTo({center: [180, -15], zoom: 4});")
    map_page.locator(".ts-draw-shape").click()
    for corner in ((175, -10), (185, -10), (180, -20), (175, -10)):
        click_at(map_page, corner)
    (shape,) = reported_event(map_page, "shape")["shapes"]
    assert [lon for lon, _ in shape] == pytest.approx([175, 185, 180], abs=0.1)


def test_circle_is_placed_by_a_click_with_the_radius_from_python(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    look(map_page, "world.map.jumpTo({center: [-140, 60], zoom: 4});")
    map_page.locator(".ts-draw-circle").click()
    click_at(map_page, (-140, 60))
    circle = map_state(map_page, KEY, "s => s.circle !== null && !s.armed")["circle"]
    assert circle == pytest.approx([-140, 60, 200], abs=0.05)
    map_page.locator(".ts-clear-circle").click()
    map_state(map_page, KEY, "s => s.circle === null")


@pytest.mark.parametrize(
    ("circle", "bounds"),
    [
        ((10, 0, 111.195), (9, -1, 11, 1)),
        ((179.5, 0, 111.195), (178.5, -1, 180.5, 1)),
        ((0, 85, 1111.95), (-180, 75, 180, 90)),
        ((0, -90, 111.195), (0, -90, 360, -89)),
    ],
)
def test_rings_of_circles_keep_their_distance(
    map_page: Any, circle: tuple[float, ...], bounds: tuple[float, ...]
) -> None:
    ring = map_page.evaluate(
        """async (circle) => {
            const [address] = Object.keys(window.__terraseekModules);
            const { circleRing } = await import(new URL("space.js", address).href);
            return circleRing(circle);
        }""",
        list(circle),
    )
    lons, lats = zip(*ring, strict=True)
    found = (min(lons), min(lats), max(lons), max(lats))
    assert found == pytest.approx(bounds, abs=0.1)
    assert ring[0] == pytest.approx(ring[-1])


@pytest.mark.parametrize(
    ("circle", "rings"),
    [((10, 0, 5000), 1), ((10, 40, 9000), 1), ((10, 40, 12000), 1), ((10, 0, 15000), 2)],
)
def test_a_circle_of_more_than_half_the_globe_is_the_map_with_a_hole(
    map_page: Any, circle: tuple[float, ...], rings: int
) -> None:
    found = map_page.evaluate(
        """async (circle) => {
            const [address] = Object.keys(window.__terraseekModules);
            const { circlePolygon } = await import(new URL("space.js", address).href);
            return circlePolygon(circle);
        }""",
        list(circle),
    )
    assert len(found) == rings
    if rings == 2:
        lons, lats = zip(*found[1], strict=True)
        assert (max(lats), min(lats)) == pytest.approx((45.1, -45.1), abs=0.2)
        assert max(lons) - min(lons) == pytest.approx(90.2, abs=0.4)
        outer = [lon for lon, _ in found[0]]
        assert min(outer) < min(lons) < max(lons) < max(outer)


def test_search_this_area_uses_the_visible_bounds(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    assert map_page.locator(".ts-area").is_hidden()
    look(map_page, "world.map.jumpTo({center: [10, 45], zoom: 4});")
    drag(map_page, (0.5, 0.5), (0.55, 0.5))
    map_page.locator(".ts-area").click()
    west, south, east, north = reported_event(map_page, "area")["box"]
    assert west < 10 < east
    assert south < 45 < north


def test_an_empty_place_gives_its_coordinates(map_page: Any) -> None:
    look(map_page, "world.map.jumpTo({center: [-140, 0], zoom: 5});")
    frame = map_page.locator(".ts-map").bounding_box()
    map_page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    assert reported_event(map_page, "click")["click"] == pytest.approx([-140, 0], abs=1e-3)


def test_coordinates_follow_the_mouse_and_right_click_copies(map_page: Any) -> None:
    look(map_page, "world.map.jumpTo({center: [20, 10], zoom: 5});")
    frame = map_page.locator(".ts-map").bounding_box()
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    map_page.mouse.move(*middle)
    assert map_page.locator(".ts-coordinates").inner_text().startswith("lon 20.0")
    map_page.evaluate("navigator.clipboard.writeText('nothing yet')")
    map_page.mouse.click(*middle, button="right")
    map_page.wait_for_function("navigator.clipboard.readText().then((text) => /\\d, /.test(text))")
    lon, lat = map(float, map_page.evaluate("navigator.clipboard.readText()").split(","))
    assert (lon, lat) == pytest.approx((20, 10), abs=0.01)


READ_PIXELS = """
const at = world.map.project(LNGLAT);
return new Promise((resolve) => {
  world.map.once('render', () => {
    const canvas = world.map.getCanvas();
    const copy = document.createElement('canvas');
    copy.width = canvas.width; copy.height = canvas.height;
    const pen = copy.getContext('2d');
    pen.drawImage(canvas, 0, 0);
    const k = canvas.width / canvas.clientWidth;
    const [x, y] = [Math.round(at.x * k), Math.round(at.y * k)];
    resolve([...pen.getImageData(x, y, 1, 1).data].slice(0, 3));
  });
  world.map.triggerRepaint();
});
"""


def pixel(page: Any, lnglat: tuple[float, float]) -> list[int]:
    colour: list[int] = look(page, READ_PIXELS.replace("LNGLAT", json.dumps(lnglat)))
    return colour


def wait_for_pixel(
    page: Any, lnglat: tuple[float, float], right: Callable[[list[int]], bool]
) -> None:
    """Look at the map's colour at a place until it is right."""
    colour = []
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up:
        colour = pixel(page, lnglat)  # waits for the map to be drawn once more
        if right(colour):
            return
    pytest.fail(f"the colour at {lnglat} stayed {colour}")


def show_heat(page: Any, map_state: Callable[..., Any]) -> None:
    page.get_by_text("heat", exact=True).click()
    map_state(page, KEY, "s => s.heatVisible && s.zoom > 6 && !s.moving")


def test_heat_map_is_at_its_position_and_styled_without_a_rerun(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    show_heat(map_page, map_state)
    runs = map_page.get_by_text("runs: ").inner_text()
    hot, cold, outside, masked = (2.25, 48.5), (2.75, 48.5), (3.1, 48.5), (2.25, 48.97)
    grey = pytest.approx([90] * 3, abs=6)
    wait_for_pixel(map_page, hot, lambda colour: colour[0] > colour[2] + 60)  # warm
    wait_for_pixel(map_page, cold, lambda colour: colour == grey)  # below the threshold: the scene
    wait_for_pixel(map_page, masked, lambda colour: colour == grey)  # so do masked pixels
    beside = pixel(map_page, outside)
    map_page.locator(".ts-threshold").fill("0.9")
    wait_for_pixel(map_page, hot, lambda colour: colour == grey)
    map_page.locator(".ts-threshold").fill("0.05")
    wait_for_pixel(map_page, cold, lambda colour: colour != grey)
    map_page.locator(".ts-opacity").fill("0")
    wait_for_pixel(map_page, hot, lambda colour: colour == grey)
    assert pixel(map_page, outside) == pytest.approx(beside, abs=6)
    assert map_page.get_by_text("runs: ").inner_text() == runs
    assert map_page.locator(".ts-legend-ends").inner_text().split() == ["0.100", "0.300"]


def test_on_phones_the_heat_panel_is_a_sheet_that_leaves_the_map_free(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    map_page.set_viewport_size({"width": 390, "height": 844})
    map_page.reload()
    map_state(map_page, KEY, SHOWN)
    map_page.get_by_text("levels", exact=True).click()
    show_heat(map_page, map_state)
    heights = """
        const height = (name) => world.element.querySelector(name).offsetHeight;
        return [height(".ts-heat"), height(".ts-map")];
    """
    folded, whole = look(map_page, heights)
    assert folded < 0.25 * whole
    for name in (".ts-legend", ".ts-threshold", ".ts-legend-level >> text=likely"):
        assert map_page.locator(name).is_visible()
    assert not map_page.locator(".ts-opacity").is_visible()
    below = look(
        map_page,
        """
        const sheet = world.element.querySelector(".ts-heat").getBoundingClientRect();
        const frame = world.element.querySelector(".ts-map").getBoundingClientRect();
        return [frame.top + world.map.project([2, 48]).y, sheet.top];
        """,
    )
    assert below[0] < below[1]  # the scene's lower edge is above the sheet
    map_page.locator(".ts-heat-grip").click()
    map_page.locator(".ts-opacity").wait_for()
    assert map_page.locator(".ts-legend-ends").inner_text().split() == ["0.200", "0.600"]
    grip = map_page.locator(".ts-heat-grip").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + 8
    map_page.mouse.move(x, y)
    map_page.mouse.down()
    map_page.mouse.move(x, y + 60, steps=4)
    map_page.mouse.up()
    map_page.locator(".ts-opacity").wait_for(state="hidden")
    assert look(map_page, heights)[0] == folded


def test_a_heat_map_without_evidence_is_invisible_until_it_is_stretched(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    map_page.get_by_text("levels", exact=True).click()
    show_heat(map_page, map_state)
    hot = (2.25, 48.5)
    wait_for_pixel(map_page, hot, lambda colour: colour == pytest.approx([90] * 3, abs=22))
    marks = map_page.locator(".ts-legend-level").all_inner_texts()
    assert marks == ["no evidence", "possible", "likely"]
    assert map_page.locator(".ts-legend-ends").inner_text().split() == ["0.200", "0.600"]
    runs = map_page.get_by_text("runs: ").inner_text()
    map_page.locator(".ts-stretch").check()
    wait_for_pixel(map_page, hot, lambda colour: colour[0] > colour[2] + 60)  # warm
    assert map_page.locator(".ts-legend-level").count() == 0
    map_page.locator(".ts-stretch").uncheck()
    wait_for_pixel(map_page, hot, lambda colour: colour == pytest.approx([90] * 3, abs=22))
    assert map_page.get_by_text("runs: ").inner_text() == runs


def test_marks_have_the_colours_of_their_levels(map_page: Any) -> None:
    map_page.get_by_text("levels", exact=True).click()
    map_page.locator(".ts-hit[title='no evidence']").wait_for(state="attached")
    colours = {
        title: map_page.locator(f".ts-hit[title='{title}']").evaluate(
            "mark => getComputedStyle(mark, '::before').backgroundColor"
        )
        for title in ("likely", "possible", "no evidence")
    }
    assert colours == {
        "likely": "rgb(0, 114, 178)",
        "possible": "rgb(230, 159, 0)",
        "no evidence": "rgb(153, 153, 153)",
    }


def test_layers_can_be_hidden(map_page: Any, map_state: Callable[..., Any]) -> None:
    show_heat(map_page, map_state)
    map_page.locator(".ts-layers-open").click()
    map_page.locator("[data-layer=heat]").uncheck()
    assert not map_state(map_page, KEY)["heatVisible"]
    map_page.locator("[data-layer=hits]").uncheck()
    assert map_page.locator(".ts-hit:visible").count() == 0


def test_image_without_position_is_shown_in_pixel_space(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    map_page.get_by_text("pixels", exact=True).click()
    map_page.locator(".ts-pixels").wait_for()
    show_heat(map_page, map_state)
    corner = look(map_page, "return world.map.project(world.space.toMap([0, 0]));")
    frame = map_page.locator(".ts-map").bounding_box()
    map_page.mouse.move(frame["x"] + corner["x"] + 2, frame["y"] + corner["y"] + 2)
    assert map_page.locator(".ts-coordinates").inner_text() == "col 0  row 0"
    map_page.locator(".ts-draw").click()
    middle = look(map_page, "return world.map.project(world.space.toMap([100, 50]));")
    share = (middle["x"] / frame["width"], middle["y"] / frame["height"])
    outside = (2 / frame["width"], 100 / frame["height"])
    drag(map_page, outside, share)
    assert reported_event(map_page, "box")["pixel_box"] == pytest.approx([0, 0, 100, 50], abs=1)


def test_many_samples_are_density_tiles_and_few_in_view_are_points(
    map_page: Any, map_state: Callable[..., Any]
) -> None:
    look(map_page, "world.map.jumpTo({center: [10, 30], zoom: 1});")
    map_page.get_by_text("many", exact=True).click()
    map_state(map_page, KEY, "s => s.density && s.samples === 0")
    look(map_page, "world.map.jumpTo({center: [2.4, 48.9], zoom: 9});")
    map_state(map_page, KEY, "s => !s.density && s.samples === 3")
    found = look(map_page, "return world.points.at(world.map.project([2.35, 48.86])).row;")
    assert found == 0
    look(map_page, "world.map.jumpTo({center: [10, 30], zoom: 1});")
    map_state(map_page, KEY, "s => s.density && s.samples === 0")
    map_page.get_by_text("many", exact=True).click()
    map_state(map_page, KEY, SHOWN)
