"""The map of Explore: samples, hits and the search area; what is drawn on it limits the search."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from terraseek.geo import BBox
from terraseek.search import Hit
from terraseek_app.map import EVENTS, MapEvent, world_map
from terraseek_app.pages.explore.areas import area_bounds
from terraseek_app.pages.explore.canvas.layout import PANELS
from terraseek_app.pages.explore.history.comparison import (
    Comparison,
    first_markers,
    second_map,
)
from terraseek_app.pages.explore.hits.chosen import choose_hits
from terraseek_app.pages.explore.results import map_markers
from terraseek_app.pages.explore.samples import items_url, sample_bounds, sample_urls
from terraseek_app.pages.explore.search import ResultList
from terraseek_app.pages.explore.spot.panel import set_threshold, spot_layers
from terraseek_app.pages.explore.spot.run import Spot
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.server import state

__all__ = ["DEFAULT_RADIUS_KM", "link_view", "map_panel", "on_map_event"]

DEFAULT_RADIUS_KM = 100.0
"""Radius of the first circle placed on the map; the filter panel changes it."""


def map_panel(
    form: SearchForm,
    results: ResultList | None,
    hits: Sequence[Hit],
    spot: Spot | None,
    comparison: Comparison | None,
    height: str,
) -> None:
    """Draw the map.

    Args:
        form: the form values, whose area is drawn.
        results: of the search; None without a query.
        hits: those of the results that are marked.
        spot: the heat map in the selected item; None without one.
        comparison: two rankings, whose hits are marked instead; None without one.
        height: CSS length.
    """
    points_url, density_url = sample_urls()
    if comparison:
        markers = first_markers(comparison)
    else:
        markers = map_markers(hits, results.facts) if results else []
    world_map(
        "explore_map",
        points_url=points_url,
        density_url=density_url,
        items_url=items_url(),
        hits=markers,
        second=second_map(comparison) if comparison else None,
        selected=st.session_state.explore_selected,
        chosen=st.session_state.explore_chosen,
        box=BBox(*form.box) if form.box else None,
        shapes=form.polygons,
        circle=form.circle,
        report=(*EVENTS, "shape", "centre", "threshold", "choose"),
        view=_spot_view(form, spot) or _map_view(form, hits if results else None),
        panels=PANELS,
        height=height,
        on_event=on_map_event,
        **spot_layers(spot),
    )


def _spot_view(form: SearchForm, spot: Spot | None) -> dict[str, Any] | None:
    """The view of a heat map, and after it the one before, until another search moves the map."""
    session = st.session_state
    if spot is not None and spot.facts.corners is not None:
        session.explore_spot_of = _query_values(form)
        turn = session.get("explore_spot_turn", 0)
        return {"fit": "overlays", "of": [spot.heat_id, turn], "return": True}
    if session.get("explore_spot_of") != _query_values(form):
        return None
    return {"back": session.get("explore_spot_back", 0)}


def _map_view(form: SearchForm, hits: Sequence[Hit] | None) -> dict[str, Any] | None:
    """The view to move the map to: new hits, but never away from an area the user chose."""
    linked_view = st.session_state.get("explore_view")
    if linked_view and linked_view["of"] == _query_values(form):
        return dict(linked_view["view"])
    if form.has_area:
        linked = st.session_state.get("explore_linked_view")
        area = area_bounds(form.box, form.polygons, form.circle)
        return {"bounds": list(linked)} if linked and linked == area else None
    if hits:
        compared = st.session_state.explore_compare
        return {"fit": "hits", "of": [*_query_values(form), *([compared] if compared else [])]}
    if hits is None:
        catalogue = state.catalogue()
        bounds = sample_bounds(str(catalogue.path), catalogue.count)
        return {"bounds": bounds} if bounds else None
    return None


def link_view(form: SearchForm, view: dict[str, Any] | None) -> None:
    """Show the view of a link until another search moves the map.

    Args:
        form: the form values of the link.
        view: center and zoom; None for the view that suits the hits.
    """
    session = st.session_state
    session.explore_arrivals = session.get("explore_arrivals", 0) + 1  # so that the map moves again
    arrived = {"arrival": session.explore_arrivals}
    session.explore_view = {"of": _query_values(form), "view": view | arrived} if view else None


def _query_values(form: SearchForm) -> list[Any]:
    """Form values whose change moves the map; filters and votes leave the map where it is."""
    return [form.text, form.plus, form.minus, form.likes, form.images]


def on_map_event(event: MapEvent) -> None:
    """Store what the user did on the map in the session, before the page is drawn again."""
    if event.clicked:
        st.session_state.explore_selected = event.clicked
    if event.kind in ("box", "area"):
        st.session_state.explore_box = list(event.box.as_tuple()) if event.box else None
    if event.kind == "shape":
        st.session_state.explore_polygons = [[list(c) for c in ring] for ring in event.shapes]
    if event.kind == "choose":
        choose_hits(event.chosen)
    if event.kind == "threshold":
        set_threshold(event.threshold)
    if event.kind == "centre":
        _place_circle(event.click)


def _place_circle(centre: tuple[float, float] | None) -> None:
    """Set the circle's centre and keep its radius; None removes the circle."""
    if centre is None:
        reset_keys("explore_lon", "explore_lat", "explore_km")
        return
    lon, lat = centre
    km = st.session_state.explore_km or DEFAULT_RADIUS_KM
    st.session_state.update(explore_lon=round(lon, 5), explore_lat=round(lat, 5), explore_km=km)
