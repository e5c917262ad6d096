"""Earlier and saved searches of Explore."""

from pathlib import Path

import pytest

from helpers.page_steps import Open, click_button, hit_captions, page_text, run
from terraseek.errors import CatalogueError, InputError
from terraseek_app.server.saved_searches import (
    FILE_NAME,
    MAX_SEARCHES,
    delete_search,
    read_searches,
    save_search,
)
from terraseek_app.server.settings import Settings


def test_a_search_is_saved_with_a_name_and_opened_by_others(
    open_page: Open, world: Settings
) -> None:
    assert world.catalogue is not None
    page = open_page("explore", q="red", label="blue", sort="place")
    found = hit_captions(page)
    click_button(page, "Save")
    assert "give the search a name" in page_text(page)
    page.text_input(key="explore_save_name").set_value("blue ones")
    click_button(page, "Save")
    other = open_page("explore", q="green")
    click_button(other, "blue ones")
    assert hit_captions(other) == found
    assert other.session_state["explore_labels"] == ["blue"]
    assert other.query_params["sort"] == "place"
    other.button(key="explore_unsave_0").click()
    run(other)
    assert read_searches(world.catalogue) == []


def test_earlier_searches_of_the_session_can_be_opened(open_page: Open) -> None:
    page = open_page("explore", q="red")
    page.text_input(key="explore_text").set_value("blue")
    click_button(page, "Search")
    assert hit_captions(page)[0].startswith("a blue")
    click_button(page, "red")
    assert hit_captions(page)[0].startswith("a red")
    assert page.text_input(key="explore_text").value == "red"


def test_saved_searches_are_limited_and_checked(tmp_path: Path) -> None:
    for number in range(MAX_SEARCHES):
        save_search(tmp_path, f"search {number}", {"q": "red"})
    with pytest.raises(InputError, match="delete one first"):
        save_search(tmp_path, "one more", {"q": "red"})
    save_search(tmp_path, "search  7 ", {"q": "blue", "label": ["a", "b"]})
    first, *others = read_searches(tmp_path)
    assert (first.name, first.params) == ("search 7", {"q": ["blue"], "label": ["a", "b"]})
    assert len(others) == MAX_SEARCHES - 1
    delete_search(tmp_path, "search 7")
    with pytest.raises(InputError, match="too long"):
        save_search(tmp_path, "long", {"polygon": "0,0;" * 10_000})
    with pytest.raises(InputError, match="1 to 80 characters"):
        save_search(tmp_path, " ", {"q": "red"})
    (tmp_path / FILE_NAME).write_text("[{")
    with pytest.raises(CatalogueError, match="repair or remove"):
        read_searches(tmp_path)
