"""Reviewing with the keyboard in a real browser, checked in the review log."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terraseek.catalogue import Catalogue, import_source
from terraseek.review import ReviewLog

STRIKE = """keys => keys.forEach((key) => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true })))"""


@pytest.fixture(scope="module")
def reviewed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of its own, so that reviews do not meet those of other tests."""
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder

    out = tmp_path_factory.mktemp("review") / "cities"
    import_source(source, out, name="cities")
    embed_catalogue(Catalogue.open(out), load_encoder("fake"))
    return out


@pytest.fixture(scope="module")
def review_server(start_server: Callable[[list[str]], str], reviewed: Path) -> str:
    return start_server(["serve", str(reviewed)])


def start(page: Any, rater: str) -> None:
    page.get_by_role("link", name="Review").click()
    page.locator(".st-key-review_rater input").fill(rater)
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-review_picture img")
    page.wait_for_selector(".st-key-review_open")
    settled(page)


def settled(page: Any) -> None:
    """Wait until the page has drawn its answer."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def recorded(catalogue: Path, rater: str, action: str) -> None:
    """Wait until the log holds what a rater did."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any((r.rater, r.action) == (rater, action) for r in ReviewLog.open(catalogue).events()):
            return
        time.sleep(0.2)
    raise AssertionError(f"no {action} of {rater} in the log")


def score(page: Any, *keys: str) -> None:
    """Press score keys as a person does: when the next criterion is there."""
    for number, key in enumerate(keys, start=1):
        page.keyboard.press(key)
        answered = page.locator('[class*="st-key-review_focus_"]', has_text=re.compile(r"\d ·"))
        answered.nth(number - 1).wait_for()
        settled(page)


def test_two_raters_review_with_the_keyboard(
    browse: Callable[[str], Any], review_server: str, reviewed: Path
) -> None:
    ana, bea = browse(review_server), browse(review_server)
    start(ana, "Ana")
    start(bea, "Bea")
    score(ana, "4", "5", "3")
    ana.keyboard.press("a")
    ana.get_by_text("1 accepted").wait_for()
    settled(ana)
    bea.keyboard.press("s")
    recorded(reviewed, "Bea", "skip")
    ana.keyboard.press("e")
    ana.locator(".st-key-review_text textarea").fill("a better caption")
    ana.locator(".st-key-review_save button").click()
    ana.get_by_text("1 edited").wait_for()
    settled(ana)
    ana.keyboard.press("b")
    ana.get_by_text("You edited this before").wait_for()

    records = ReviewLog.open(reviewed).events()
    first, second = Catalogue.open(reviewed).items()["item_id"].iloc[:2]
    actions = [(r.rater, r.item_id, r.action) for r in records]
    assert sorted(actions) == sorted(
        [("Ana", first, "accept"), ("Ana", second, "edit"), ("Bea", first, "skip")]
    )
    [accepted] = [r for r in records if r.action == "accept"]
    assert dict(accepted.scores) == {"relevance_detail": 4, "hallucination": 5, "fluency": 3}
    assert accepted.seconds is not None
    assert accepted.seconds > 0


def test_keys_work_after_choosing_a_queue(
    browse: Callable[[str], Any], review_server: str, reviewed: Path
) -> None:
    page = browse(review_server)
    start(page, "Dora")
    page.locator(".st-key-review_kind input").click()
    page.get_by_role("option", name="The whole catalogue").click()
    settled(page)
    page.wait_for_timeout(1000)
    score(page, "2", "3", "4")
    page.keyboard.press("n")
    recorded(reviewed, "Dora", "rate")
    [rated] = [r for r in ReviewLog.open(reviewed).events() if r.rater == "Dora"]
    assert dict(rated.scores) == {"relevance_detail": 2, "hallucination": 3, "fluency": 4}


def test_keys_faster_than_the_server_are_handled_in_order(
    browse: Callable[[str], Any], review_server: str, reviewed: Path
) -> None:
    cleo = browse(review_server)
    start(cleo, "Cleo")
    # in one go, so that no server can answer between; the last two are for an image not yet seen
    cleo.evaluate(STRIKE, ["2", "5", "1", "a", "4", "4"])
    recorded(reviewed, "Cleo", "accept")
    cleo.get_by_text("1 accepted").wait_for()
    settled(cleo)
    [record] = [r for r in ReviewLog.open(reviewed).events() if r.rater == "Cleo"]
    assert dict(record.scores) == {"relevance_detail": 2, "hallucination": 5, "fluency": 1}
    given = cleo.locator('[class*="st-key-review_focus_"]', has_text=re.compile(r"\d ·"))
    assert given.count() == 0
    score(cleo, "3")
    cleo.keyboard.press("n")
    recorded(reviewed, "Cleo", "rate")
    events = ReviewLog.open(reviewed).events()
    rated = [r for r in events if (r.rater, r.action) == ("Cleo", "rate")]
    assert [dict(r.scores) for r in rated] == [{"relevance_detail": 3}]


def test_a_browser_keeps_the_key_and_a_link_brings_it_to_another(
    browse: Callable[[str], Any], window: Any, review_server: str, reviewed: Path
) -> None:
    eva = browse(review_server)
    start(eva, "Eva")
    link = eva.locator(".st-key-review_copy_link button").get_attribute("title")
    assert re.search(r"/review\?rater=Eva#key=[a-z0-9-]{24}$", link)
    eva.goto(f"{review_server}/review?rater=Eva")  # a new session of the same browser
    eva.wait_for_selector(".st-key-review_open")
    with window.browser.new_context() as elsewhere:
        # the name alone signs nobody in
        other = elsewhere.new_page()
        other.goto(f"{review_server}/review?rater=Eva")
        other.locator(".st-key-review_go button").click()
        other.get_by_text("is taken").wait_for()
        other.goto("about:blank")
        other.goto(link)
        other.wait_for_selector(".st-key-review_open")
        assert "key" not in other.url
        settled(other)
        other.keyboard.press("s")
        recorded(reviewed, "Eva", "skip")
