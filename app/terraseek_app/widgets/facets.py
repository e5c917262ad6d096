"""Counts by column with bars to click and histograms to brush, as a Streamlit v2 component."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from terraseek_app.widgets.component import component

__all__ = ["facet_list"]


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

    mount = component("terraseek_facets", ("facets.js",), ("facets.css",))
    mount(key=key, data={"facets": list(facets)}, on_chosen_change=report)
