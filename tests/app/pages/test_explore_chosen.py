"""Several hits selected at once: count, link, search with them."""

from streamlit.testing.v1 import AppTest

from helpers.page_steps import Open, click_button, hit_captions, item_id, page_text, run
from terraseek_app.pages.explore.hits.chosen import MAX_CHOSEN


def test_chosen_hits_are_in_the_link_and_searched_with(open_page: Open) -> None:
    names = [f"a red field near {city}" for city in ("Paris", "Lima")]
    ids = [item_id(name) for name in names]
    page = open_page("explore", q="red")
    page.session_state["explore_chosen"] = ids
    run(page)
    assert "<b>2</b> selected" in page_text(page)
    assert page.query_params["pick"] == ids

    other = open_page("explore", q="red")
    other.session_state["explore_chosen"] = [*ids, "no-such-hit"]
    run(other)
    assert set(other.session_state["explore_chosen"]) == set(ids)  # only hits that are shown
    click_button(other, "Search with these")
    assert set(other.session_state["explore_likes"]) == set(ids)
    assert other.session_state["explore_chosen"] == []
    assert not set(names) & set(hit_captions(other))
    assert "red" in hit_captions(other)[0]
    assert "pick" not in other.query_params


def test_clear_and_too_many(open_page: Open) -> None:
    page = open_page("explore", q="red", pick=item_id("a red field near Tokyo"))
    assert "<b>1</b> selected" in page_text(page)
    page.button(key="explore_chosen_clear").click()
    run(page)
    assert "selected" not in page_text(page)
    page.session_state["explore_chosen"] = []

    def script() -> None:
        import streamlit as st

        from terraseek_app.pages.explore.hits.chosen import choose_hits
        from terraseek_app.pages.explore.state import preserve_session

        preserve_session()
        choose_hits([f"item {number}" for number in range(150)])
        choose_hits(["item 3", "item 4"], on=False)
        st.session_state.count = len(st.session_state.explore_chosen)

    test = run(AppTest.from_function(script))
    assert test.session_state["count"] == MAX_CHOSEN - 2
