"""The Localize page with another method, and with a query image."""

import pytest

from helpers.page_steps import (
    Open,
    click_button,
    item_id,
    localize_text,
    page_text,
    run,
    wait_for_result,
)
from terraseek_app.server import state


def test_image_from_explore_is_the_query_until_a_sentence_is_entered(open_page: Open) -> None:
    red, green = item_id("a red field near Paris"), item_id("a green field near Lima")
    page = open_page("localize", {"explore_hits": [green, red], "explore_selected": red})
    offered = page.selectbox(key="localize_like")
    assert offered.options == ["2. a red field near Paris", "1. a green field near Lima"]
    wait_for_result(click_button(page, "Look for it"))
    image = state.heat(page.session_state["localize_heat"])
    assert image.query == f"picture of item {red}"
    assert 120 <= image.peak.col <= 200
    assert "looking for what this shows" in page_text(page)

    localize_text(page, "green")
    assert state.heat(page.session_state["localize_heat"]).query == "green"
    assert "looking for what this shows" not in page_text(page)
    click_button(page, f"picture of item {red}")
    assert state.heat(page.session_state["localize_heat"]) is image
    assert "looking for what this shows" in page_text(page)
    assert page.text_input(key="localize_text").value == ""


def test_chosen_method_is_used_by_the_next_query(open_page: Open) -> None:
    page = open_page("localize")
    page.radio(key="localize_method").set_value("selo-v2")
    run(page)
    localize_text(page, "red")
    assert state.heat(page.session_state["localize_heat"]).method == "selo-v2"
    assert "method selo-v2" in page_text(page)
    assert page.radio(key="localize_method").options == [
        "TerraSeek",
        "Windows",
        "SeLo v1",
        "SeLo v2",
    ]


@pytest.mark.parametrize("image", ["upload:gone.png", "item:gone"])
def test_missing_image_is_reported(open_page: Open, image: str) -> None:
    session = {"localize_picture": image, "localize_picture_name": "x", "localize_ask": True}
    page = wait_for_result(open_page("localize", session))
    assert page.error
    assert all("gone" in error.value or "upload it again" in error.value for error in page.error)
