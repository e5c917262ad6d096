"""The card of the served model: how it was made, what it scores, what it may be used for."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.registry import get_card
from terraseek_app.server import state
from terraseek_app.widgets.facts import facts_html

__all__ = ["about_model", "flat_scores"]


def about_model() -> None:
    """Draw the part."""
    name = state.settings().model
    if name == "fake":
        st.warning(
            "**This is the fake encoder**, made for trying the plumbing: it knows five words for "
            "colours and brightness and nothing else. Start with `--model terraseek-tiny`.",
            icon=":material/science:",
        )
        return
    card = get_card(name)
    st.html(f'<p class="ts-title">{card.title or card.name}</p>')
    if card.description:
        st.write(card.description)
    left, right = st.columns(2)
    with left:
        st.html(facts_html(_facts(card)))
        for limitation in card.limitations:
            st.caption(f"Beware: {limitation}")
    with right:
        _scores(card)
    if card.training:
        with st.expander("How it was trained"):
            st.json(dict(card.training), expanded=2)


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    architecture = card.architecture
    rows = [
        ("encoder id", state.encoder().encoder_id),
        ("network", architecture if isinstance(architecture, str) else "own configuration"),
        ("vector", f"{card.embed_dim} numbers"),
        ("picture it sees", f"{card.preprocess.size} x {card.preprocess.size} px"),
        ("weights", f"{card.parameters:,}" if card.parameters else ""),
        ("tokens it reads", str(card.context_length or "")),
        ("languages", ", ".join(card.languages)),
        ("resolution seen", _range(card.gsd_range_m)),
        ("source", card.source),
        ("licence of the weights", card.licence),
    ]
    return [(name, value) for name, value in rows if value]


def _range(gsd: tuple[float, float] | None) -> str:
    return f"{gsd[0]:g} to {gsd[1]:g} m per pixel" if gsd else ""


def _scores(card: ModelCard) -> None:
    rows = flat_scores(card.scores)
    if not rows:
        st.caption("No scores are on the card.")
        return
    table = pd.DataFrame(rows, columns=["measured", "value"])
    st.dataframe(table, hide_index=True, height=min(35 * (len(rows) + 1) + 3, 420))


def flat_scores(scores: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested scores as (name, value) rows; names of groups are put in front."""
    rows: list[tuple[str, str]] = []
    for name, value in scores.items():
        full = f"{before} · {name}" if before else str(name)
        if isinstance(value, Mapping):
            rows += flat_scores(value, full)
        else:
            rows.append((full, f"{value:g}" if isinstance(value, float) else str(value)))
    return rows
