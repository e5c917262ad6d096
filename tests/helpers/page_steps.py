"""What several tests do with a page that runs without a browser."""

import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from terraseek_app.server import state

SECONDS = 300
"""A run may take that long on a busy machine."""

Open = Callable[..., AppTest]
"""`open_page("explore", q="red")`: a page of a fresh session, run once."""


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, test.exception
    return test


def words(test: AppTest) -> str:
    """All text of the page."""
    parts = [*test.get("html"), *test.markdown, *test.error, *test.info, *test.warning]
    return " ".join(str(getattr(part, "value", None) or part.proto.body) for part in parts)


def hits(test: AppTest) -> list[str]:
    captions = {
        row.item_id: row.caption
        for row in state.catalogue().items(["item_id", "caption"]).itertuples()
    }
    return [captions[item_id] for item_id in test.session_state["explore_hits"]]


def button(test: AppTest, label: str) -> AppTest:
    found = [b for b in test.button if label in b.label]
    assert found, f"no button {label!r} among {[b.label for b in test.button]}"
    found[0].click()
    return run(test)


def item_id(caption: str) -> str:
    items = state.catalogue().items(["item_id", "caption"])
    return str(items.loc[items["caption"] == caption, "item_id"].iloc[0])


def ask(test: AppTest, text: str) -> AppTest:
    """Ask a scene for words, and wait for the answer as the page does."""
    test.text_input(key="localize_text").set_value(text)
    return answered(button(test, "Where?"))


def answered(test: AppTest) -> AppTest:
    """The Localize page once its job is done."""
    until = time.monotonic() + SECONDS
    while test.session_state["localize_job"] is not None:
        assert time.monotonic() < until, "the scene was not answered for"
        run(test)
    return test
