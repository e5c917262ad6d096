"""The table of regions, as a Streamlit v2 component that follows the threshold while it moves."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from terraseek_app.widgets.component import component

__all__ = ["region_table"]


def region_table(
    key: str,
    rows: Sequence[dict[str, Any]],
    *,
    map_key: str,
    selected: tuple[int, int] | None,
    on_choose: Callable[[int, int], None],
) -> None:
    """Draw the table.

    While the threshold of the map is dragged, the browser shows the regions of its own outlines;
    the next run replaces them by `rows`.

    Args:
        key: widget key.
        rows: see `comparison.table_rows`.
        map_key: key of the map whose threshold the table follows.
        selected: sentence and rank of the row that is highlighted.
        on_choose: called with sentence and rank of a row before the page is drawn again.
    """

    def report() -> None:
        chosen = st.session_state[key].get("chosen")
        if chosen:
            on_choose(int(chosen["sentence"]), int(chosen["rank"]))

    mount = component("terraseek_regions", ("regions.js",), ("regions.css",))
    data = {"rows": list(rows), "map": map_key, "selected": list(selected) if selected else None}
    mount(key=key, data=data, on_chosen_change=report)
