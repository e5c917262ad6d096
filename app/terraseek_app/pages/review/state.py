"""Session state of the Review page: rater, queue, current item, and the values of its form."""

from copy import copy
from typing import Any

import streamlit as st

from terraseek.catalogue.places.text_repair import restore_degrees
from terraseek.review import CRITERIA, ReviewLog, now
from terraseek.review.records import new_id
from terraseek_app.navigation import explore_hits
from terraseek_app.pages.review.queue import filtered_ids, queue_items
from terraseek_app.server import state

__all__ = [
    "cancel_edit",
    "current_queue",
    "first_unscored",
    "load_item",
    "open_criterion",
    "review_log",
    "score",
    "setup",
    "show_item",
    "start_edit",
    "start_queue",
]

_DEFAULTS: dict[str, Any] = {
    "review_name": "",
    "review_key": "",
    "review_kept": {},
    "review_forget": [],
    "review_is_new_key": False,
    "review_taken_name": "",
    "review_item": None,
    "review_shown": None,
    "review_scores": {},
    "review_focus": CRITERIA[0].key,
    "review_editing": False,
    "review_started": None,
    "review_event": None,
    "review_error": None,
    "review_struck": [],
    "review_wanted": [],
    "review_taken": 0,
}
"""Session keys of the page with their default values; plain values only.

`review_name` is the rater and `review_key` the key of the name; `review_kept` the names and keys
that the browser has kept, and `review_forget` the names it shall forget; `review_is_new_key`
whether the key was made in this session; `review_taken_name` the name whose key is asked for;
`review_item` the item to show and `review_shown` the item the form was
filled for; `review_focus` the criterion to score; `review_struck` the scores and `review_wanted`
the decisions that arrived since the last run; `review_taken` the number of the last key press.
"""


def setup() -> None:
    """Set missing keys to their defaults; the rater's name is also in the URL.

    The name in a URL signs nobody in; see `sign_in`.
    """
    for key, value in _DEFAULTS.items():
        st.session_state.setdefault(key, copy(value))
    if st.session_state.review_name:
        st.query_params["rater"] = st.session_state.review_name
    if "review_kind" not in st.session_state:
        st.session_state.review_kind = "search" if explore_hits() else "open"
    elif st.session_state.review_kind == "search" and not explore_hits():
        st.session_state.review_kind = "open"


def review_log() -> ReviewLog:
    """The review log of the served catalogue."""
    return ReviewLog.open(state.catalogue().path)


def current_queue() -> list[str]:
    """Item ids of the chosen queue, in working order; not to be changed."""
    session, catalogue = st.session_state, state.catalogue()
    chosen = [tuple(session.get(f"review_{name}") or ()) for name in ("sources", "labels")]
    return queue_items(
        session.review_kind,
        _ids(str(catalogue.path), catalogue.count, *chosen),
        review_log(),
        session.review_name,
        hits=explore_hits(),
    )


# a resource is not copied for each run, which would take longer than a key press may
@st.cache_resource(max_entries=4, show_spinner=False)
def _ids(path: str, count: int, sources: tuple[str, ...], labels: tuple[str, ...]) -> list[str]:
    # path and count are part of the cache key only
    items = state.catalogue().items(columns=["item_id", "source", "label"])
    return filtered_ids(items, sources, labels)


def start_queue() -> None:
    """Start the chosen queue at its first item that the rater has not worked on."""
    show_item(None)


def show_item(item_id: str | None) -> None:
    """Show an item; None shows the next item of the queue."""
    st.session_state.review_item = item_id
    st.session_state.review_shown = None
    st.session_state.review_finished = False


def load_item(item_id: str) -> None:
    """Fill the form for an item with the rater's earlier record, or empty it."""
    session = st.session_state
    if session.review_shown == item_id:
        return
    record = review_log().current_of(item_id, session.review_name)
    session.review_item = session.review_shown = item_id
    session.review_scores = dict(record.scores) if record else {}
    session.review_comment = record.comment if record else ""
    session.review_text = (record.edited or "") if record else ""
    session.review_editing = False
    session.review_started = now()
    session.review_event = new_id()
    session.review_focus = first_unscored()


def open_criterion(key: str) -> None:
    """Open a criterion for scoring."""
    st.session_state.review_focus = key


def score(item_id: str, key: str, value: int) -> None:
    """Score a criterion of an item, and open the next criterion without a score.

    Two scores that arrive before the page was drawn again come in no order: neither counts, and the
    criterion stays open.
    """
    session = st.session_state
    if session.review_item != item_id:
        return
    session.review_struck = [*session.review_struck, value]
    scores = {k: v for k, v in session.review_scores.items() if k != key}
    session.review_scores = scores if len(session.review_struck) > 1 else {**scores, key: value}
    session.review_focus = first_unscored()


def first_unscored() -> str | None:
    """Key of the first criterion without a score; None when all have one."""
    scores = st.session_state.review_scores
    return next((c.key for c in CRITERIA if c.key not in scores), None)


def start_edit(caption: str) -> None:
    """Open the caption for editing, with lost degree signs restored."""
    st.session_state.review_text = st.session_state.review_text or restore_degrees(caption)
    st.session_state.review_editing = True


def cancel_edit() -> None:
    """Close the editor and drop the edited caption."""
    st.session_state.review_text = ""
    st.session_state.review_editing = False
