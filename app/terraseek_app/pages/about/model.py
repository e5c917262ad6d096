"""The Model tab: the model card of the served encoder."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.registry import DEFAULT_MODEL, get_card
from terraseek_app.server import state
from terraseek_app.widgets.metadata import metadata_html

__all__ = ["about_model", "flat_scores"]


def about_model() -> None:
    """Draw the tab."""
    name = state.settings().model
    if name == "fake":
        st.warning(
            "**This is the fake encoder**, made for tests: it knows five words for colours and "
            f"brightness and nothing else. Start the server with `--model {DEFAULT_MODEL}`.",
            icon=":material/science:",
        )
        return
    card = get_card(name)
    st.html(f'<p class="ts-title">{card.title or card.name}</p>')
    if card.description:
        st.write(card.description)
    left, right = st.columns(2)
    with left:
        st.html(metadata_html(_card_rows(card)))
        for limitation in card.limitations:
            st.caption(f"Limitation: {limitation}")
    with right:
        _scores(card)
    if card.training:
        with st.expander("How it was trained"):
            st.json(dict(card.training), expanded=2)


def _card_rows(card: ModelCard) -> list[tuple[str, str]]:
    architecture = card.architecture
    rows = [
        ("encoder id", state.encoder().encoder_id),
        ("network", architecture if isinstance(architecture, str) else "custom configuration"),
        ("embedding", f"{card.embed_dim} numbers"),
        ("image size", f"{card.preprocess.size} x {card.preprocess.size} px"),
        ("parameters", f"{card.parameters:,}" if card.parameters else ""),
        ("longest text in tokens", str(card.context_length or "")),
        ("languages", ", ".join(card.languages)),
        ("resolution of the training images", _range_text(card.gsd_range_m)),
        ("source", card.source),
        ("licence of the weights", card.licence),
    ]
    return [(name, value) for name, value in rows if value]


def _range_text(gsd: tuple[float, float] | None) -> str:
    return f"{gsd[0]:g} to {gsd[1]:g} m per pixel" if gsd else ""


def _scores(card: ModelCard) -> None:
    for result in card.published:
        figures = ", ".join(f"{name} {value:g}" for name, value in result["figures"].items())
        st.caption(
            f"Published, not measured here: {result['task']} on {result['dataset']}: {figures} "
            f"({result['source']})"
        )
    rows = flat_scores(card.scores)
    if not rows:
        st.caption("The model card has no scores.")
        return
    table = pd.DataFrame(rows, columns=["measured", "value"])
    st.dataframe(table, hide_index=True, height=min(35 * (len(rows) + 1) + 3, 420))


def flat_scores(scores: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested scores as (name, value) rows; a name starts with those of its groups."""
    rows: list[tuple[str, str]] = []
    for name, value in scores.items():
        full = f"{prefix} · {name}" if prefix else str(name)
        if isinstance(value, Mapping):
            rows += flat_scores(value, full)
        else:
            rows.append((full, f"{value:g}" if isinstance(value, float) else str(value)))
    return rows
