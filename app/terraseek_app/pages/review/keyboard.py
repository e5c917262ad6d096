"""Keyboard control of the Review page.

The browser keeps key presses until the server has confirmed them, so that none is lost.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.review.criteria import MAX_SCORE, MIN_SCORE
from terraseek_app.pages.review.decisions import request
from terraseek_app.pages.review.state import first_unscored, review_log, start_edit
from terraseek_app.server import state

__all__ = ["KEYS", "handle_presses", "keyboard"]

KEYS: dict[str, str] = {
    **{str(value): "score" for value in range(MIN_SCORE, MAX_SCORE + 1)},
    "a": "accept",
    "Enter": "accept",
    "e": "start_edit",
    "n": "rate",
    "s": "skip",
    "b": "back",
}
"""Key -> what it does; `skip` leaves an earlier record of the rater unchanged."""
_COMPONENT_KEY = "review_keys"


@st.cache_resource(show_spinner=False)
def _component() -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return st.components.v2.component("terraseek_keys", html="<span></span>\n", js="\n" + script)


def keyboard(item_id: str) -> None:
    """Listen to key presses for an item; draws nothing.

    The browser sends all presses that are not confirmed yet, each with the item that was shown and
    an increasing number. After a decision it ignores keys until the next item is shown.
    """
    _component()(
        key=_COMPONENT_KEY,
        data={
            "item": item_id,
            "queue": st.session_state.review_kind,
            "taken": st.session_state.review_taken,
            "keys": sorted(KEYS),
            "final": [key for key in sorted(KEYS) if not key.isdecimal()],
        },
        on_presses_change=_on_presses,
    )


def _on_presses() -> None:
    presses = st.session_state[_COMPONENT_KEY].get("presses")
    if not isinstance(presses, list):
        return
    try:
        handle_presses(presses)
    except TerraSeekError as error:
        st.session_state.review_error = str(error)


def handle_presses(presses: Sequence[Any]) -> None:
    """Handle key presses in their order, each once, and only for the item they were made for.

    Args:
        presses: {"number", "item", "key"} as the browser sends them. Presses that were handled
            before are ignored, as are presses after the first decision about an item.
    """
    session = st.session_state
    for press in presses:
        if not isinstance(press, dict) or not isinstance(press.get("number"), int | float):
            continue
        if press["number"] <= session.review_taken:
            continue
        session.review_taken = press["number"]
        if press.get("item") == session.review_item and not session.review_wanted:
            _handle(str(press["item"]), str(press.get("key")))


def _handle(item_id: str, key: str) -> None:
    """Do what a key stands for, if the page currently offers it."""
    session = st.session_state
    action = KEYS.get(key)
    if action is None or session.review_editing:
        return
    if action == "score":
        if session.review_focus:
            session.review_scores = {**session.review_scores, session.review_focus: int(key)}
            session.review_focus = first_unscored()
        return
    caption = str(state.catalogue().item(item_id).get("caption") or "")
    if action == "start_edit":
        start_edit(caption)
    elif action == "skip":
        has_record = review_log().current_of(item_id, session.review_name) is not None
        request(item_id, "keep" if has_record else "skip")
    elif action == "accept" and caption.strip():
        request(item_id, "accept")
    elif action == "rate" and session.review_scores:
        request(item_id, "rate")
    elif action == "back":
        request(item_id, "back")
