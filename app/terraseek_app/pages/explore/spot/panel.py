"""What the card says about the heat map, and how it is drawn in the map of Explore."""

import html
from typing import Any

import streamlit as st

from terraseek.localization import regions_geojson
from terraseek.significance.words import scene_text
from terraseek_app.navigation import open_localize
from terraseek_app.pages.explore.spot.run import Spot, close
from terraseek_app.pages.localize import scene_map
from terraseek_app.pages.localize.regions.comparison import colour_threshold, region_threshold
from terraseek_app.pages.localize.scene_choice import place_text
from terraseek_app.widgets.level_tag import level_tag

__all__ = ["set_threshold", "spot_layers", "spot_panel", "spot_picture"]


def spot_panel(spot: Spot) -> None:
    """Draw the level of the heat map, the way back and the way to the bench."""
    heat = spot.heat
    level = heat.significance
    with st.container(key="explore_spot", gap="small"):
        tag = "" if level is None else level_tag(level)
        text = scene_text(level, heat.probability) if level is not None else ""
        place = place_text(spot.facts, f"item:{spot.item_id}")
        where = "" if spot.facts.corners else f" {place[0].upper()}{place[1:]}."
        st.html(
            f'{tag}<span class="ts-quiet">where is <b>“{html.escape(heat.question)}”</b>? '
            f"{html.escape(text)}{html.escape(where)}</span>"
        )
        with st.container(horizontal=True, gap="small", key="explore_spot_actions"):
            st.button(
                "Back to the results",
                icon=":material/arrow_back:",
                key="explore_spot_close",
                on_click=close,
            )
            if st.button(
                "Open in Localize", icon=":material/open_in_new:", key="explore_spot_open"
            ):
                open_localize(spot.item_id, heat.query)


def spot_picture(spot: Spot | None) -> bytes | None:
    """PNG of the heat map over the item, for one without a place on the globe; else None."""
    if spot is None or spot.facts.corners is not None:
        return None
    return spot.heat._repr_png_()


def spot_layers(spot: Spot | None) -> dict[str, Any]:
    """Arguments of `world_map` that draw the heat map over the item's footprint."""
    if spot is None or spot.facts.corners is None:
        return {}
    heat, facts = spot.heat, spot.facts
    threshold = region_threshold(heat, st.session_state.explore_spot_threshold)
    return {
        "overlays": scene_map.map_overlays(facts, [heat], [spot.heat_id]),
        "peaks": scene_map.peak_markers([heat]),
        "regions": regions_geojson(heat, threshold=threshold),
        "threshold": colour_threshold(heat, threshold),
    }


def set_threshold(value: float | None) -> None:
    """Store the threshold that was set on the map, 0-1 of the display range."""
    st.session_state.explore_spot_threshold = value
