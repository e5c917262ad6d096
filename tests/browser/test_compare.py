"""Two searches compared on the map: a swipe with a divider, or two maps with one view."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers.browser_pixels import on_screen, screen_pixels

KEY = "explore_map"
WORLD = f"window.__terraseek.{KEY}"
LINK = "/?q=red&k=12&compare=q%3Dblue%26k%3D12&view=2.4,48.9,8"
PURPLE, GREEN = (0xCC, 0x79, 0xA7), (0x00, 0x9E, 0x73)
FEW, MANY = 5, 30
"""Pixels of a colour where a mark is not, and where it is."""


@pytest.fixture
def compared(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> Callable[..., Any]:
    def open_link(further: str = "", size: tuple[int, int] = (1440, 900)) -> Any:
        page = browse(f"{server}{LINK}{further}")
        page.set_viewport_size({"width": size[0], "height": size[1]})
        map_state(page, KEY, "s => s.hits === 12 && !s.moving")
        until_second(page, "s => s.hits === 12 && s.idle")
        return page

    return open_link


def until_second(page: Any, condition: str) -> None:
    """Wait until the state of the second map is as wanted."""
    page.wait_for_function(
        f"({WORLD}.split?.isOpen) && ({condition})({WORLD}.split.state)", timeout=90_000
    )


def coloured(page: Any, lon: float, lat: float, colour: tuple[int, int, int]) -> int:
    """Pixels of a colour on the screen at the mark of a place."""
    x, y = on_screen(page, KEY, lon, lat)
    pixels = screen_pixels(page, {"x": x - 30, "y": y - 86, "width": 60, "height": 86})
    return int((np.abs(pixels - colour).max(axis=2) <= 6).sum())


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.locator(".ts-divider-handle").press(key)


def test_each_side_of_the_divider_shows_the_hits_of_its_search(
    compared: Callable[..., Any],
) -> None:
    page = compared()
    red, blue = (2.35, 48.86), (2.45, 48.96)
    press(page, "End")
    until_second(page, "s => s.share === 1")
    assert coloured(page, *red, PURPLE) > MANY
    assert coloured(page, *blue, GREEN) < FEW
    press(page, "Home")
    until_second(page, "s => s.share === 0")
    assert coloured(page, *red, PURPLE) < FEW
    assert coloured(page, *blue, GREEN) > MANY
    press(page, "ArrowRight", "Shift+ArrowRight", "ArrowLeft")
    page.wait_for_function("location.search.includes('split=0.10')")

    handle, room = (
        page.locator(".ts-divider-handle"),
        page.locator(".ts-split > .ts-free").bounding_box(),
    )
    handle.hover()
    page.mouse.down()
    page.mouse.move(room["x"] + 0.75 * room["width"], 500, steps=4)
    page.mouse.up()
    page.wait_for_function("location.search.includes('split=0.7')")
    share = page.evaluate(f"{WORLD}.split.share")
    assert share == pytest.approx(0.75, abs=0.02)
    shown = handle.bounding_box()
    middle = (shown["x"] + shown["width"] / 2 - room["x"]) / room["width"]
    assert middle == pytest.approx(share, abs=0.02)

    press(page, "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft")
    sides = (("0", "world.hitsLayer"), ("1", "world.split.second.hitsLayer"))
    for number, layer in sides:
        tile = page.locator(f".st-key-explore_compared_{number} .tile").nth(3)
        item = tile.get_attribute("data-id")
        tile.locator(".pick").click()
        page.wait_for_function(
            f"item => {WORLD}.hitsLayer.selected === item && !{WORLD}.state.moving"
            f" && !{WORLD}.split.state.moving && {WORLD}.map.getZoom() > 9",
            arg=item,
        )
        world = layer.replace("world", WORLD)
        at = page.evaluate(f"item => {WORLD}.map.project({world}.place(item)).x", item)
        divider = page.evaluate(f"parseFloat({WORLD}.element.style.getPropertyValue('--split'))")
        assert (at < divider) == (number == "0"), "the chosen hit is below the other map"
        assert room["x"] <= at <= room["x"] + room["width"]
    other = compared(f"&split={share:.2f}")
    until_second(other, f"s => Math.abs(s.share - {share}) < 0.006")


def seen_at_its_middle(element: Any) -> bool:
    """Whether nothing covers the middle of an element."""
    answer: bool = element.evaluate(
        """element => {
            const { x, y, width, height } = element.getBoundingClientRect();
            const seen = element.getRootNode().elementFromPoint(x + width / 2, y + height / 2);
            return element.contains(seen);
        }"""
    )
    return answer


def test_a_popup_lies_over_both_maps(compared: Callable[..., Any]) -> None:
    page = compared("&split=0.5")
    for layer in ("hitsLayer", "split.second.hitsLayer"):
        item = page.evaluate(
            f"""() => {{
                const layer = {WORLD}.{layer};
                const isNear = (one) => Math.abs(one.lon - 2.4) < 0.2;
                const hit = layer.hits.find((one) => one.side !== "both" && isNear(one));
                layer.markers.get(hit.item_id).marker.getElement().click();
                return hit.caption;
            }}"""
        )
        caption = page.locator(".ts-popup-caption", has_text=item)
        caption.wait_for()
        assert page.locator(".ts-popup").count() == 1
        assert seen_at_its_middle(caption)


def test_the_heat_map_of_a_hit_is_on_both_sides(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}{LINK}")
    map_state(page, KEY, "s => s.hits === 12 && !s.moving")
    page.locator(".st-key-explore_compared_0 .tile .pick").first.click()
    page.locator("button:visible", has_text="Where").first.click()
    heats = f"[{WORLD}, {WORLD}.split.second].map((one) => one.heats()[0])"
    page.wait_for_function(f"{heats}.every((heat) => heat?.pixels)", timeout=90_000)
    assert page.evaluate(f"{heats}.map((heat) => heat.id)[0] === {heats}[1].id")


def test_hits_of_both_searches_are_marked_as_such(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}/?q=red&k=24&compare=q%3Dblue&view=2.4,48.9,8")
    map_state(page, KEY, "s => s.hits === 24")
    until_second(page, "s => s.hits === 24 && s.idle")
    sides = page.evaluate(
        f"[{WORLD}, {WORLD}.split.second].map(w => w.hitsLayer.hits.map(h => [h.item_id, h.side]))"
    )
    first, second = (dict(side) for side in sides)
    both = {item for item in first if item in second}
    assert 0 < len(both) < 24
    assert {item for item, side in first.items() if side == "both"} == both
    assert {item for item, side in second.items() if side == "both"} == both
    page.locator(".ts-split-legend", has_text=f"in both: {len(both)}").wait_for()
    page.locator(".st-key-explore_compared", has_text=f"{len(both)} of 24 in common").wait_for()


def test_maps_side_by_side_keep_one_view(compared: Callable[..., Any]) -> None:
    page = compared("&split=sides")
    until_second(page, "s => s.beside")
    first = page.evaluate(f"{WORLD}.map.getCanvas().clientWidth")
    shown = page.evaluate(f"[{WORLD}, {WORLD}.split.second].map(w => w.free.box().width)")
    assert shown[0] == pytest.approx(shown[1], abs=2), "halves of the free part differ"
    assert first < 1440 - 300
    frame = page.evaluate(
        f"(r => [r.x, r.y])({WORLD}.split.second.map.getContainer().getBoundingClientRect())"
    )
    before = views(page)[0]
    page.mouse.move(frame[0] + 150, frame[1] + 500)
    page.mouse.down()
    page.mouse.move(frame[0] + 60, frame[1] + 560, steps=5)
    page.mouse.up()
    page.wait_for_function(
        f"before => Math.abs({WORLD}.free.center().lng - before) > 0.1"
        f" && !{WORLD}.split.state.moving",
        arg=before[0],
    )
    one, other = views(page)
    assert one == pytest.approx(other, abs=1e-4)
    page.evaluate(f"{WORLD}.map.jumpTo({{center: [12.5, 41.9], zoom: 6}})")
    one, other = views(page)
    assert one == pytest.approx(other, abs=1e-4)
    page.locator(".ts-mode", has_text="Swipe").click()
    until_second(page, "s => !s.beside")
    swiped, other = views(page)
    assert swiped == pytest.approx(other, abs=1e-4)
    assert swiped == pytest.approx([*one[:2], one[2] + 1], abs=0.01), "the place changed"


def views(page: Any) -> list[list[float]]:
    """Longitude, latitude and zoom in the middle of both maps' free parts."""
    found: list[list[float]] = page.evaluate(
        f"[{WORLD}, {WORLD}.split.second].map(w => [...w.free.center().toArray(), w.map.getZoom()])"
    )
    return found


def test_back_ends_the_comparison(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}/?q=blue&k=12")
    map_state(page, KEY, "s => s.hits === 12")
    field = page.get_by_label("What to look for", exact=True)
    field.fill("red")
    field.press("Enter")
    page.wait_for_function("location.search.includes('q=red')")
    page.locator(".st-key-explore_searches button:visible").first.click()
    page.get_by_label("Compare with").click()
    page.get_by_role("option", name="blue").click()
    until_second(page, "s => s.hits === 12")
    page.wait_for_function(
        "location.search.includes('compare=') && location.search.includes('split=')"
    )
    page.go_back()
    page.wait_for_function(f"!{WORLD}.split.isOpen")
    map_state(page, KEY, "s => s.hits === 12")
    assert page.locator(".ts-divider, .ts-second, .ts-split-legend").count() == 0
    assert "compare=" not in page.url
    page.wait_for_function("!location.search.includes('split=')")


def test_phones_have_the_swipe_alone(compared: Callable[..., Any]) -> None:
    page = compared("&split=sides", (390, 844))
    until_second(page, "s => !s.beside")
    place = page.locator(".ts-map").first.bounding_box()
    handle = page.locator(".ts-divider-handle").bounding_box()
    assert place["x"] <= handle["x"]
    assert handle["y"] + handle["height"] < place["y"] + place["height"]
    assert page.locator(".ts-mode", has_text="Side by side").is_hidden()
    page.locator(".ts-divider-handle").hover()
    page.mouse.down()
    page.mouse.move(place["x"] + 0.25 * place["width"], handle["y"] + 10, steps=4)
    page.mouse.up()
    until_second(page, "s => Math.abs(s.share - 0.25) < 0.03")
