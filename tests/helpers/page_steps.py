"""Steps for tests of pages that run without a browser."""

import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from terraseek_app.server import state

SECONDS = 300
"""Timeout of a run, long enough for a busy machine."""

Open = Callable[..., AppTest]
"""`open_page("explore", q="red")` opens a page in a new session and runs it once."""


def run(test: AppTest) -> AppTest:
    """Run the page, and fail on an exception."""
    test.run()
    assert not test.exception, test.exception
    return test


def page_text(test: AppTest) -> str:
    """All text of the page."""
    parts = [*test.get("html"), *test.markdown, *test.error, *test.info, *test.warning]
    return " ".join(str(getattr(part, "value", None) or part.proto.body) for part in parts)


def hit_captions(test: AppTest) -> list[str]:
    """Captions of the hits of Explore, best first."""
    captions = {
        row.item_id: row.caption
        for row in state.catalogue().items(["item_id", "caption"]).itertuples()
    }
    return [captions[item_id] for item_id in test.session_state["explore_hits"]]


def click_button(test: AppTest, label: str) -> AppTest:
    """Click the first button whose label contains a text, and run the page."""
    found = [b for b in test.button if label in b.label]
    assert found, f"no button {label!r} among {[b.label for b in test.button]}"
    found[0].click()
    return run(test)


def item_id(caption: str) -> str:
    """Id of the item with a caption."""
    items = state.catalogue().items(["item_id", "caption"])
    return str(items.loc[items["caption"] == caption, "item_id"].iloc[0])


def localize_text(test: AppTest, text: str) -> AppTest:
    """Localize a sentence in the chosen scene, and wait for the result."""
    test.text_input(key="localize_text").set_value(text)
    return wait_for_result(click_button(test, "Where?"))


def wait_for_result(test: AppTest) -> AppTest:
    """Run the Localize page until its job has ended."""
    deadline = time.monotonic() + SECONDS
    while test.session_state["localize_job"] is not None:
        assert time.monotonic() < deadline, "the job did not end"
        run(test)
    return test
