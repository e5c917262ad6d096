"""Keys of raters in the local storage of the browser, so that a rater signs in once per browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["browser_keys", "valid_entries"]

_COMPONENT_KEY = "review_browser_keys"
_MOST = 8
"""Raters of one browser who are offered."""


@st.cache_resource(show_spinner=False)
def _component() -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return st.components.v2.component(
        "terraseek_rater_keys", html="<span></span>\n", js="\n" + script
    )


def browser_keys(log_id: str, received: Callable[[dict[str, str]], None]) -> None:
    """Keep the key of the session's rater in the browser, or ask the browser for its keys.

    Draws nothing.

    Args:
        log_id: id of the review log; logs that are served under one address have keys of their own.
        received: called with name and key of each rater of this browser, before the next run.
    """
    session = st.session_state

    def on_kept() -> None:
        received(valid_entries(session[_COMPONENT_KEY].get("kept")))

    _component()(
        key=_COMPONENT_KEY,
        data={
            "log": log_id,
            "rater": session.review_name,
            "key": session.review_key,
            "known": [list(entry) for entry in session.review_kept.items()],
            "forget": session.review_forget,
            "most": _MOST,
        },
        on_kept_change=on_kept,
    )


def valid_entries(entries: object) -> dict[str, str]:
    """Name and key of each rater as the browser sends them; anything malformed is left out."""
    return {
        entry[0]: entry[1]
        for entry in (entries if isinstance(entries, list) else [])[:_MOST]
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(e, str) for e in entry)
    }
