"""The layout of Explore, from the boxes of what is drawn: one map, panels that cover no other."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest

KEY = "explore_map"
PANELS = (".st-key-explore_top", ".st-key-explore_rail_panel", ".st-key-explore_dock_panel")
CONTROLS = (".ts-tools", ".ts-layers-corner", ".maplibregl-ctrl-top-right .maplibregl-ctrl-group")


@pytest.fixture(params=[(1440, 900), (1000, 700)], ids=["wide", "small"])
def canvas(request: pytest.FixtureRequest, page: Any, map_state: Callable[..., Any]) -> Any:
    page.set_viewport_size({"width": request.param[0], "height": request.param[1]})
    map_state(page, KEY, "s => s.samples === 36")
    return page


@pytest.fixture
def phone(page: Any, map_state: Callable[..., Any]) -> Iterator[Any]:
    page.set_viewport_size({"width": 390, "height": 844})
    map_state(page, KEY, "s => s.samples === 36")
    return page


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] | None = page.locator(selector).first.bounding_box()
    assert found is not None, f"{selector} is not drawn"
    return found


def overlap(one: dict[str, float], other: dict[str, float]) -> float:
    """Area in square pixels that two boxes have in common."""
    across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    return max(0.0, across) * max(0.0, down)


def covers(page: Any, selectors: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs that cover each other by more than a rounded pixel."""
    boxes = {selector: box(page, selector) for selector in selectors}
    pairs = combinations(boxes.items(), 2)
    return [(a, b) for (a, one), (b, other) in pairs if overlap(one, other) > 4]


def scrolls(page: Any) -> int:
    """Pixels that the page is longer than the window."""
    length: int = page.locator("[data-testid=stMain]").evaluate(
        "main => main.scrollHeight - main.clientHeight"
    )
    return length


def search(page: Any, text: str) -> None:
    field = page.get_by_label("What to look for", exact=True)
    field.fill(text)
    field.press("Enter")


def test_the_map_fills_the_window_and_panels_cover_nothing_else(canvas: Any) -> None:
    window = canvas.viewport_size
    place, header = box(canvas, ".ts-map"), box(canvas, "[data-testid=stHeader]")
    assert abs(place["y"] - header["height"]) < 1
    assert (place["x"], place["width"]) == (0, window["width"])
    assert abs(place["y"] + place["height"] - window["height"]) < 1
    assert covers(canvas, PANELS + CONTROLS) == []
    assert scrolls(canvas) <= 0
    for control in CONTROLS:
        inner = box(canvas, control)
        assert overlap(inner, box(canvas, ".ts-free")) > 0.9 * inner["width"] * inner["height"]


def test_results_and_the_selected_card_move_nothing(
    canvas: Any, map_state: Callable[..., Any]
) -> None:
    before = {name: box(canvas, name) for name in (".ts-map", *PANELS)}
    search(canvas, "red")
    map_state(canvas, KEY, "s => s.hits === 24 && !s.moving")
    canvas.locator(".tile").nth(23).wait_for(state="attached")
    assert {name: box(canvas, name) for name in before} == before

    tile = box(canvas, ".tile")
    canvas.locator(".tile .pick").first.click()
    canvas.locator(".st-key-explore_card img").wait_for()
    map_state(canvas, KEY, "s => !s.moving && s.zoom > 10")
    assert {name: box(canvas, name) for name in before} == before
    assert box(canvas, ".tile") == tile
    card = box(canvas, ".st-key-explore_card")
    marks = [m for m in canvas.locator(".ts-hit.ts-selected").all() if m.is_visible()]
    assert marks, "the selected hit has no mark"
    for mark in marks:
        assert overlap(mark.bounding_box(), card) == 0, "the card covers the selected hit"
    for control in CONTROLS:
        assert overlap(box(canvas, control), card) == 0, control


def test_panels_collapse_and_the_map_keeps_its_view(
    canvas: Any, map_state: Callable[..., Any]
) -> None:
    search(canvas, "red")
    map_state(canvas, KEY, "s => s.hits === 24 && !s.moving")
    free, view = box(canvas, ".ts-free"), f"window.__terraseek.{KEY}.map.getCenter().toArray()"
    center = canvas.evaluate(view)
    canvas.locator(".st-key-explore_dock_close button").first.click()
    pill = canvas.locator(".st-key-explore_dock_open button", has_text="24 results").first
    pill.wait_for()
    canvas.locator(".st-key-explore_rail_close button").first.click()
    canvas.locator(".st-key-explore_rail_panel").wait_for(state="hidden")
    canvas.wait_for_function(
        "width => document.querySelector('.st-key-explore_top').offsetWidth > width",
        arg=free["width"],
    )
    # panels are measured when the browser next draws, which can be later than the lines above
    canvas.wait_for_function(f"window.__terraseek.{KEY}.free.insets.left === 0")
    wide = box(canvas, ".ts-free")
    assert wide["x"] == 0
    assert wide["width"] > free["width"] + 400
    assert canvas.evaluate(view) == center
    assert covers(canvas, (PANELS[0], PANELS[2], *CONTROLS)) == []
    pill.click()
    canvas.locator(".tile").first.wait_for()
    canvas.locator(".st-key-explore_filters button").first.click()
    canvas.locator(".st-key-explore_rail_panel").wait_for()


def test_on_phones_the_map_comes_first_then_the_bar_then_the_results(
    phone: Any, map_state: Callable[..., Any]
) -> None:
    search(phone, "red")
    map_state(phone, KEY, "s => s.hits === 24")
    phone.locator(".tile").first.wait_for()
    assert phone.locator(".st-key-explore_rail_panel").is_hidden()
    place, bar, results = (box(phone, name) for name in (".ts-map", PANELS[0], PANELS[2]))
    assert place["height"] >= 280
    assert place["y"] + place["height"] <= bar["y"]
    assert bar["y"] + bar["height"] <= results["y"] < 844, "the results begin below the window"
    assert covers(phone, (*CONTROLS, ".st-key-explore_top")) == []

    top = phone.locator("[data-testid=stMain]").evaluate("main => main.scrollTop")
    # as a click on a mark that is no cluster
    phone.evaluate(f"(w => w.pick(w.hitsLayer.hits[5], 'hit'))(window.__terraseek.{KEY})")
    phone.locator(".st-key-explore_card img").wait_for()
    assert phone.locator("[data-testid=stMain]").evaluate("main => main.scrollTop") == top
    card = box(phone, ".st-key-explore_card")
    assert card["y"] + card["height"] == pytest.approx(844, abs=1)
    assert overlap(card, place) < 0.5 * place["width"] * place["height"]

    phone.locator(".st-key-explore_close button:visible").click()
    phone.locator(".st-key-explore_card").wait_for(state="detached")
    phone.locator(".st-key-explore_filters_narrow button:visible").click()
    phone.locator(".st-key-explore_rail_panel").wait_for()
