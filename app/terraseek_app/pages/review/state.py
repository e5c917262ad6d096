"""The Review page's memory and what its buttons do; plain values under `review_*`."""

from copy import copy
from typing import Any, Literal

import pandas as pd
import streamlit as st

from terraseek.catalogue.metadata.text_repair import restore_degrees
from terraseek.errors import TerraSeekError
from terraseek.review import CRITERIA, Flag, Review, ReviewLog, caption_flags, now
from terraseek.review.records import Action, new_id
from terraseek_app.pages.review.queue import KINDS, following, queue_items
from terraseek_app.server import state

__all__ = [
    "Step",
    "begin",
    "cancel_edit",
    "change_rater",
    "current_queue",
    "flags_of",
    "focus",
    "is_wanted",
    "log",
    "queue_changed",
    "score",
    "set_rater",
    "settle",
    "setup",
    "start_edit",
    "unscored",
    "want",
]

Step = Action | Literal["keep", "back"]
"""What a rater can do with an item; `keep` goes on and leaves an earlier record as it stands."""

_DEFAULTS: dict[str, Any] = {
    "review_name": "",
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


def setup() -> None:
    """Seed missing keys; the rater's name comes back with the address of the page."""
    for key, value in _DEFAULTS.items():
        st.session_state.setdefault(key, copy(value))
    if not st.session_state.review_name:
        st.session_state.review_name = st.query_params.get("rater", "").strip()
    if st.session_state.review_name:
        st.query_params["rater"] = st.session_state.review_name
    if "review_kind" not in st.session_state:
        st.session_state.review_kind = "search" if _hits() else "open"
    elif st.session_state.review_kind == "search" and not _hits():
        st.session_state.review_kind = "open"


def log() -> ReviewLog:
    """The log of the served catalogue."""
    return ReviewLog.open(state.catalogue().path)


def current_queue() -> list[str]:
    """Items of the chosen queue, in working order."""
    session = st.session_state
    return queue_items(
        session.review_kind,
        _items(str(state.catalogue().path), state.catalogue().count),
        log(),
        session.review_name,
        hits=_hits(),
        sources=session.get("review_sources") or (),
        labels=session.get("review_labels") or (),
    )


@st.cache_data(max_entries=4, show_spinner=False)
def _items(path: str, count: int) -> pd.DataFrame:
    return state.catalogue().items(columns=["item_id", "source", "label"])


def _hits() -> list[str]:
    return list(st.session_state.get("explore_hits") or [])


def set_rater(name: str | None = None) -> None:
    """Take the typed name, or one that was clicked."""
    chosen = " ".join((name or st.session_state.get("review_rater") or "").split())
    st.session_state.review_name = chosen
    _show(None)


def change_rater() -> None:
    """Ask for the name again."""
    st.session_state.review_name = ""
    st.query_params.pop("rater", None)
    _show(None)


def queue_changed() -> None:
    """Start the chosen queue where this rater left off."""
    _show(None)


def begin(item_id: str) -> None:
    """Fill the form for an item: empty, or with what this rater said before."""
    session = st.session_state
    if session.review_shown == item_id:
        return
    before = log().current_of(item_id, session.review_name)
    session.review_item = session.review_shown = item_id
    session.review_scores = dict(before.scores) if before else {}
    session.review_comment = before.comment if before else ""
    session.review_text = (before.edited or "") if before else ""
    session.review_editing = False
    session.review_started = now()
    session.review_event = new_id()
    session.review_focus = unscored()


def focus(key: str) -> None:
    """Open a criterion for scoring."""
    st.session_state.review_focus = key


def score(item_id: str, key: str, value: int) -> None:
    """Give a score and go on to the next criterion without one.

    Two keys struck before the page could follow arrive together and in no order: neither counts
    then, and the criterion stays open.
    """
    session = st.session_state
    if session.review_item != item_id:
        return
    session.review_struck = [*session.review_struck, value]
    scores = {k: v for k, v in session.review_scores.items() if k != key}
    session.review_scores = scores if len(session.review_struck) > 1 else {**scores, key: value}
    session.review_focus = unscored()


def unscored() -> str | None:
    """The criterion to score next."""
    given = st.session_state.review_scores
    return next((c.key for c in CRITERIA if c.key not in given), None)


def start_edit(caption: str) -> None:
    """Open the caption for writing; degree signs that got lost are put back."""
    st.session_state.review_text = st.session_state.review_text or restore_degrees(caption)
    st.session_state.review_editing = True


def cancel_edit() -> None:
    """Leave the caption as it was."""
    st.session_state.review_text = ""
    st.session_state.review_editing = False


def want(item_id: str, step: Step) -> None:
    """Ask for a decision or a move; it happens in `settle`."""
    st.session_state.review_wanted = [*st.session_state.review_wanted, (item_id, step)]


def is_wanted() -> bool:
    """Whether something was asked for that `settle` has to do; else a new run begins here."""
    if st.session_state.review_wanted:
        return True
    st.session_state.review_struck = []
    return False


def settle() -> None:
    """Do what was asked for; call at the start of a run.

    A score and a decision struck together arrive in one run, so decisions wait until all buttons
    have had their say. Two decisions at once contradict each other, and neither counts.
    """
    session = st.session_state
    wanted, struck = session.review_wanted, session.review_struck
    session.review_wanted, session.review_struck = [], []
    if len(wanted) != 1 or len(struck) > 1:
        return
    session.review_error = None
    try:
        _do(*wanted[0])
    except TerraSeekError as error:  # the form stays as it is, to try again
        session.review_error = str(error)


def _do(item_id: str, step: Step) -> None:
    """One step, unless the click was meant for an item that has gone by."""
    session = st.session_state
    if session.review_item != item_id or session.review_shown != item_id:
        return
    queue = current_queue()
    if step == "back":
        place = queue.index(item_id) if item_id in queue else len(queue)
        if place > 0:
            _show(queue[place - 1])
    elif step == "retract":
        log().append(Review(item_id=item_id, rater=session.review_name, action="retract"))
        session.review_shown = None
    else:
        if step != "keep":
            log().append(_review(state.catalogue().item(item_id), step))
        _show(following(session.review_kind, queue, log(), session.review_name, item_id))
        session.review_finished = session.review_item is None


def _review(item: dict[str, Any], action: Action) -> Review:
    session = st.session_state
    caption = str(item.get("caption") or "")
    edited = " ".join(str(session.get("review_text") or "").split())
    if action == "edit" and edited and edited == " ".join(caption.split()):
        action = "accept"  # nothing was changed
    return Review(
        item_id=str(item["item_id"]),
        rater=session.review_name,
        action=action,
        caption=caption,
        edited=edited if action == "edit" else None,
        scores=session.review_scores,
        comment=str(session.get("review_comment") or "").strip(),
        flags=tuple(flag.code for flag in flags_of(item)),
        image=str(item.get("image") or ""),
        queue=_queue_words(),
        started_at=session.review_started,
        event_id=session.review_event,
    )


def _show(item_id: str | None) -> None:
    st.session_state.review_item = item_id
    st.session_state.review_shown = None
    st.session_state.review_finished = False


def _queue_words() -> str:
    session = st.session_state
    parts = [KINDS[session.review_kind]]
    if session.review_kind == "search" and session.get("explore_text"):
        parts.append(f"“{session.explore_text}”")
    for name in ("sources", "labels"):
        if chosen := session.get(f"review_{name}"):
            parts.append(f"{name} {', '.join(chosen)}")
    return "; ".join(parts)


def flags_of(item: dict[str, Any]) -> tuple[Flag, ...]:
    """Automatic hints about an item's caption, length included when the encoder is there."""
    try:
        count = state.encoder().token_count
    except TerraSeekError:  # reviewing needs no model
        count = None
    return caption_flags(str(item.get("caption") or ""), count, item)
