"""The query in the selected item, answered on the page of Explore."""

import time

from streamlit.testing.v1 import AppTest

from helpers.page_steps import SECONDS, Open, click_button, item_id, page_text, run
from terraseek.localization import HeatMap
from terraseek_app.server import state


def answered(page: AppTest) -> HeatMap:
    """Run the page until the heat map is there."""
    deadline = time.monotonic() + SECONDS
    while page.session_state["explore_spot_heat"] is None:
        assert time.monotonic() < deadline, "the job did not end"
        run(page)
    return state.heat(page.session_state["explore_spot_heat"])


def test_where_is_answered_on_the_card_with_the_whole_question(open_page: Open) -> None:
    paris = item_id("a red field near Paris")
    page = open_page("explore", q="red", minus="blue", sel=paris)
    click_button(page, "Where in this picture?")
    heat = answered(page)
    assert (heat.query, heat.minus) == ("red", ("blue",))
    assert heat.width == 48
    text = page_text(page)
    assert "where is <b>“red minus blue”</b>" in text
    assert page.query_params["spot"] == "1"

    page.text_input(key="explore_text").set_value("green")
    click_button(page, "Search")
    assert page.session_state["explore_spot"] is None
    assert "spot" not in page.query_params


def test_a_link_opens_the_heat_map_and_the_way_back_removes_it(open_page: Open) -> None:
    paris = item_id("a red field near Paris")
    page = open_page("explore", q="red", sel=paris, spot="1")
    assert answered(page).query == "red"
    run(page)
    click_button(page, "Back to the results")
    assert page.session_state["explore_spot"] is None
    assert page.session_state["explore_selected"] == paris
    assert "spot" not in page.query_params
    assert [b for b in page.button if b.key == "explore_where"]


def test_another_item_has_no_heat_map_until_it_is_asked_for(open_page: Open) -> None:
    page = open_page("explore", q="red", sel=item_id("a red field near Paris"), spot="1")
    answered(page)
    page.session_state["explore_selected"] = item_id("a blue field near Lima")
    run(page)
    assert page.session_state["explore_spot"] is None
    assert "Back to the results" not in [b.label for b in page.button]
