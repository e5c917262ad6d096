"""A page with only the map, for tests of the component; it prints the events as JSON."""

import json
from typing import Any

import streamlit as st

from terraseek.geo import BBox
from terraseek_app.map import MapEvent, Overlay, heat_overlay, world_map
from terraseek_app.server import state

ALL_EVENTS = ("select", "box", "area", "click", "view", "shape", "centre")


def on_event(event: MapEvent) -> None:
    st.session_state.events = [*st.session_state.get("events", []), event.kind]
    if event.kind == "select":
        st.session_state.selected = event.clicked
    if event.kind in ("box", "area"):
        st.session_state.box = event.box.as_tuple() if event.box else event.pixel_box
    if event.kind == "shape":
        st.session_state.shapes = event.shapes
    if event.kind == "centre":
        st.session_state.circle = (*event.click, 200.0) if event.click else None


def hits(count: int) -> list[dict[str, Any]]:
    rows = state.catalogue().items(["item_id", "lon", "lat", "caption"]).head(count)
    records: list[dict[str, Any]] = rows.to_dict("records")
    records = [row | {"score": 0.4 - 0.01 * i, "rank": i + 1} for i, row in enumerate(records)]
    if levels:
        for record, level in zip(records, ("likely", "possible", "none"), strict=False):
            record["level"] = level
    return records


def overlays(pixel_space: bool) -> list[Overlay]:
    corners = None if pixel_space else [[2.0, 49.0], [3.0, 49.0], [3.0, 48.0], [2.0, 48.0]]
    scene = Overlay("scene", "scene", "/test/scene.png", corners)
    heat = heat_overlay("heat", corners, 0.1, 0.3, "a red field")
    values = {**_values(heat), "url": "/test/heat.png"}
    if levels:  # the best score, 0.257, is below 0.3, from which a place is possible
        values["levels"] = {"low": 0.2, "high": 0.6, "possible": 0.25, "likely": 0.5}
    return [scene, Overlay(**values)]


def _values(overlay: Overlay) -> dict[str, Any]:
    return {name: getattr(overlay, name) for name in Overlay.__slots__}


count = int(st.number_input("hits", 0, 30, 3))
heat = st.checkbox("heat")
levels = st.checkbox("levels")
pixel_space = st.checkbox("pixels")
many = st.checkbox("many")
if st.button("forget box"):
    st.session_state.box = None
box = st.session_state.get("box")
if box is not None and not pixel_space:
    box = BBox(*box)
event = world_map(
    "test",
    points_url="/api/points?most=4" if many else "/api/points",
    density_url="/tiles/density" if many else None,
    hits=[] if pixel_space else hits(count),
    selected=st.session_state.get("selected"),
    box=box,
    shapes=st.session_state.get("shapes", ()),
    circle=st.session_state.get("circle"),
    overlays=overlays(pixel_space) if heat else [],
    pixels=(200, 100) if pixel_space else None,
    view={"fit": "overlays"} if heat else None,
    report=ALL_EVENTS,
    height=500,
    on_event=on_event,
)
report = {
    "kind": event.kind,
    "clicked": event.clicked,
    "click": event.click,
    "box": event.box.as_tuple() if event.box else None,
    "pixel_box": event.pixel_box,
    "shapes": event.shapes,
    "events": st.session_state.get("events", []),
}
st.session_state.runs = st.session_state.get("runs", 0) + 1
st.text(f"runs: {st.session_state.runs}")
# the last event of each kind is kept, because a test may look only after the next one
st.session_state.setdefault("reports", {})[event.kind] = report
for one in st.session_state.reports.values():
    st.code(json.dumps(one), language=None)
