"""Containers of Explore: the map fills the window, panels float over it (`theme/app.css`).

On phones the containers are stacked instead: map, bar, filters, results.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from terraseek_app.map import Side

__all__ = [
    "PANELS",
    "RAIL_KEYS",
    "Panels",
    "dock_is_open",
    "draw_heads",
    "make_panels",
    "rail_is_open",
    "toggle",
]

RAIL_KEYS = ("explore_rail", "explore_sheet")
"""Session keys of whether the filters are shown, in wide and in narrow windows."""

PANELS: dict[str, Side] = {
    "explore_top": "top",
    "explore_rail_panel": "left",
    "explore_dock_panel": "right",
    "explore_card": "corner",
}
"""Keys of the panels over the map, and the side of it that each covers."""


@dataclass(frozen=True, slots=True)
class Panels:
    """Containers to draw into, in any order; those that stay empty are not seen."""

    bar: DeltaGenerator
    """Search bar, chips and messages about them."""
    busy: DeltaGenerator
    """Notice of a running search."""
    map: DeltaGenerator
    rail: DeltaGenerator
    """Filters."""
    card: DeltaGenerator
    """The selected item."""
    dock: DeltaGenerator
    """Results, or the button that shows them."""


def make_panels() -> Panels:
    """Make the containers."""
    return Panels(
        bar=st.container(key="explore_top"),
        busy=st.container(key="explore_busy"),
        map=st.container(key="explore_canvas"),
        rail=st.container(key="explore_rail_panel"),
        card=st.container(key="explore_card_place"),
        dock=st.container(key="explore_dock_panel"),
    )


def draw_heads(panels: Panels) -> None:
    """Draw the heads of the open panels, which give them their size."""
    with panels.rail:
        _rail_head([key for key in RAIL_KEYS if st.session_state[key]])
    if st.session_state.explore_dock:
        with panels.dock:
            text = "Hide the results"
            _toggle_button(text, "explore_dock", "close", ":material/right_panel_close:")


def rail_is_open(forced: bool) -> bool:
    """Whether the filters are shown; call inside their container.

    Wide windows show them beside the map at first, narrow ones only when asked to, because they
    would stand between the map and the results; the stylesheet hides those of the other width.

    Args:
        forced: whether they are shown in any case.
    """
    if forced:
        _rail_head([key for key in RAIL_KEYS if not st.session_state[key]])
    return forced or any(st.session_state[key] for key in RAIL_KEYS)


def _rail_head(keys: Sequence[str]) -> None:
    if not keys:
        return
    st.html('<p class="ts-title">Filters</p>')
    for key in keys:
        _toggle_button("Hide the filters", key, "close", ":material/left_panel_close:")


def dock_is_open(n_hits: int | None) -> bool:
    """Whether the results are shown; draws the button that shows them if not.

    Args:
        n_hits: number of results; None without a search.
    """
    if st.session_state.explore_dock:
        return True
    label = "Results" if n_hits is None else f"{n_hits} results"
    icon = ":material/right_panel_open:"
    _toggle_button("Show the results", "explore_dock", "open", icon, label)
    return False


def toggle(key: str) -> None:
    """Show or hide a panel."""
    st.session_state[key] = not st.session_state[key]


def _toggle_button(text: str, key: str, verb: str, icon: str, label: str = "") -> None:
    st.button(
        label,
        icon=icon,
        type="secondary" if label else "tertiary",
        help=text,
        key=f"{key}_{verb}",
        on_click=toggle,
        args=(key,),
    )
