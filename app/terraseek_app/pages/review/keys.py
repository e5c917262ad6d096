"""The keyboard of Review: presses wait in the browser until the server has taken them, in order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.review.criteria import MAX_SCORE, MIN_SCORE
from terraseek_app.pages.review import state as act
from terraseek_app.server import state

__all__ = ["KEYS", "keyboard", "take"]

KEYS: dict[str, str] = {
    **{str(value): "score" for value in range(MIN_SCORE, MAX_SCORE + 1)},
    "a": "accept",
    "Enter": "accept",
    "e": "start_edit",
    "n": "rate",
    "s": "skip",
    "b": "back",
}
"""What each key asks for; `skip` leaves an earlier record as it stands."""
_KEY = "review_keys"


@st.cache_resource(show_spinner=False)
def _component() -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return st.components.v2.component("terraseek_keys", html="<span></span>\n", js="\n" + script)


def keyboard(item_id: str) -> None:
    """Listen for keys on behalf of an item; draws nothing.

    The browser sends all presses that were not acknowledged yet, each with the item that was on
    the screen and a rising number, so that none is lost and none counts for another item. After a
    decision it ignores keys until the next item is there to be seen.
    """
    _component()(
        key=_KEY,
        data={
            "item": item_id,
            "taken": st.session_state.review_taken,
            "keys": sorted(KEYS),
            "final": [key for key in sorted(KEYS) if not key.isdecimal()],
        },
        on_presses_change=_take,
    )


def _take() -> None:
    presses = st.session_state[_KEY].get("presses")
    if isinstance(presses, list):
        take(presses)


def take(presses: Sequence[Any]) -> None:
    """Do what keys ask for, in the order they were struck, each once and for its own item.

    Args:
        presses: {"number", "item", "key"} as the browser sends them; those taken before come again
            until the browser has heard of it. The first decision ends an item, so what follows it
            is left out.
    """
    session = st.session_state
    for press in presses:
        if not isinstance(press, dict) or not isinstance(press.get("number"), int | float):
            continue
        if press["number"] <= session.review_taken:
            continue
        session.review_taken = press["number"]
        if press.get("item") == session.review_item and not session.review_wanted:
            _strike(str(press["item"]), str(press.get("key")))


def _strike(item_id: str, key: str) -> None:
    """One key, if the page offers what it asks for."""
    session = st.session_state
    asked = KEYS.get(key)
    if asked is None or session.review_editing:
        return
    if asked == "score":
        if session.review_focus:
            session.review_scores = {**session.review_scores, session.review_focus: int(key)}
            session.review_focus = act.unscored()
        return
    caption = str(state.catalogue().item(item_id).get("caption") or "")
    if asked == "start_edit":
        act.start_edit(caption)
    elif asked == "skip":
        again = act.log().current_of(item_id, session.review_name) is not None
        act.want(item_id, "keep" if again else "skip")
    elif asked == "accept" and caption.strip():
        act.want(item_id, "accept")
    elif asked == "rate" and session.review_scores:
        act.want(item_id, "rate")
    elif asked == "back":
        act.want(item_id, "back")
