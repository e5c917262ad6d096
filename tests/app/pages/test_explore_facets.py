"""Explore's filters with counts: what they show, and what choosing in them does."""

from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

from helpers.page_steps import Open, click_button, hit_captions
from terraseek_app.pages.explore.filters.facet_rail import shown_facets
from terraseek_app.pages.explore.search import build_filter
from terraseek_app.pages.explore.state import SearchForm


def counts(form: SearchForm, name: str) -> dict[str, int]:
    (facet,) = shown_facets(form, [name])
    return {one["text"]: one["count"] for one in facet["bins"] if one["count"]}


def test_counts_follow_the_other_filters(open_page: Open) -> None:
    open_page("about")
    st.cache_data.clear()
    assert counts(SearchForm(), "label") == {"blue": 3, "green": 3, "red": 3}
    assert counts(SearchForm(), "captured_at") == {"2020-01": 3, "2020-02": 3, "2020-03": 3}
    paris = SearchForm(box=(0.0, 40.0, 10.0, 50.0), labels=("red",))
    assert counts(paris, "label") == {"blue": 1, "green": 1, "red": 1}
    assert counts(paris, "month") == {"1": 1}
    broken = SearchForm(where="colour = 'red'")
    assert counts(broken, "label") == {"blue": 3, "green": 3, "red": 3}


def test_the_filters_of_a_form_are_all_that_counts_depend_on() -> None:
    form = SearchForm(
        box=(0.0, 40.0, 10.0, 50.0),
        polygons=(((0.0, 40.0), (5.0, 40.0), (0.0, 45.0)),),
        circle=(2.0, 45.0, 100.0),
        where="gsd_m < 1",
        sources=("a",),
        labels=("red",),
        date_from="2020-01-01",
        date_to="2020-12-31",
        with_coordinates=True,
        columns=("month=3",),
        extra=(("id", ("x",)),),
    )
    asked = replace(form, text="red", minus=("blue",), likes=("x",), liked=("y",), k=12)
    assert asked.filters == form.filters == form
    assert repr(build_filter(asked.filters)) == repr(build_filter(asked))


def test_what_is_chosen_is_marked(open_page: Open) -> None:
    open_page("about")
    form = SearchForm(labels=("red",), date_from="2020-02-01", columns=("month=3",))
    for name, marked in (
        ("label", ["red"]),
        ("captured_at", ["2020-02", "2020-03"]),
        ("month", ["3"]),
    ):
        (facet,) = shown_facets(form, [name])
        assert [one["text"] for one in facet["bins"] if one["on"]] == marked
        assert facet["chosen"]


def chosen(*choices: dict[str, Any]) -> dict[str, Any]:
    """Session after choices in a fresh session."""

    def script(choices: tuple[dict[str, object], ...]) -> None:
        from terraseek_app.pages.explore import state as explore_state
        from terraseek_app.pages.explore.filters.facet_rail import choose

        explore_state.preserve_session()
        for choice in choices:
            choose(choice)

    page = AppTest.from_function(script, args=(choices,), default_timeout=60).run()
    assert not page.exception, page.exception
    names = ("labels", "columns", "from", "to")
    return {name: page.session_state[f"explore_{name}"] for name in names}


def test_choices_become_filters_and_are_taken_back() -> None:
    red = {"name": "label", "text": "red"}
    assert chosen(red)["labels"] == ["red"]
    assert chosen(red, red)["labels"] == []
    months = {"name": "captured_at", "text": "2020-02..2020-03", "range": True}
    found = chosen(months)
    assert (str(found["from"]), str(found["to"])) == ("2020-02-01", "2020-03-31")
    assert chosen(months, months)["from"] is None
    fine = {"name": "gsd_m", "text": "0.1..0.6", "range": True}
    other = {"name": "gsd_m", "text": "1..2", "range": True}
    assert chosen(fine, other)["columns"] == ["gsd_m=1..2"]
    assert chosen(fine, {"name": "month", "text": "2"})["columns"] == ["gsd_m=0.1..0.6", "month=2"]
    assert chosen(fine, {"name": "gsd_m", "clear": True})["columns"] == []


def test_a_condition_on_a_column_is_in_the_link_and_has_a_chip(open_page: Open) -> None:
    page = open_page("explore", q="red", column="month=2")
    assert {caption.split()[-1] for caption in hit_captions(page)} == {"Tokyo"}
    assert page.query_params["column"] == "month=2"
    click_button(page, "month 2")
    assert len(hit_captions(page)) == 9
    unknown = open_page("explore", q="red", column="colour=red")
    assert "no column" in unknown.error[0].value
