"""Explore in a real browser: sentences, boxes, clicks, and the URL that restores them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.browser_pixels import on_screen, screen_pixels
from helpers.browser_steps import drag

KEY = "explore_map"
TILES = """count => {
    const inside = (root) => [...root.querySelectorAll("*")].flatMap(
        (node) => [node, ...(node.shadowRoot ? inside(node.shadowRoot) : [])]);
    return inside(document).filter((node) => node.className === "tile").length === count;
}"""
"""Whether the gallery, which lives in a shadow root, shows that many images."""


@pytest.fixture
def explore(page: Any, map_state: Callable[..., Any]) -> Any:
    map_state(page, KEY, "s => s.samples === 36")
    return page


def search(page: Any, text: str) -> None:
    box = page.get_by_label("What to look for", exact=True)
    box.fill(text)
    box.press("Enter")


def captions(page: Any) -> list[str]:
    found: list[str] = page.locator(".tile .caption").all_inner_texts()
    return found


def test_a_sentence_shows_images_and_the_same_hits_on_the_map(
    explore: Any, map_state: Callable[..., Any]
) -> None:
    search(explore, "red")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.wait_for_function(TILES, arg=24)
    assert all("red" in caption for caption in captions(explore)[:12])
    image = explore.locator(".tile img").first
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256

    explore.locator(".tile .pick").nth(1).click()
    chosen = explore.locator(".tile").nth(1).get_attribute("data-id")
    map_state(explore, KEY, f"s => s.selected === '{chosen}'")
    explore.locator(".st-key-explore_card").get_by_text("result 2").wait_for()

    map_state(explore, KEY, "s => !s.moving && s.zoom > 15")  # flown to the hit, marks are apart
    explore.locator(".ts-hit").filter(has_text="4").first.dispatch_event("click")
    fourth = explore.locator(".tile").nth(3).get_attribute("data-id")
    explore.locator(f".tile.selected[data-id='{fourth}']").wait_for()
    explore.locator(".st-key-explore_card").get_by_text("result 4").wait_for()


def test_box_limits_the_search_and_the_url_restores_it(
    explore: Any, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    search(explore, "blue")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.evaluate(f"window.__terraseek.{KEY}.map.jumpTo({{center: [6, 46], zoom: 4}})")
    explore.locator(".ts-draw").click()
    drag(explore, (0.2, 0.2), (0.8, 0.8))
    explore.locator(".ts-quiet", has_text="that match the filter (36 in all)").first.wait_for()
    map_state(explore, KEY, "s => s.box !== null && s.hits > 0 && s.hits < 24")
    count = explore.evaluate(f"window.__terraseek.{KEY}.state.hits")
    explore.wait_for_function(TILES, arg=count)
    found = captions(explore)
    assert 3 <= len(found) < 24
    assert {caption.split()[-1] for caption in found} <= {"Paris", "Berlin", "Rome", "Madrid"}
    assert "blue" in found[0]

    explore.wait_for_function("location.search.includes('box=')")
    other = browse(explore.url)
    map_state(other, KEY, f"s => s.hits === {len(found)} && s.box !== null")
    other.wait_for_function(TILES, arg=count)
    assert captions(other) == found

    explore.locator(".st-key-explore_tags button", has_text="area").first.click()
    map_state(explore, KEY, "s => s.hits === 24 && s.box === null")


def test_polygon_limits_the_search_and_is_in_the_url(
    explore: Any, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    search(explore, "blue")
    map_state(explore, KEY, "s => s.hits === 24 && !s.moving")
    explore.evaluate(f"window.__terraseek.{KEY}.map.jumpTo({{center: [6, 46], zoom: 4}})")
    explore.locator(".ts-draw-shape").click()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.3)):
        click_share(explore, x, y)
    found = map_state(explore, KEY, "s => s.shapes.length === 1 && s.hits > 0 && s.hits < 24")[
        "hits"
    ]
    explore.wait_for_function(TILES, arg=found)
    explore.wait_for_function("location.search.includes('polygon=')")
    explore.locator(".st-key-explore_tags button", has_text="shape of 4 corners").first.wait_for()

    other = browse(explore.url)
    map_state(other, KEY, f"s => s.hits === {found} && s.shapes[0]?.length === 4")

    explore.locator(".ts-clear-shape").click()
    map_state(explore, KEY, "s => s.hits === 24 && s.shapes.length === 0")


def test_page_and_map_follow_the_theme(explore: Any) -> None:
    paper = "getComputedStyle(document.querySelector('.stApp')).colorScheme"
    explore.wait_for_function(f"{paper} === 'dark'")
    assert explore.locator(".ts-world.ts-day").count() == 0
    explore.emulate_media(color_scheme="light")
    explore.wait_for_function(f"{paper} === 'light'")
    explore.locator(".ts-world.ts-day").wait_for()
    explore.emulate_media(color_scheme="dark")
    explore.locator(".ts-world:not(.ts-day)").wait_for()


def click_share(page: Any, x: float, y: float) -> None:
    """Click a place on the map, in shares of its width and height."""
    frame = page.locator(".ts-free").bounding_box()
    page.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])


def test_more_like_this_finds_similar_items(explore: Any, map_state: Callable[..., Any]) -> None:
    search(explore, "green")
    map_state(explore, KEY, "s => s.hits === 24")
    first = explore.locator(".tile").first.get_attribute("data-id")
    explore.locator(".tile .like").first.click()
    explore.wait_for_function(f"location.search.includes('like={first}')")
    chip = explore.locator(".st-key-explore_tags button", has_text="like a green field").first
    thumbnail = chip.locator("img")
    assert thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    assert explore.get_by_label("What to look for", exact=True).input_value() == "green"
    explore.locator(f".tile[data-id='{first}']").wait_for(state="detached")
    explore.wait_for_function(TILES, arg=24)
    assert all("green" in caption for caption in captions(explore)[:11])


def test_uploaded_image_and_votes_change_the_ranking(
    explore: Any, source: Path, map_state: Callable[..., Any]
) -> None:
    explore.locator(".st-key-explore_add button").first.click()
    explore.set_input_files("input[type=file]", source.parent / "paris_green.png")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.wait_for_function(TILES, arg=24)
    explore.locator(".st-key-explore_tags button", has_text="paris_green.png").first.wait_for()
    assert all("green" in caption for caption in captions(explore)[:12])

    explore.keyboard.press("Escape")
    last = explore.locator(".tile").nth(23)
    disliked = last.get_attribute("data-id")
    last.locator(".vote.bad").dispatch_event("click")
    explore.locator(".st-key-explore_tags button", has_text="less like 1 picture").first.wait_for()
    explore.locator(f".tile[data-id='{disliked}']").wait_for(state="detached")
    explore.wait_for_function(f"location.search.includes('disliked={disliked}')")


def test_the_page_works_under_its_content_security_policy(
    explore: Any, server: str, map_state: Callable[..., Any]
) -> None:
    answer = explore.request.get(server)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    # the policy reports what it blocks in the console, and `browse` fails on an error there
    search(explore, "red")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.wait_for_function(TILES, arg=24)


def colour_at(page: Any, lon: float, lat: float) -> tuple[int, ...]:
    """RGB of the map on the screen at a coordinate."""
    x, y = on_screen(page, KEY, lon, lat)
    clip = {"x": round(x), "y": round(y), "width": 1, "height": 1}
    return tuple(screen_pixels(page, clip)[0, 0].tolist())


def test_flying_to_a_hit_ends_at_its_pixels(explore: Any, map_state: Callable[..., Any]) -> None:
    search(explore, "red")
    map_state(explore, KEY, "s => s.hits === 24 && s.images")
    explore.wait_for_function(TILES, arg=24)
    explore.locator(".tile .pick").first.click()
    map_state(explore, KEY, "s => !s.moving && s.zoom > 15 && s.hitImages === 1")
    hit = explore.evaluate(f"window.__terraseek.{KEY}.hitsLayer.hits[0]")
    (west, north), (_, _), (east, south), (_, _) = hit["footprint"]
    explore.wait_for_timeout(300)  # the image fades in
    for across, down in ((0.25, 0.3), (0.7, 0.3), (0.3, 0.8)):
        lon, lat = west + across * (east - west), north - down * (north - south)
        assert colour_at(explore, lon, lat) == pytest.approx((205, 40, 40), abs=45)
    # beside the footprint is the basemap, not the image
    red, green, _ = colour_at(explore, west - 0.3 * (east - west), (north + south) / 2)
    assert red < 1.5 * green + 40


def test_hovering_a_tile_lights_its_mark_and_a_mark_its_tile(
    explore: Any, map_state: Callable[..., Any]
) -> None:
    search(explore, "red")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.wait_for_function(TILES, arg=24)
    explore.locator(".tile").nth(2).hover()
    explore.locator(".ts-hit.ts-lit").first.wait_for(state="attached")
    explore.mouse.move(0, 0)
    explore.locator(".ts-hit.ts-lit").first.wait_for(state="detached")
    mark = explore.locator(".ts-hit:visible").first
    mark.dispatch_event("mouseenter")
    item = mark.get_attribute("data-item")
    explore.locator(f".tile.lit[data-id='{item}']").wait_for()


def test_the_map_flies_to_a_typed_place(explore: Any, map_state: Callable[..., Any]) -> None:
    box = explore.get_by_role("combobox", name="Go to a place")
    box.fill("Lyo")
    explore.locator(".ts-place-row").first.get_by_text("Lyon", exact=True).wait_for()
    box.press("Enter")
    map_state(explore, KEY, "s => !s.moving && s.zoom > 9")
    centre = explore.evaluate(f"window.__terraseek.{KEY}.view().center")
    assert centre == pytest.approx([4.85, 45.75], abs=0.05)
    box.fill("33\u00b052'S 151\u00b012'E")
    box.press("Enter")
    map_state(explore, KEY, "s => !s.moving && s.zoom > 13")
    centre = explore.evaluate(f"window.__terraseek.{KEY}.view().center")
    assert centre == pytest.approx([151.2, -33.867], abs=0.01)


def test_back_and_forward_go_through_the_queries(
    explore: Any, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    search(explore, "green")
    map_state(explore, KEY, "s => s.hits === 24 && !s.moving")
    explore.wait_for_function("document.title.startsWith('green')")
    first = explore.locator(".tile").first.get_attribute("data-id")
    search(explore, "blue")
    explore.wait_for_function("location.search.includes('q=blue')")
    from playwright.sync_api import expect

    leading = expect(explore.locator(".tile").first)  # the gallery is in a shadow root
    leading.not_to_have_attribute("data-id", str(first), timeout=60_000)
    explore.go_back()
    leading.to_have_attribute("data-id", str(first), timeout=60_000)
    assert explore.get_by_label("What to look for", exact=True).input_value() == "green"
    explore.wait_for_function("document.title.startsWith('green')")
    explore.go_forward()
    explore.wait_for_function("document.title.startsWith('blue')")
    leading.not_to_have_attribute("data-id", str(first), timeout=60_000)
    assert captions(explore)[0].startswith("a blue")

    explore.evaluate(f"window.__terraseek.{KEY}.map.jumpTo({{center: [6, 46], zoom: 4}})")
    # the link has the middle of what is seen beside the panels
    seen = explore.evaluate(f"window.__terraseek.{KEY}.view().center")
    assert seen[0] < 6, "the results cover more than the filters"
    text = f"view={seen[0]:.5f},{seen[1]:.5f},4.00"
    explore.wait_for_function(f"location.search.includes('{text}')")
    other = browse(explore.url)
    map_state(other, KEY, "s => s.hits === 24 && !s.moving && s.zoom === 4")
    center = other.evaluate(f"window.__terraseek.{KEY}.view().center")
    assert center == pytest.approx(seen, abs=0.05)


def test_a_bar_of_the_filters_is_clicked(explore: Any, map_state: Callable[..., Any]) -> None:
    search(explore, "blue")
    map_state(explore, KEY, "s => s.hits === 24")
    explore.locator(".facet[data-name=label] .row", has_text="red").click()
    map_state(explore, KEY, "s => s.hits === 12")
    explore.wait_for_function("location.search.includes('label=red')")
    assert all("red" in caption for caption in captions(explore))
    explore.locator(".facet[data-name=label] .clear").click()
    map_state(explore, KEY, "s => s.hits === 24")
