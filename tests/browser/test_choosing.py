"""Several results selected at once, in the gallery and with a box on the map."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.browser_steps import drag

KEY = "explore_map"
EUROPE = {"Paris", "Berlin", "Rome", "Madrid"}


def test_shift_click_selects_and_the_selection_is_linked_downloaded_and_searched_with(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}/?q=red")
    map_state(page, KEY, "s => s.hits === 24 && !s.moving")
    place = page.locator(".tile").nth(2).bounding_box()
    picks = page.locator(".tile .pick")
    picks.nth(0).click(modifiers=["ControlOrMeta"])
    page.locator(".tile.chosen").first.wait_for()
    picks.nth(2).click(modifiers=["Shift"])
    page.locator(".st-key-explore_chosen_bar", has_text="3 selected").wait_for()
    ids = [page.locator(".tile").nth(n).get_attribute("data-id") for n in range(3)]
    assert map_state(page, KEY, "s => s.chosen.length === 3")["chosen"] == ids
    assert page.locator(".tile").nth(2).bounding_box() == place
    assert page.locator(".st-key-explore_card").count() == 0

    page.wait_for_function("location.search.split('pick=').length === 4")
    other = browse(page.url)
    assert map_state(other, KEY, "s => s.chosen.length === 3")["chosen"] == ids
    other.locator(".tile.chosen").nth(2).wait_for()

    page.locator(".st-key-explore_chosen_bar button", has_text="Download").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="GeoJSON").click()
    written = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert {feature["properties"]["item_id"] for feature in written["features"]} == set(ids)
    page.keyboard.press("Escape")

    page.locator(".tile").nth(1).locator(".choose").click()
    page.locator(".st-key-explore_chosen_bar", has_text="2 selected").wait_for()
    page.locator(".st-key-explore_chosen_search button").first.click()
    page.wait_for_function("location.search.split('like=').length === 3")
    page.locator(".st-key-explore_tags button img:visible").nth(1).wait_for()
    page.locator(f".tile[data-id='{ids[0]}']").wait_for(state="detached")
    assert page.locator(".st-key-explore_chosen_bar").count() == 0


def test_a_box_on_the_map_selects_the_hits_in_it(
    server: str, browse: Callable[[str], Any], map_state: Callable[..., Any]
) -> None:
    page = browse(f"{server}/?q=red")
    map_state(page, KEY, "s => s.hits === 24 && !s.moving")
    page.evaluate(f"window.__terraseek.{KEY}.map.jumpTo({{center: [6, 46], zoom: 4}})")
    page.locator(".ts-choose").click()
    drag(page, (0.02, 0.3), (0.98, 0.95))
    chosen = map_state(page, KEY, "s => s.chosen.length > 0")["chosen"]
    page.locator(".st-key-explore_chosen_bar", has_text=f"{len(chosen)} selected").wait_for()
    state = map_state(page, KEY, "s => s.box === null && !s.armed")
    assert state["hits"] == 24, "the box selects and does not filter"
    captions = page.locator(".tile.chosen .caption").all_inner_texts()
    assert len(captions) == len(chosen) >= 3
    assert {caption.split()[-1] for caption in captions} <= EUROPE
    page.locator(".st-key-explore_chosen_clear button").first.click()
    map_state(page, KEY, "s => s.chosen.length === 0")
