"""What the Localize page is asked, as plain values in the session."""

from typing import Any

import streamlit as st

__all__ = ["DEFAULTS", "forget_answer", "keep", "remember", "show_turn", "take_over", "turns"]

TURNS_KEPT = 24
"""Questions remembered in a session; as many heat maps as the server keeps for everybody."""

DEFAULTS: dict[str, Any] = {
    "localize_source": None,
    "localize_text": "",
    "localize_minus": "",
    "localize_ask": False,
    "localize_job": None,
    "localize_asked": None,
    "localize_heat": None,
    "localize_scales": "",
    "localize_method": "terraseek",
    "localize_image": "",
    "localize_image_name": "",
    "localize_like": None,
    "localize_turns": [],
    "localize_uploads": {},
    "localize_fly": None,
    "localize_region": None,
    "localize_taken": "",
}
"""Session keys of the page with what they start from; plain values only.

`localize_source` is `example:<scene id>`, `item:<item id>` or `upload:<token>`;
`localize_picture`, what is looked for instead of words, is one of the last two, or empty.
"""


def keep() -> None:
    """Seed missing keys and hold on to the others while their widgets are on another page."""
    for key, value in DEFAULTS.items():
        fresh = value.copy() if isinstance(value, list | dict) else value
        st.session_state[key] = st.session_state.get(key, fresh)


def take_over(text: str) -> None:
    """Offer a sentence asked in Explore here too, once; call before the form is drawn."""
    if text and text != st.session_state.localize_taken:
        st.session_state.localize_taken = text
        if not st.session_state.localize_text:
            st.session_state.localize_text = text


def forget_answer() -> None:
    """Another scene was chosen: what was asked of the last one is no longer shown."""
    st.session_state.update(
        localize_heat=None, localize_job=None, localize_fly=None, localize_region=None
    )


def remember(source: str, words: str, question: dict[str, Any], heat_id: str) -> None:
    """Put an answered question on top of the list, once.

    Args:
        source: the scene.
        words: the one of its sentences that was answered, or the image's name.
        question: as `Question.plain` gives it.
        heat_id: the answer.
    """
    text = "" if question["picture"] else words
    turn = {
        "source": source,
        "words": words,
        "heat": heat_id,
        "question": question | {"text": text},
    }
    old = [t for t in st.session_state.localize_turns if not _same(t, turn)]
    st.session_state.localize_turns = [turn, *old][:TURNS_KEPT]


def turns(source: str | None) -> list[dict[str, Any]]:
    """Questions answered on a scene, the latest first."""
    return [turn for turn in st.session_state.localize_turns if turn["source"] == source]


def show_turn(turn: dict[str, Any]) -> None:
    """Put an earlier question and its answer back on the page."""
    question = turn["question"]
    st.session_state.update(
        localize_heat=turn["heat"],
        localize_text=question["text"],
        localize_minus=question["minus"],
        localize_image=question["picture"],
        localize_image_name=question["image_name"],
        localize_method=question["method"],
        localize_scales=", ".join(map(str, question["scales"])),
        localize_fly=None,
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("source", "question"))
