"""Heat maps of the chips of a catalogue, read from the pixels that the browser draws."""

import csv
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.browser_pixels import screen_pixels

BENCH, KEY = "localize_map", "explore_map"
FIELD, THING = (40, 170, 60), (45, 70, 210)
SIDES = (64, 90, 128)
"""90 px on the globe gives an overlay of 128 x 128 pixels."""


@pytest.fixture(scope="module")
def chips_server(
    start_server: Callable[[list[str]], str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A server with chips of 64, 90 and 128 px, all located, half of them with a pixel size."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder

    folder = tmp_path_factory.mktemp("chips")
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "lat", "lon", "gsd_m"])
        for side in SIDES:
            pixels = np.full((side, side, 3), FIELD, np.uint8)
            pixels[: side // 2, : side // 2] = THING
            for row, gsd in enumerate(("", 10)):
                file = f"chip_{side}_{row}.png"
                Image.fromarray(pixels).save(folder / file)
                where = "map" if gsd else "pixels"
                table.writerow([file, f"chip {side} {where}", 48.5 + side / 100, 2.5 + row, gsd])
    import_source(folder / "items.csv", folder / "catalogue", name="chips")
    embed_catalogue(Catalogue.open(folder / "catalogue"), load_encoder("fake"))
    return start_server(["serve", str(folder / "catalogue")])


def drawn_colour(page: Any, key: str, fraction: float) -> np.ndarray:
    """RGB drawn at a fraction (0-1) of the scene's diagonal, from its upper left corner."""
    x, y = page.evaluate(
        """([key, fraction]) => {
            const world = window.__terraseek[key];
            const corners = world.space.isPixels
              ? world.space.corners()
              : world.overlays.layers.values().next().value.overlay.corners;
            const [[x0, y0], [x1, y1]] = [corners[0], corners[2]];
            const at = world.map.project([x0 + fraction * (x1 - x0), y0 + fraction * (y1 - y0)]);
            const frame = world.map.getCanvas().getBoundingClientRect();
            return [frame.x + at.x, frame.y + at.y];
        }""",
        [key, fraction],
    )
    return colour_at(page, x, y)


def colour_at(page: Any, x: float, y: float) -> np.ndarray:
    clip = {"x": x - 2, "y": y - 2, "width": 5, "height": 5}
    return screen_pixels(page, clip).mean(axis=(0, 1))


def expect_heat(page: Any, warm_at: tuple[float, float], plain_at: tuple[float, float]) -> None:
    """Wait for a warm colour over the blue square, and the field where there is no heat."""
    warm = plain = np.zeros(3)
    for _ in range(40):
        warm, plain = colour_at(page, *warm_at), colour_at(page, *plain_at)
        if warm[0] > warm[2] + 20 and np.abs(plain - FIELD).max() < 30:
            return
        page.wait_for_timeout(250)
    pytest.fail(f"no heat over the blue square {warm}, or no field beside it {plain}")


def pick(page: Any, caption: str) -> None:
    """Click an image of the gallery; a click on its mark would not move the map."""
    page.locator(".tile", has_text=caption).locator(".pick").click()


def ask_where(page: Any, side: int, where: str) -> None:
    pick(page, f"chip {side} {where}")
    page.locator(".st-key-explore_where button").first.click()
    page.locator(".st-key-explore_spot").wait_for()


@pytest.mark.parametrize("side", [64, 128])
def test_where_is_answered_in_the_map_of_the_results(
    chips_server: str, browse: Callable[[str], Any], map_state: Callable[..., Any], side: int
) -> None:
    page = browse(f"{chips_server}/?q=blue")
    map_state(page, KEY, "s => s.hits === 6 && !s.moving")
    pick(page, f"chip {side} map")
    map_state(page, KEY, "s => !s.moving && s.zoom > 12")
    page.evaluate(f"window.__terraseek.{KEY}.map.jumpTo({{center: [3, 49], zoom: 8}})")
    page.locator(".st-key-explore_where button").first.click()
    page.locator(".st-key-explore_spot").wait_for()
    map_state(page, KEY, "s => s.heatVisible && !s.moving && s.zoom > 12")
    warm, plain = (point_in_scene(page, share) for share in (0.2, 0.7))
    expect_heat(page, warm, plain)
    card = page.locator(".st-key-explore_card").bounding_box()
    for x, y in (warm, plain):
        assert not (card["x"] < x < card["x"] + card["width"] and y > card["y"]), "covered"

    page.wait_for_function("location.search.includes('spot=1')")
    other = browse(page.url)
    map_state(other, KEY, "s => s.heatVisible && !s.moving && s.zoom > 12")
    expect_heat(other, *(point_in_scene(other, share) for share in (0.2, 0.7)))

    page.locator(".st-key-explore_spot_close button").first.click()
    page.locator(".st-key-explore_spot").wait_for(state="detached")
    map_state(page, KEY, "s => !s.heatVisible && !s.moving && s.zoom < 9")
    lon, lat = page.evaluate(f"window.__terraseek.{KEY}.map.getCenter().toArray()")
    assert (lon, lat) == pytest.approx((3, 49), abs=0.01)


def point_in_scene(page: Any, share: float) -> tuple[float, float]:
    """Window position of a share (0-1) of the diagonal of the first overlay of Explore's map."""
    x, y = page.evaluate(
        """([key, share]) => {
            const world = window.__terraseek[key];
            const [a, , c] = world.overlays.layers.values().next().value.overlay.corners;
            const at = world.map.project(a.map((v, i) => v + share * (c[i] - v)));
            const frame = world.map.getCanvas().getBoundingClientRect();
            return [frame.x + at.x, frame.y + at.y];
        }""",
        [KEY, share],
    )
    return x, y


def test_heat_of_an_item_without_a_place_is_on_its_card(
    chips_server: str, browse: Callable[[str], Any]
) -> None:
    page = browse(f"{chips_server}/?q=blue")
    ask_where(page, 64, "pixels")
    page.locator(".st-key-explore_spot", has_text="no pixel size").wait_for()
    image = page.locator(".st-key-explore_card img").bounding_box()
    at = [(image["x"] + s * image["width"], image["y"] + s * image["height"]) for s in (0.2, 0.8)]
    warm = plain = np.zeros(3)
    for _ in range(40):
        warm, plain = (colour_at(page, *place) for place in at)
        if warm[0] > THING[0] + 30 and warm[2] < THING[2] - 60 and plain[1] > 120:
            return
        page.wait_for_timeout(250)
    pytest.fail(f"no heat on the card's image: {warm} {plain}")


@pytest.mark.parametrize(
    ("side", "where"), [(64, "pixels"), (128, "pixels"), (64, "map"), (90, "map"), (128, "map")]
)
def test_heat_is_drawn_over_the_thing_and_the_picture_elsewhere(
    chips_server: str,
    browse: Callable[[str], Any],
    map_state: Callable[..., Any],
    side: int,
    where: str,
) -> None:
    page = browse(f"{chips_server}/?q=blue")
    ask_where(page, side, where)
    page.locator(".st-key-explore_spot_open button").first.click()
    map_state(page, BENCH, "s => s.heatVisible && !s.moving && s.zoom > 5")
    if where == "pixels":
        page.get_by_text("no pixel size").wait_for()
    else:
        page.get_by_text("EPSG:326").wait_for()
    page.wait_for_timeout(1500)
    warm, plain = (drawn_colour(page, BENCH, share) for share in (0.2, 0.7))
    assert warm[0] > warm[2] + 20, f"no warm colour over the blue square: {warm}"
    assert np.abs(plain - FIELD).max() < 30, f"the field is not visible: {plain}"
