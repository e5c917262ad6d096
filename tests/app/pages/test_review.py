"""The Review page without a browser: records, queues, keyboard."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from terraseek.catalogue import Catalogue, import_source
from terraseek.review import RaterKeys, Review, ReviewLog
from terraseek_app.pages.review.browser_keys import valid_entries
from terraseek_app.pages.review.queue import filtered_ids, next_in_queue, queue_items
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

CAPTIONS = ("a red field", "a green field, off-nadir: 19.34?", "a blue lake", "a grey roof")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    rows = []
    for number, caption in enumerate(CAPTIONS):
        pixels = np.full((40, 40, 3), 50 * number + 20, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        label = "field" if "field" in caption else "other"
        rows.append({"filename": f"{number}.png", "caption": caption, "label": label})
        rows[-1] |= {"lat": 48.0 + number, "lon": 2.0, "gsd_m": 0.5}
    pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
    import_source(tmp_path / "items.csv", tmp_path / "catalogue", name="made")
    return Catalogue.open(tmp_path / "catalogue")


@pytest.fixture
def ids(catalogue: Catalogue) -> list[str]:
    return catalogue.items()["item_id"].tolist()


@pytest.fixture
def log(catalogue: Catalogue) -> ReviewLog:
    return ReviewLog.open(catalogue.path)


class SignedIn:
    """Session values of raters who have signed in; the first time makes their key."""

    def __init__(self, log: ReviewLog) -> None:
        self._keys = RaterKeys(log)
        self._made: dict[str, str] = {}

    def __call__(self, rater: str) -> dict[str, str]:
        if rater not in self._made:
            self._made[rater] = self._keys.claim(rater)
        return {"review_name": rater, "review_key": self._made[rater]}


@pytest.fixture
def open_page(catalogue: Catalogue) -> Iterator[Callable[..., AppTest]]:
    """`open_page(rater, **session)` draws the page for a rater in a session of its own."""
    state.reset(Settings(catalogue=catalogue.path, model="fake"))
    signed_in = SignedIn(ReviewLog.open(catalogue.path))

    def draw(rater: str | None = "Ana", **session: object) -> AppTest:
        page = AppTest.from_function(_page, default_timeout=180)
        if rater:
            session |= signed_in(rater)
        for key, value in session.items():
            page.session_state[key] = value
        return settled(page.run())

    yield draw
    state.reset(Settings())


def _page() -> None:
    from terraseek_app.pages.review import page as review

    review.render()


def settled(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def press(page: AppTest, *keys: str) -> AppTest:
    for key in keys:
        settled(page.button(key=f"review_{key}").click().run())
    return page


def drawn(page: AppTest) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def test_a_name_is_asked_for_first_and_gets_a_key(open_page, log: ReviewLog) -> None:
    page = open_page(None)
    page.text_input(key="review_rater").set_value("  Ana   Lytics ").run()
    assert settled(page).session_state.review_name == "Ana Lytics"
    assert page.query_params["rater"] == "Ana Lytics"
    assert "0</b> of 4" in drawn(page)
    assert log.events() == []
    [shown] = [code.value for code in page.code]
    assert RaterKeys(log).is_valid("Ana Lytics", shown)
    press(page, "new_key_done")
    assert not page.code
    press(page, "accept")
    assert [r.rater for r in log.events()] == ["Ana Lytics"]


def test_a_name_in_the_address_is_nobody(open_page, log: ReviewLog, ids) -> None:
    press(open_page("Alice"), "accept")
    page = AppTest.from_function(_page, default_timeout=180)
    page.query_params["rater"] = "Alice"
    settled(page.run())
    assert page.session_state.review_name == ""
    assert page.text_input(key="review_rater").value == "Alice"
    assert not [b for b in page.button if b.key.startswith("review_known_")]
    press(page, "go")
    assert page.session_state.review_name == ""
    assert "is taken" in page.error[0].value
    page.text_input(key="review_own_key").set_value("aaaa-bbbb").run()
    assert "not the key of Alice" in page.error[0].value
    assert page.session_state.review_name == ""
    assert [r.action for r in log.history(ids[0])] == ["accept"]


def test_a_rater_continues_on_another_device_with_the_key(open_page, log: ReviewLog, ids) -> None:
    press(open_page("Alice"), "accept")
    key = RaterKeys(log).replace("Alice")
    page = open_page(None)
    page.text_input(key="review_rater").set_value("Alice").run()
    page.text_input(key="review_own_key").set_value(key.upper()).run()
    assert settled(page).session_state.review_name == "Alice"
    assert page.session_state.review_item == ids[1]
    assert not page.code  # the key is not new


def test_enter_and_the_button_together_claim_a_name_once(open_page, log: ReviewLog) -> None:
    page = open_page(None)
    page.text_input(key="review_rater").set_value("Ana")
    press(page, "go")
    assert page.session_state.review_name == "Ana"
    assert not page.error
    assert list(RaterKeys(log).made_at()) == ["Ana"]


def test_a_typed_key_counts_before_an_old_one_of_the_browser(open_page, log: ReviewLog) -> None:
    old = RaterKeys(log).claim("Alice")
    new = RaterKeys(log).replace("Alice")
    page = press(open_page(None, review_kept={"Alice": old}), "known_0")
    page.text_input(key="review_own_key").set_value(new).run()
    assert settled(page).session_state.review_name == "Alice"


def test_a_browser_that_kept_a_key_offers_its_name(open_page, log: ReviewLog) -> None:
    key = RaterKeys(log).claim("![x](http://h.example)")
    page = open_page(None, review_kept={"![x](http://h.example)": key, "Bea": "wrong"})
    assert page.button(key="review_known_0").label.startswith("\\!\\[x\\]")
    press(page, "known_1")
    assert page.session_state.review_name == ""
    assert "not valid now" in page.error[0].value
    assert page.session_state.review_forget == ["Bea"]
    press(page, "known_0")
    assert page.session_state.review_name == "![x](http://h.example)"


def test_a_session_whose_key_was_replaced_writes_nothing(open_page, log: ReviewLog) -> None:
    page = press(open_page("Alice"), "accept")
    RaterKeys(log).replace("Alice")
    press(page, "accept")
    assert "another key" in page.error[0].value
    assert len(log.events()) == 1


def test_forgetting_a_rater_signs_out(open_page, log: ReviewLog) -> None:
    page = press(open_page("Alice"), "forget_me")
    assert page.session_state.review_name == page.session_state.review_key == ""
    assert page.session_state.review_forget == ["Alice"]
    assert not page.session_state.review_kept
    assert "rater" not in page.query_params
    page = press(open_page("Bea"), "change", "known_0")
    assert page.session_state.review_name == "Bea"


@pytest.mark.parametrize("sent", [None, 7, {"a": "b"}, [["a"], ["a", 1], "ab", ["Ana", "k"]]])
def test_malformed_entries_of_a_browser_are_left_out(sent: object) -> None:
    assert valid_entries(sent) in ({}, {"Ana": "k"})


def test_scoring_goes_from_criterion_to_criterion(open_page, log: ReviewLog, ids) -> None:
    page = open_page()
    press(page, "level_4", "level_5", "level_3")
    assert page.session_state.review_focus is None
    page.text_input(key="review_comment").set_value("sharp").run()
    press(page, "accept")
    [record] = log.events()
    assert (record.item_id, record.rater, record.action) == (ids[0], "Ana", "accept")
    assert dict(record.scores) == {"relevance_detail": 4, "hallucination": 5, "fluency": 3}
    assert record.caption == CAPTIONS[0]
    assert record.comment == "sharp"
    assert record.image
    assert record.queue == "Reviewed by fewer than two others"
    assert record.seconds is not None
    assert page.session_state.review_item == ids[1]
    assert page.session_state.review_scores == {}
    assert page.text_input(key="review_comment").value == ""
    assert "1</b> of 4" in drawn(page)


def test_editing_restores_degree_signs(open_page, log: ReviewLog, ids) -> None:
    page = press(open_page(), "skip")
    assert "degree sign got lost" in drawn(page)
    press(page, "edit")
    assert page.text_area(key="review_text").value == "a green field, off-nadir: 19.34°"
    press(page, "save")
    record = log.current_of(ids[1], "Ana")
    assert record is not None
    assert (record.action, record.edited) == ("edit", "a green field, off-nadir: 19.34°")
    assert record.flags == ("lost_degree",)
    assert page.session_state.review_item == ids[2]


def test_an_unchanged_edit_is_an_accept_and_an_empty_one_is_refused(
    open_page, log: ReviewLog
) -> None:
    page = press(open_page(), "edit")
    page.text_area(key="review_text").set_value("   ").run()
    press(page, "save")
    assert "edited caption is empty" in page.error[0].value
    assert log.events() == []
    page.text_area(key="review_text").set_value(f" {CAPTIONS[0]} ").run()
    press(page, "save")
    assert [r.action for r in log.events()] == ["accept"]
    assert not page.error


def test_going_back_and_deciding_again_keeps_both_records(open_page, log: ReviewLog, ids) -> None:
    page = press(open_page(), "level_2", "rate", "back")
    assert page.session_state.review_item == ids[0]
    assert page.session_state.review_scores == {"relevance_detail": 2}
    assert "You rated this before" in drawn(page)
    press(page, "accept")
    assert [r.action for r in log.history(ids[0])] == ["rate", "accept"]
    press(page, "back", "keep")
    assert len(log.history(ids[0])) == 2
    press(page, "back", "retract")
    assert log.current() == []
    assert len(log.history(ids[0])) == 3


def test_two_raters_work_side_by_side(open_page, log: ReviewLog, ids) -> None:
    ana, bea = open_page("Ana"), open_page("Bea")
    press(ana, "accept")
    press(bea, "skip")
    assert {(r.rater, r.action) for r in log.history(ids[0])} == {
        ("Ana", "accept"),
        ("Bea", "skip"),
    }
    press(ana, "accept")
    press(bea, "accept")
    assert len(log.history(ids[1])) == 2
    assert bea.session_state.review_item == ids[2]


def test_new_session_resumes_the_queue(open_page, ids) -> None:
    press(open_page(), "accept", "skip")
    assert open_page().session_state.review_item == ids[2]


def test_the_hits_of_explore_are_the_queue(open_page, log: ReviewLog, ids) -> None:
    hits = [ids[3], ids[1]]
    page = open_page(explore_hits=hits, explore_text="grey")
    assert page.session_state.review_item == ids[3]
    press(page, "accept", "accept")
    assert "seen every item" in page.success[0].value
    assert [r.item_id for r in log.events()] == hits
    assert log.events()[0].queue == "Hits of the search in Explore; “grey”"


def test_an_item_sent_by_another_page_is_shown(open_page, ids) -> None:
    assert open_page(review_item=ids[2]).session_state.review_shown == ids[2]


def test_the_filter_narrows_the_queue(open_page, ids) -> None:
    page = open_page()
    page.multiselect(key="review_labels").set_value(["other"]).run()
    assert settled(page).session_state.review_item == ids[2]
    assert "0</b> of 2" in drawn(page)


def test_click_for_an_item_no_longer_shown_is_ignored(open_page, log: ReviewLog, ids) -> None:
    page = press(open_page(), "accept")
    page.session_state.review_wanted = [(ids[0], "skip")]
    settled(page.run())
    assert [r.action for r in log.events()] == ["accept"]


def test_contradicting_keys_in_one_run_are_ignored(open_page, log: ReviewLog, ids) -> None:
    page = open_page()
    page.button(key="review_level_4").click()
    page.button(key="review_level_2").click()
    settled(page.run())
    assert page.session_state.review_scores == {}
    page.session_state.review_wanted = [(ids[0], "accept"), (ids[0], "skip")]
    settled(page.run())
    assert log.events() == []
    page.button(key="review_level_4").click()
    page.button(key="review_accept").click()
    settled(page.run())
    assert [dict(r.scores) for r in log.events()] == [{"relevance_detail": 4}]


def test_queues(log: ReviewLog, ids) -> None:
    items = pd.DataFrame({"item_id": ids, "source": "made", "label": ["f", "f", "o", None]})

    def queue(kind: str, hits: Sequence[str] = (), labels: Sequence[str] = ()) -> list[str]:
        return queue_items(kind, filtered_ids(items, labels=labels), log, "Ana", hits=hits)

    log.append(Review(item_id=ids[0], rater="Bea", action="accept"))
    log.append(Review(item_id=ids[1], rater="Bea", action="skip"))
    log.append(Review(item_id=ids[1], rater="Ana", action="rate", scores={"fluency": 1}))
    log.append(Review(item_id=ids[2], rater="Ana", action="skip"))
    assert queue("all") == ids
    assert queue("open") == ids  # one other rater: Ana is the second
    assert queue("new") == ids[1:]
    assert queue("mine") == [ids[1]]
    assert queue("skipped") == [ids[2]]
    assert queue("all", labels=["f"]) == ids[:2]
    assert queue("search", hits=[ids[3], "gone", ids[0]]) == [ids[3], ids[0]]
    log.append(Review(item_id=ids[3], rater="file", action="rate", source="import"))
    log.append(Review(item_id=ids[3], rater="file 2", action="rate", source="import"))
    assert queue("open") == ids  # imported ratings leave the queue as it is
    log.append(Review(item_id=ids[0], rater="Cem", action="edit", edited="a field"))
    assert queue("open") == ids[1:]
    assert next_in_queue("mine", [ids[1]], log, "Ana") == ids[1]
    assert next_in_queue("mine", [ids[1]], log, "Ana", ids[1]) is None
    assert next_in_queue("all", ids, log, "Ana", ids[1]) == ids[3]


def _page_with_keys() -> None:
    """The page, after the browser sent the key presses in `presses` of the session."""
    import streamlit as st

    from terraseek_app.pages.review import page as review
    from terraseek_app.pages.review.keyboard import handle_presses

    if st.session_state.get("presses") and st.session_state.get("review_item"):
        handle_presses(st.session_state.presses)
    review.render()


def press_keys(page: AppTest, *presses: tuple[int, str, str]) -> AppTest:
    """Presses (number, item, key) as the browser sends them."""
    names = ("number", "item", "key")
    page.session_state["presses"] = [dict(zip(names, p, strict=True)) for p in presses]
    return settled(page.run())


@pytest.fixture
def keyed_page(open_page, log: ReviewLog) -> AppTest:
    page = AppTest.from_function(_page_with_keys, default_timeout=180)
    for key, value in SignedIn(log)("Ana").items():
        page.session_state[key] = value
    return settled(page.run())


def test_keys_that_arrive_together_are_handled_in_order(
    keyed_page: AppTest, log: ReviewLog, ids
) -> None:
    first = ids[0]
    typed = [(1, first, "4"), (2, first, "5"), (3, first, "3"), (4, first, "a")]
    press_keys(keyed_page, *typed)
    [record] = log.events()
    assert (record.item_id, record.action) == (first, "accept")
    assert dict(record.scores) == {"relevance_detail": 4, "hallucination": 5, "fluency": 3}
    assert keyed_page.session_state.review_item == ids[1]
    press_keys(keyed_page, *typed)  # sent again, because they were not confirmed yet
    assert len(log.events()) == 1


def test_keys_apply_to_the_item_they_were_pressed_for(
    keyed_page: AppTest, log: ReviewLog, ids
) -> None:
    first, second = ids[:2]
    press_keys(keyed_page, (1, first, "s"), (2, first, "1"), (3, first, "a"))
    assert [(r.item_id, r.action) for r in log.events()] == [(first, "skip")]
    press_keys(keyed_page, (4, first, "a"), (5, second, "2"))
    assert keyed_page.session_state.review_scores == {"relevance_detail": 2}
    press_keys(keyed_page, (6, second, "n"))
    assert [(r.item_id, r.action) for r in log.events()][1:] == [(second, "rate")]
    press_keys(keyed_page, (7, ids[2], "b"))
    assert keyed_page.session_state.review_item == second
    press_keys(keyed_page, (8, second, "s"))  # reviewed before: the record is kept
    assert len(log.events()) == 2


def test_unknown_keys_are_ignored(keyed_page: AppTest, log: ReviewLog, ids) -> None:
    first = ids[0]
    press_keys(keyed_page, (1, first, "x"), (2, first, "n"), (3, "nobody", "a"))
    keyed_page.session_state["presses"] = [7, {}, {"number": "1"}, {"number": 9, "item": None}]
    settled(keyed_page.run())
    press_keys(keyed_page, (10, first, "e"))
    assert keyed_page.text_area(key="review_text").value == CAPTIONS[0]
    press_keys(keyed_page, (11, first, "1"))
    assert keyed_page.session_state.review_scores == {}
    assert log.events() == []
