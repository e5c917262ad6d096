"""The choice of a window size, whose map is then shown alone."""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from terraseek.errors import SceneError
from terraseek.localization import HeatMap
from terraseek.localization.side_map import side_map
from terraseek_app.server import state

__all__ = ["choose_sides"]

_ALL = 0


def choose_sides(heat_ids: Sequence[str]) -> list[str]:
    """Draw the choice; returns the ids of the heat maps to show.

    Args:
        heat_ids: ids of heat maps of one scene and method.
    """
    heat = state.heat(heat_ids[0])
    if len(heat.layers) < 2:
        return list(heat_ids)
    choices = [_ALL, *heat.layers]
    if st.session_state.localize_side not in choices:
        st.session_state.localize_side = _ALL
    side = st.selectbox(
        "Window sizes",
        choices,
        key="localize_side",
        format_func=lambda one: _label(heat, one),
        label_visibility="collapsed",
        on_change=_reset,
    )
    return [_side_id(heat_id, side) for heat_id in heat_ids] if side else list(heat_ids)


def _label(heat: HeatMap, side: int) -> str:
    if side == _ALL:
        return f"all window sizes: {', '.join(map(str, heat.layers))} px"
    gsd = heat.georef.gsd_m
    return f"only windows of {side} px" + ("" if gsd is None else f" ({side * gsd:,.3g} m)")


def _reset() -> None:
    """Another map has other scores, so the threshold and the chosen region do not fit it."""
    st.session_state.update(localize_threshold=None, localize_region=None)


def _side_id(heat_id: str, side: int) -> str:
    found = _added(heat_id, side)
    try:
        state.heat(found)
    except SceneError:  # dropped, while the whole map was used later
        _added.cache_clear()
        found = _added(heat_id, side)
    return found


@lru_cache(maxsize=64)
def _added(heat_id: str, side: int) -> str:
    return state.add_heat(side_map(state.heat(heat_id), side))
