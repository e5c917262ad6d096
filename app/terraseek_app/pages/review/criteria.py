"""Scoring of the criteria: the open one with its five levels, the others as one line each."""

import streamlit as st

from terraseek.review import CRITERIA, Criterion
from terraseek.review.criteria import MAX_SCORE, MIN_SCORE
from terraseek_app.pages.review.state import open_criterion, score

__all__ = ["criteria"]


def criteria(item_id: str) -> None:
    """Draw the criteria; the keys 1 to 5 score the open one."""
    for criterion in CRITERIA:
        if st.session_state.review_focus == criterion.key:
            _open(criterion, item_id)
        else:
            _closed(criterion)


def _open(criterion: Criterion, item_id: str) -> None:
    current = st.session_state.review_scores.get(criterion.key)
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
                type="primary" if current == value else "secondary",
                width="stretch",
                on_click=score,
                args=(item_id, criterion.key, value),
            )


def _closed(criterion: Criterion) -> None:
    current = st.session_state.review_scores.get(criterion.key)
    text = "not scored yet" if current is None else f"{current} · {criterion.level(current)}"
    st.button(
        f"**{criterion.title}** :gray[{text}]",
        key=f"review_focus_{criterion.key}",
        icon=":material/radio_button_unchecked:" if current is None else ":material/check_circle:",
        type="tertiary",
        width="stretch",
        on_click=open_criterion,
        args=(criterion.key,),
    )
