"""The form of the Review page: scores, comment, caption editor, decision buttons."""

import streamlit as st

from terraseek_app.messages import show_errors
from terraseek_app.pages.review.criteria import criteria
from terraseek_app.pages.review.decisions import Decision, request, start_run
from terraseek_app.pages.review.keyboard import keyboard
from terraseek_app.pages.review.state import cancel_edit, start_edit

__all__ = ["review_form"]


@st.fragment
def review_form(item_id: str, text: str, has_record: bool) -> None:
    """Draw scores, comment and buttons; a fragment, so that a key press reruns only this part.

    Args:
        item_id: the item under review.
        text: its caption.
        has_record: whether the rater has reviewed the item before.
    """
    with show_errors():  # a fragment runs again without the page around it
        _form(item_id, text, has_record)


def _form(item_id: str, text: str, has_record: bool) -> None:
    if start_run():
        st.rerun()
    if st.session_state.review_editing:
        _editor(item_id)
        return
    keyboard(item_id)
    with st.container(key="review_criteria"):
        criteria(item_id)
    st.text_input(
        "Comment", key="review_comment", placeholder="Comment (optional)", max_chars=2000,
        label_visibility="collapsed", icon=":material/chat:",
    )  # fmt: skip
    _actions(item_id, text, has_record)


def _editor(item_id: str) -> None:
    st.text_area("Your caption", key="review_text", height=170, max_chars=2000)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Save caption", type="primary", on_click=request, args=(item_id, "edit"),
            icon=":material/save:", key="review_save",
        )  # fmt: skip
        st.button("Cancel", on_click=cancel_edit, shortcut="Esc", key="review_cancel")


def _actions(item_id: str, text: str, has_record: bool) -> None:
    with st.container(horizontal=True, gap="small", key="review_actions"):
        if text.strip():
            _decision_button(
                "Accept", "accept", item_id, "A", main=True,
                tip="The caption is correct; the scores are saved with it",
            )  # fmt: skip
        st.button("Edit", shortcut="E", on_click=start_edit, args=(text,), key="review_edit")
        if st.session_state.review_scores:
            tip = "Save the scores without accepting the caption"
            _decision_button("Scores only", "rate", item_id, "N", tip=tip)
        if has_record:
            tip = "Leave your record unchanged and show the next item"
            _decision_button("Keep", "keep", item_id, "S", tip=tip)
            tip = "Your record no longer counts; it stays in the history"
            _decision_button("Take back", "retract", item_id, None, tip=tip)
        else:
            tip = "Decide later; skipped items have a queue"
            _decision_button("Skip", "skip", item_id, "S", tip=tip)
        _decision_button("Back", "back", item_id, "B", tip="The item before this one")
    if text.strip():
        # a button has only one shortcut; this hidden one gives Accept the Enter key too
        with st.container(key="review_enter"):
            _decision_button("Accept, too", "accept", item_id, "Enter", key="review_accept_enter")


def _decision_button(
    label: str, decision: Decision, item_id: str, shortcut: str | None,
    *, tip: str | None = None, main: bool = False, key: str | None = None,
) -> None:  # fmt: skip
    st.button(
        label,
        key=key or f"review_{decision}",
        type="primary" if main else "secondary",
        shortcut=shortcut,
        help=tip,
        on_click=request,
        args=(item_id, decision),
    )
