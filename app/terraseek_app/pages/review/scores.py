"""Scoring: one criterion open with its five levels in words, the others a line each."""

import streamlit as st

from terraseek.review import CRITERIA, Criterion
from terraseek.review.criteria import MAX_SCORE, MIN_SCORE
from terraseek_app.pages.review import state as review_state

__all__ = ["criteria"]


def criteria(item_id: str) -> None:
    """Draw the criteria; keys 1 to 5 score the open one."""
    for criterion in CRITERIA:
        if st.session_state.review_focus == criterion.key:
            _open(criterion, item_id)
        else:
            _closed(criterion)


def _open(criterion: Criterion, item_id: str) -> None:
    given = st.session_state.review_scores.get(criterion.key)
    with st.container(border=True, key="review_open", gap="small"):
        st.html(
            f'<div class="ts-criterion"><b>{criterion.title}</b> '
            f'<span class="ts-quiet">{criterion.question}</span></div>'
        )
        for value in range(MAX_SCORE, MIN_SCORE - 1, -1):
            st.button(
                criterion.level(value),
                key=f"review_level_{value}",
                shortcut=str(value),
                type="primary" if given == value else "secondary",
                width="stretch",
                on_click=review_state.score,
                args=(item_id, criterion.key, value),
            )


def _closed(criterion: Criterion) -> None:
    given = st.session_state.review_scores.get(criterion.key)
    words = "not scored yet" if given is None else f"{given} · {criterion.level(given)}"
    st.button(
        f"**{criterion.title}** :gray[{words}]",
        key=f"review_focus_{criterion.key}",
        icon=":material/radio_button_unchecked:" if given is None else ":material/check_circle:",
        type="tertiary",
        width="stretch",
        on_click=review_state.focus,
        args=(criterion.key,),
    )
