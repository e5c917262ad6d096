"""Counts by column with bars to click and histograms to brush, as a Streamlit v2 component."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["facet_list"]

_HERE = Path(__file__).parent


@st.cache_resource(show_spinner=False)
def _component() -> object:
    return st.components.v2.component(
        "terraseek_facets",
        css=(_HERE / "facets.css").read_text(encoding="utf-8"),
        js=(_HERE / "facets.js").read_text(encoding="utf-8"),
    )


def facet_list(
    key: str, facets: Sequence[dict[str, Any]], *, on_choose: Callable[[dict[str, Any]], None]
) -> None:
    """Draw the counts.

    Args:
        key: widget key.
        facets: name, title, kind ("values", "numbers" or "dates"), bins (text, count, low, high,
            on), unknown (items without a value), chosen (whether there is a filter on it).
        on_choose: called before the page is drawn again with `name` and `text`, which is a value,
            or LOW..HIGH if `range` is true; with `name` and `clear` if its filter is removed.
    """

    def report() -> None:
        chosen = st.session_state[key].get("chosen")
        if chosen:
            on_choose(json.loads(chosen))

    mount = _component()
    mount(key=key, data={"facets": list(facets)}, on_chosen_change=report)  # type: ignore[operator]
