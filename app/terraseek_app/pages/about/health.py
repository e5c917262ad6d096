"""The Health tab: the checks of `terraseek doctor`, and measured durations."""

import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import streamlit as st

from terraseek.commands.checks import Check, run_checks
from terraseek_app.server import state
from terraseek_app.server.client_text import client_text

__all__ = ["about_health"]

_STATUS_TEXT = {"ok": "fine", "warn": "look at it", "broken": "broken"}


def about_health() -> None:
    """Draw the tab."""
    checks = _checks()
    broken = [check for check in checks if check.status == "broken"]
    if broken:
        st.error(f"**{len(broken)} of {len(checks)} checks failed.**", icon=":material/error:")
    else:
        st.success(
            f"All {len(checks)} checks passed, or have only warnings.", icon=":material/check:"
        )
    left, right = st.columns([1.7, 1])
    with left:
        table = pd.DataFrame([asdict(check) for check in checks]).map(_client_text)
        table["status"] = table["status"].map(lambda status: _STATUS_TEXT.get(status, status))
        st.dataframe(table, hide_index=True, height=480)
    with right:
        st.html('<p class="ts-title">Timings on this machine</p>')
        if st.button("Measure", icon=":material/timer:", key="about_measure"):
            st.session_state.about_timings = _timings()
        timings = st.session_state.get("about_timings")
        if timings:
            st.dataframe(
                pd.DataFrame(timings, columns=["what", "time"]), hide_index=True, width="stretch"
            )


def _client_text(cell: str) -> str:
    return client_text(cell, state.settings())


@st.cache_data(ttl=60, show_spinner="Checking ...")
def _checks() -> list[Check]:
    return run_checks()


def _timings() -> list[tuple[str, str]]:
    """(step, duration) of the steps of a query; the second of two calls is measured."""
    encoder, searcher = state.encoder(), state.searcher()
    from terraseek.search import Query

    sentence = "a harbour with ships"
    side = encoder.image_size
    batch = np.zeros((encoder.batch_size, side, side, 3), np.uint8)
    steps = (
        ("encode a sentence", lambda: encoder.encode_texts([sentence]), 1),
        ("encode a picture", lambda: encoder.encode_squares(batch + 90), len(batch)),
        ("search the catalogue", lambda: searcher.search(Query(text=sentence), k=24), 1),
    )
    rows = []
    for name, step, count in steps:
        step()
        start = time.perf_counter()
        step()
        rows.append((name, f"{(time.perf_counter() - start) / count * 1000:.2f} ms"))
    return rows
