"""URL parameters of the Review page: queue, filter and item to parameters and back."""

from typing import Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.parameters import Params
from terraseek_app.address import arrived_by, first_value, set_title, update_address
from terraseek_app.navigation import explore_hits
from terraseek_app.pages.review.queue import QUEUES
from terraseek_app.pages.review.state import show_item
from terraseek_app.server import state

__all__ = ["restore", "update"]

_QUEUE, _ITEM, _RATER = "queue", "item", "rater"


def restore() -> list[str]:
    """Set the page to what its address says; returns a message for each unusable parameter."""
    params = arrived_by("review")
    if params is None:
        return []
    notes: list[str] = []
    session = st.session_state
    queue = first_value(params, _QUEUE)
    if queue in QUEUES and (queue != "search" or explore_hits()):
        session.review_kind = queue
    elif queue:
        notes.append(
            f"{_QUEUE} is {queue!r}, which is not available here; there are {', '.join(QUEUES)}. "
            "Hits of a search are a queue only in the session of the search."
        )
    for name, known in (("source", state.catalogue().sources), ("label", state.catalogue().labels)):
        if name in params:
            session[f"review_{name}s"] = [text for text in params[name] if text in known]
    _restore_item(params, notes)
    return notes


def _restore_item(params: Params, notes: list[str]) -> None:
    item_id = first_value(params, _ITEM)
    if not item_id or item_id == st.session_state.review_item:
        return
    try:
        state.catalogue().row(item_id)
    except TerraSeekError as error:
        notes.append(f"{error}; the queue starts at its first item.")
    else:
        show_item(item_id)


def update(caption: str = "") -> None:
    """Keep address and title up to date with what is shown.

    Args:
        caption: caption of the item shown; blank without one.
    """
    session = st.session_state
    params: dict[str, Any] = {
        _RATER: session.review_name,
        _QUEUE: session.review_kind,
        "source": session.get("review_sources") or [],
        "label": session.get("review_labels") or [],
        _ITEM: session.review_item,
    }
    update_address({name: value for name, value in params.items() if value})
    set_title(f"Review: {caption}" if caption else "Review")
