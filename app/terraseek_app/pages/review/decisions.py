"""Decisions of a rater: buttons and keys request them, the next run records them.

A score and a decision made at nearly the same time arrive in one run. Decisions are therefore only
collected by the callbacks, and applied once all callbacks of the run were called.
"""

from typing import Any, Literal

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.review import Flag, Review, caption_flags
from terraseek.review.records import Action
from terraseek_app.navigation import explore_query
from terraseek_app.pages.review.queue import QUEUES, next_in_queue
from terraseek_app.pages.review.state import current_queue, review_log, show_item
from terraseek_app.server import state

__all__ = ["Decision", "apply_decisions", "item_flags", "request", "start_run"]

Decision = Action | Literal["keep", "back"]
"""What a rater decides about an item: a recorded action; `keep`, which leaves the earlier record
unchanged and shows the next item; or `back`, which shows the item before."""


def request(item_id: str, decision: Decision) -> None:
    """Request a decision; `apply_decisions` carries it out."""
    st.session_state.review_wanted = [*st.session_state.review_wanted, (item_id, decision)]


def start_run() -> bool:
    """Begin a run of the form; returns whether a decision is waiting for `apply_decisions`."""
    if st.session_state.review_wanted:
        return True
    st.session_state.review_struck = []
    return False


def apply_decisions() -> None:
    """Carry out the requested decision; must be called at the start of a run.

    Two decisions, or two scores, in one run contradict each other: then no decision is carried out.
    If it fails, the form keeps its values so that it can be sent again.
    """
    session = st.session_state
    decisions, scores = session.review_wanted, session.review_struck
    session.review_wanted, session.review_struck = [], []
    if len(decisions) != 1 or len(scores) > 1:
        return
    session.review_error = None
    try:
        _apply(*decisions[0])
    except TerraSeekError as error:
        session.review_error = str(error)


def _apply(item_id: str, decision: Decision) -> None:
    """Carry out a decision, unless it was made for an item that is no longer shown."""
    session = st.session_state
    if session.review_item != item_id or session.review_shown != item_id:
        return
    queue = current_queue()
    if decision == "back":
        position = queue.index(item_id) if item_id in queue else len(queue)
        if position > 0:
            show_item(queue[position - 1])
    elif decision == "retract":
        retraction = Review(item_id=item_id, rater=session.review_name, action="retract")
        review_log().append(retraction, session.review_key)
        session.review_shown = None
    else:
        if decision != "keep":
            record = _record(state.catalogue().item(item_id), decision)
            review_log().append(record, session.review_key)
        log = review_log()
        show_item(next_in_queue(session.review_kind, queue, log, session.review_name, item_id))
        session.review_finished = session.review_item is None


def _record(item: dict[str, Any], action: Action) -> Review:
    """The review record of an item from the values of the form."""
    session = st.session_state
    caption = str(item.get("caption") or "")
    edited = " ".join(str(session.get("review_text") or "").split())
    if action == "edit" and edited and edited == " ".join(caption.split()):
        action = "accept"  # the caption was not changed
    return Review(
        item_id=str(item["item_id"]),
        rater=session.review_name,
        action=action,
        caption=caption,
        edited=edited if action == "edit" else None,
        scores=session.review_scores,
        comment=str(session.get("review_comment") or "").strip(),
        flags=tuple(flag.code for flag in item_flags(item)),
        image=str(item.get("image") or ""),
        queue=_queue_description(),
        started_at=session.review_started,
        event_id=session.review_event,
    )


def _queue_description() -> str:
    """Title of the queue, with its query and filters, for the record."""
    session = st.session_state
    parts = [QUEUES[session.review_kind]]
    if session.review_kind == "search" and explore_query():
        parts.append(f"“{explore_query()}”")
    for name in ("sources", "labels"):
        if chosen := session.get(f"review_{name}"):
            parts.append(f"{name} {', '.join(chosen)}")
    return "; ".join(parts)


def item_flags(item: dict[str, Any]) -> tuple[Flag, ...]:
    """Automatic hints about an item's caption; its length is checked if an encoder is available."""
    try:
        count_tokens = state.encoder().token_count
    except TerraSeekError:  # captions can be reviewed without an encoder
        count_tokens = None
    return caption_flags(str(item.get("caption") or ""), count_tokens, item)
