"""The filters of Explore (counts by column, dates, distance, SQL) and its search settings."""

import html

import streamlit as st

from terraseek.search.duplicates import COLUMN as DUPLICATE_OF
from terraseek_app.messages import page_text
from terraseek_app.pages.explore.areas import MAX_RADIUS_KM
from terraseek_app.pages.explore.filters.area_tools import area_tools
from terraseek_app.pages.explore.filters.facet_rail import facet_rail
from terraseek_app.pages.explore.state import K_CHOICES, SearchForm, reset_keys
from terraseek_app.server import state

__all__ = ["FILTER_KEYS", "filter_panel", "settings_panel"]

FILTER_KEYS = tuple(
    f"explore_{name}"
    for name in (
        *("sources", "labels", "from", "to", "placed", "distinct", "columns"),
        *("box", "polygons", "lon", "lat", "km", "sql"),
    )
)
"""Session keys of all filters and areas."""


def filter_panel(form: SearchForm, sql_problem: str = "") -> None:
    """Draw the panel; its widgets write to the session state.

    Args:
        form: the form values.
        sql_problem: what is wrong with the SQL condition, shown below its field.
    """
    catalogue = state.catalogue()
    facet_rail(form)
    st.multiselect("Source", list(catalogue.sources), key="explore_sources", placeholder="all")
    st.multiselect("Label", list(catalogue.labels), key="explore_labels", placeholder="all")
    first, last = st.columns(2)
    first.date_input("Captured from", value=None, key="explore_from", format="YYYY-MM-DD")
    last.date_input("to", value=None, key="explore_to", format="YYYY-MM-DD")
    st.toggle("Only items with known coordinates", key="explore_placed")
    if DUPLICATE_OF in catalogue.columns:
        st.checkbox("Of near-duplicates only the best", key="explore_distinct")
    area_tools(form)
    _distance_fields()
    _sql_field(catalogue.columns, sql_problem)
    st.button("Clear filters", on_click=reset_keys, args=FILTER_KEYS, width="stretch")


def settings_panel() -> None:
    """Draw how the search ranks, apart from what it may find."""
    st.slider(
        "Share of the captions in the score",
        min_value=0,
        max_value=100,
        step=10,
        format="%d %%",
        key="explore_captions",
        help="0 ranks by pictures alone. Pictures without a caption are not put at a disadvantage.",
    )
    st.toggle(
        "Average short words over many prompts",
        key="explore_ensemble",
        help="For a word or two such as “oil tank”; full sentences do not need it.",
    )
    st.segmented_control("Results", K_CHOICES, key="explore_k", required=True)


def _distance_fields() -> None:
    st.html('<span class="ts-quiet">Within a distance of a place</span>')
    lon, lat, km = st.columns(3)
    lon.number_input(
        "Longitude", -180.0, 180.0, None, 0.1, "%.5f", key="explore_lon", placeholder="degrees"
    )
    lat.number_input(
        "Latitude", -90.0, 90.0, None, 0.1, "%.5f", key="explore_lat", placeholder="degrees"
    )
    km.number_input(
        "Kilometres", 0.001, MAX_RADIUS_KM, None, 10.0, "%g", key="explore_km", placeholder="km"
    )
    given = [st.session_state[f"explore_{name}"] is not None for name in ("lon", "lat", "km")]
    if any(given) and not all(given):
        st.caption("All three are needed, or none.")


def _sql_field(columns: list[str], problem: str) -> None:
    st.text_input(
        "Condition on columns (SQL)",
        key="explore_sql",
        placeholder="gsd_m < 1 AND captured_at >= '2018'",
        help="The part after WHERE in SQL: comparisons, AND, OR, NOT, LIKE, IN, BETWEEN and "
        "simple functions.",
    )
    if problem:
        st.error(page_text(problem), icon=":material/error:")
    st.html(f'<span class="ts-quiet">Columns: {", ".join(map(_code, columns))}</span>')


def _code(name: str) -> str:
    return f"<code>{html.escape(name)}</code>"
