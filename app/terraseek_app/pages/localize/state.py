"""Session state of the Localize page: its keys, and the history of answered questions."""

from typing import Any

import streamlit as st

__all__ = [
    "DEFAULTS",
    "add_to_history",
    "clear_result",
    "history",
    "preserve_session",
    "show_from_history",
    "suggest_text",
]

HISTORY_LENGTH = 24
"""Answered questions kept in a session; at most the heat maps the server keeps for all sessions."""

DEFAULTS: dict[str, Any] = {
    "localize_source": None,
    "localize_text": "",
    "localize_minus": "",
    "localize_ask": False,
    "localize_job": None,
    "localize_asked": None,
    "localize_heat": None,
    "localize_heats": [],
    "localize_unseen": False,
    "localize_partial": [],
    "localize_coarse": [],
    "localize_lines": "",
    "localize_lines_of": "",
    "localize_scales": "",
    "localize_method": "terraseek",
    "localize_picture": "",
    "localize_picture_name": "",
    "localize_like": None,
    "localize_turns": [],
    "localize_uploads": {},
    "localize_truth": {},
    "localize_truth_ask": "",
    "localize_truth_of": 0,
    "localize_fly": None,
    "localize_region": None,
    "localize_threshold": None,
    "localize_stretch": False,
    "localize_side": 0,
    "localize_taken": "",
}
"""Session keys of the page with their default values; plain values only.

`localize_heats` are the ids of the heat maps shown, one for each sentence, and `localize_heat` is
the first of them; `localize_unseen` is whether they are new, so that the map is drawn before the
panel. `localize_partial` are those of the windows encoded so far, and
`localize_coarse` all of these of the last question, which the next one removes. `localize_region`
is sentence and rank of the region looked at. `localize_threshold` is where the user set the
threshold, 0-1 of the heat map's display range, `localize_stretch` whether colours are stretched to
the scene, `localize_side` the window side whose map is shown alone, or 0. `localize_truth` is
scene -> sentence -> outlines in pixels.
`localize_source`, the scene, is `example:<scene id>`, `item:<item id>` or `upload:<token>`.
`localize_picture`, a query image, is one of the last two, or empty for a text query.
"""


def preserve_session() -> None:
    """Set missing keys to their defaults, and keep the others while another page is shown.

    Streamlit drops the keys of widgets that a run does not draw, unless they are assigned.
    """
    for key, value in DEFAULTS.items():
        default = value.copy() if isinstance(value, list | dict) else value
        st.session_state[key] = st.session_state.get(key, default)


def suggest_text(text: str) -> None:
    """Fill an empty text field with a sentence from Explore, once for each sentence.

    Must be called before the form is drawn.
    """
    if text and text != st.session_state.localize_taken:
        st.session_state.localize_taken = text
        if not st.session_state.localize_text:
            st.session_state.localize_text = text


def clear_result() -> None:
    """Remove the heat map and the running job, after another scene was chosen."""
    st.session_state.update(
        localize_heat=None,
        localize_heats=[],
        localize_partial=[],
        localize_job=None,
        localize_fly=None,
        localize_region=None,
        localize_threshold=None,
    )


def add_to_history(source: str, label: str, form: dict[str, Any], heat_ids: list[str]) -> None:
    """Put an answered question first in the history, and remove an equal older one.

    Args:
        source: the scene, as in `localize_source`.
        label: the sentences that were answered, or the query image's name.
        form: form values of the question, as a `LocalizeForm` as a dictionary.
        heat_ids: ids of the heat maps, one for each sentence.
    """
    text = "" if form["image"] else label
    entry = {"source": source, "label": label, "heats": heat_ids, "form": form | {"text": text}}
    older = [other for other in st.session_state.localize_turns if not _is_same(other, entry)]
    st.session_state.localize_turns = [entry, *older][:HISTORY_LENGTH]


def history(source: str | None) -> list[dict[str, Any]]:
    """Questions answered for a scene, the latest first."""
    return [entry for entry in st.session_state.localize_turns if entry["source"] == source]


def show_from_history(entry: dict[str, Any]) -> None:
    """Show the heat map and the form values of an earlier question again."""
    form = entry["form"]
    st.session_state.update(
        localize_heat=entry["heats"][0],
        localize_heats=entry["heats"],
        localize_text=form["text"],
        localize_minus=form["minus"],
        localize_picture=form["image"],
        localize_picture_name=form["image_name"],
        localize_method=form["method"],
        localize_scales=", ".join(map(str, form["scales"])),
        localize_fly=None,
        localize_region=None,
        localize_threshold=None,
        localize_unseen=True,
    )


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("source", "form"))
