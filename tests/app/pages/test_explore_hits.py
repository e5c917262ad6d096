"""Sorting, cutting, figures and comparison of the hits of Explore."""

from dataclasses import replace

import pytest

from helpers.page_steps import Open, click_button, hit_captions, page_text, run
from terraseek.search import Hit
from terraseek.search.ranking import compare_rankings
from terraseek_app.pages.explore.history.compare import overlap_text, rank_changes
from terraseek_app.pages.explore.history.comparison import Comparison, first_markers
from terraseek_app.pages.explore.hits.cut import Cut
from terraseek_app.pages.explore.hits.facts import HitFacts
from terraseek_app.pages.explore.hits.figures import chosen_range, hit_counts
from terraseek_app.pages.explore.search import run_search
from terraseek_app.pages.explore.state import SearchForm


def hit(item_id: str, score: float) -> Hit:
    return Hit(item_id, score, None, None, "", "", 1, "", "", "none")


def test_hits_are_sorted_and_cut_and_the_link_keeps_it(open_page: Open) -> None:
    page = open_page("explore", q="red", sort="date", min_score="-1")
    assert [caption.split()[-1] for caption in hit_captions(page)[:3]] == ["Lima"] * 3
    every = open_page("explore", q="red")
    scores = sorted(every.session_state["explore_hits"])
    assert len(scores) == 9
    slider = next(one for one in every.slider if one.label == "Lowest score")
    slider.set_value(slider.max - (slider.max - slider.min) * 0.2)
    run(every)
    kept = hit_captions(every)
    assert 0 < len(kept) < 9
    assert all("red" in caption for caption in kept)
    lowest = every.query_params["min_score"]
    again = open_page("explore", q="red", min_score=lowest)
    assert hit_captions(again) == kept
    click_button(again, "Show all")
    assert len(hit_captions(again)) == 9
    assert "min_score" not in again.query_params
    wrong = open_page("explore", q="red", sort="size", min_score="many")
    assert len(wrong.warning) == 2
    assert len(hit_captions(wrong)) == 9


def test_hits_are_counted_for_the_figures() -> None:
    hits = [hit("a", 0.1), hit("b", 0.2), hit("c", 0.3)]
    facts = {
        "a": HitFacts(country="Peru", month=2, gsd_m=1.0),
        "b": HitFacts(country="Peru", month=3, gsd_m=1.0),
        "c": HitFacts(country="Chile", month=3),
    }
    found = hit_counts(hits, facts)
    assert found["country"][:2] == (["Peru", "Chile"], [2, 1])
    assert found["month"][1][:4] == [0, 1, 2, 0]
    assert "gsd_m" not in found
    positions, heights, width = found["score"]
    assert sum(heights) == 3
    assert positions[0] - width / 2 == pytest.approx(0.1)
    assert chosen_range([], [[3.0, 1.0]], 1) == (1.0, 3.0)
    assert chosen_range([2.0], [], 1) == (1.5, 2.5)
    assert chosen_range([], [], 1) is None


def test_two_searches_are_compared_by_a_link(open_page: Open) -> None:
    page = open_page("explore", q="red", k="12", compare="q=blue&label=blue")
    assert "<b>3</b> of 9 in common" in page_text(page)
    assert page.query_params["compare"] == "q=blue&label=blue"
    click_button(page, "Stop comparing")
    assert "compare" not in page.query_params
    gone = open_page("explore", q="red", compare="model=nobody")
    assert "not embedded with the model" in page_text(gone)
    assert len(hit_captions(gone)) == 9


def test_a_cut_holds_for_both_sides_of_a_comparison_and_is_said(open_page: Open) -> None:
    form, other = SearchForm("red", k=12), SearchForm("blue", k=12)
    whole = Comparison(("red", "blue"), (run_search(form), run_search(other)))
    scores = sorted(hit.score for ranking in whole.rankings for hit in ranking.hits)
    lowest = scores[len(scores) // 2]
    cut = replace(whole, cut=Cut(min_score=lowest))
    for ids, ranking in zip(cut.ids, whole.rankings, strict=True):
        assert ids == [hit.item_id for hit in ranking.hits if hit.score >= lowest]
    assert 0 < sum(map(len, cut.ids)) < sum(map(len, whole.ids))
    assert {marker["item_id"] for marker in first_markers(cut)} <= set(cut.ids[0])
    assert set(cut.sides()) == set(cut.ids[0]) | set(cut.ids[1])
    counts = [len(ids) for ids in cut.ids]
    said = f"a score of at least {lowest:.3f}: {counts[0]} of 9 and {counts[1]} of 9."
    assert cut.cut_text.endswith(said)
    assert whole.cut_text == ""
    page = open_page("explore", q="red", k="12", compare="q=blue", min_score=f"{lowest:.4f}")
    text = page_text(page)
    assert "On both sides only hits with a score of at least" in text
    assert f"<b>{len(set(cut.ids[0]) & set(cut.ids[1]))}</b> of {max(counts)} in common" in text


def test_hits_of_a_comparison_have_a_side_and_the_link_a_split(open_page: Open) -> None:
    form, other = SearchForm("red", k=12), SearchForm("blue", labels=("blue",), k=12)
    first, second = run_search(form), run_search(other)
    both = Comparison(("red", "blue"), (first, second))
    common = {hit.item_id for hit in first.hits} & {hit.item_id for hit in second.hits}
    assert [both.sides()[hit.item_id] == "both" for hit in second.hits] == [True] * 3
    sides = {marker["item_id"]: marker["side"] for marker in first_markers(both)}
    assert {item for item, side in sides.items() if side == "both"} == common & set(sides)
    assert set(sides.values()) <= {"first", "both"}
    link = {"q": "red", "k": "12", "compare": "q=blue"}
    assert open_page("explore", **link, split="0.3").session_state["explore_split"] == "0.3"
    wrong = open_page("explore", **link, split="2")
    assert "split is '2'" in wrong.warning[0].value
    assert wrong.session_state["explore_split"] == ""


def test_ranks_in_the_other_ranking_are_shown() -> None:
    texts = rank_changes([hit("a", 0.3), hit("b", 0.2)], ["b", "x"])
    assert [one.short for one in texts] == ["only here", "there 1"]
    text = overlap_text(compare_rankings(["a", "b"], ["b", "x"]))
    assert text.startswith("<b>1</b> of 2 in common")
