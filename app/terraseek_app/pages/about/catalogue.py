"""The Catalogue tab: statistics of the served catalogue."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from terraseek.catalogue import catalogue_stats
from terraseek_app.pages.about.figures import stats_figures
from terraseek_app.server import state
from terraseek_app.widgets.metadata import precision_text

__all__ = ["about_catalogue", "is_demo"]

_MAX_ROWS = 14
"""Rows of a table of counts; the other values are summed up in a caption."""


def is_demo(catalogue: Path) -> bool:
    """Whether `terraseek demo` made the catalogue: `demo.json` is in it or up to two folders up."""
    return any((folder / "demo.json").is_file() for folder in (catalogue, *catalogue.parents[:2]))


def about_catalogue() -> None:
    """Draw the tab."""
    catalogue = state.catalogue()
    if is_demo(catalogue.path):
        st.info(
            "**This is the demo world, and it is synthetic.** Every picture and scene was drawn by "
            "a program, and so was every caption; the places are plausible, but not real. The tab "
            "“Your own data” explains how to search real imagery.",
            icon=":material/palette:",
        )
    stats = _stats(str(catalogue.path), catalogue.count)
    with st.container(horizontal=True):
        st.metric("pictures", f"{stats['items']:,}", border=True)
        st.metric("with coordinates", f"{stats['located']:,}", border=True)
        st.metric("with a caption", f"{stats['captioned']:,}", border=True)
        st.metric("sources", f"{len(stats['source'])}", border=True)
    left, right = st.columns(2)
    with left:
        _counts("by label", stats["label"])
        _counts("by source", stats["source"])
    with right:
        precision = {precision_text(k): v for k, v in stats["precision"].items()}
        _counts("how well the position is known", precision)
        _counts("by country", stats["country"])
    stats_figures(stats)


@st.cache_data(max_entries=4, show_spinner=False)
def _stats(path: str, count: int) -> dict[str, Any]:
    # path and count are part of the cache key only
    return catalogue_stats(state.catalogue())


def _counts(title: str, counts: dict[str, int]) -> None:
    known = {name: number for name, number in counts.items() if name}
    if not known:
        return
    st.html(f'<p class="ts-title">{title}</p>')
    table = pd.DataFrame({"what": list(known), "pictures": list(known.values())})[:_MAX_ROWS]
    st.dataframe(
        table,
        hide_index=True,
        height=35 * (len(table) + 1) + 3,
        column_config={
            "what": st.column_config.TextColumn(" "),
            "pictures": st.column_config.ProgressColumn(
                "pictures", format="localized", min_value=0, max_value=int(max(known.values()))
            ),
        },
    )
    if len(known) > _MAX_ROWS:
        rest = sum(list(known.values())[_MAX_ROWS:])
        st.caption(f"and {len(known) - _MAX_ROWS} more with {rest:,} pictures")
