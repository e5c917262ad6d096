"""Overlays and events of the map component, without a browser."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from terraseek.errors import BBoxError
from terraseek.geo import BBox
from terraseek_app.map import (
    MapEvent,
    SecondMap,
    Split,
    heat_overlay,
    parse_event,
    parse_split,
    scene_overlay,
)
from terraseek_app.map.second import second_map_json

BOX = BBox(1, 2, 3, 4)
VIEW = {"center": [2.0, 3.0], "zoom": 4.0, "bounds": [0, 1, 4, 5]}


def test_without_an_event_the_given_box_is_kept() -> None:
    assert parse_event(None, BOX, False) == MapEvent(box=BOX)
    assert parse_event(None, (1, 2, 3, 4), True) == MapEvent(pixel_box=(1, 2, 3, 4))
    assert parse_event(None, None, False) == MapEvent()


def test_a_selection_names_item_and_place_and_leaves_the_box() -> None:
    raw = {"kind": "select", "item_id": "abc", "click": [10, 20], "view": VIEW}
    event = parse_event(raw, BOX, False)
    assert event == MapEvent("select", "abc", (10.0, 20.0), BOX, None, VIEW)


def test_an_item_without_a_place_can_be_selected() -> None:
    raw = {"kind": "select", "item_id": "abc", "click": [None, None], "view": VIEW}
    assert parse_event(raw, None, False).click is None


@pytest.mark.parametrize("kind", ["box", "area"])
def test_a_drawn_box_replaces_the_given_one(kind: str) -> None:
    event = parse_event({"kind": kind, "box": [170, -20, -170, 10], "view": VIEW}, BOX, False)
    assert event.box == BBox(170, -20, -170, 10)
    assert event.kind == kind


def test_clearing_removes_the_given_box() -> None:
    assert parse_event({"kind": "box", "box": None, "view": VIEW}, BOX, False).box is None


def test_pixel_boxes_are_not_geographic_boxes() -> None:
    event = parse_event({"kind": "box", "box": [0, 0, 5000, 900], "view": VIEW}, None, True)
    assert event.pixel_box == (0, 0, 5000, 900)
    assert event.box is None


def test_a_drawn_shape_and_a_placed_circle() -> None:
    drawn = [[170, -20], [190.123456789, -20], [180, 10]]
    event = parse_event({"kind": "shape", "shapes": [drawn], "view": VIEW}, BOX, False)
    assert event.shapes == (((170.0, -20.0), (190.12346, -20.0), (180.0, 10.0)),)
    assert event.box == BOX
    gone = parse_event({"kind": "shape", "shapes": [], "view": VIEW}, None, False)
    assert (gone.kind, gone.shapes) == ("shape", ())
    centre = parse_event({"kind": "centre", "click": [10, 20], "view": VIEW}, None, False)
    assert (centre.kind, centre.click) == ("centre", (10.0, 20.0))


@given(st.lists(st.floats(), min_size=4, max_size=4))
def test_any_box_from_the_browser_is_valid_or_refused(values: list[float]) -> None:
    try:
        event = parse_event({"kind": "box", "box": values}, None, False)
    except BBoxError:
        return
    assert event.box is not None
    assert -180 <= event.box.west <= 180


def test_overlay_urls_contain_no_paths() -> None:
    corners = [[1.0, 4.0], [2.0, 4.0], [2.0, 3.0], [1.0, 3.0]]
    assert heat_overlay("h1", corners, 0.1, 0.3, "red").url == "/overlays/heat/h1.png"
    assert scene_overlay("s1", corners).url == "/tiles/scene/s1/{z}/{x}/{y}"
    assert scene_overlay("s1", None).url == "/overlays/scene/s1.png"


def test_how_two_maps_are_shown_is_read_from_a_link() -> None:
    assert parse_split("sides") == Split("sides")
    assert parse_split("0.35") == Split(share=0.35)
    for text in ("", "side", "-0.1", "1.01", "nan", "1e999"):
        assert parse_split(text) is None
    for split in (Split("sides"), Split(share=0.35), Split()):
        written = second_map_json(SecondMap(("a", "b"), [], split))
        assert written is not None
        assert parse_split(written["split"]) == split
    assert second_map_json(None) is None


def _page() -> None:
    import streamlit

    from terraseek.geo import BBox
    from terraseek_app.map import world_map

    event = world_map("m", points_url="/api/points", box=BBox(1, 2, 3, 4), height=300)
    streamlit.write(f"{event.kind} {event.box.as_tuple() if event.box else None}")


def test_a_page_with_a_map_runs_without_a_browser() -> None:
    run: Any = AppTest.from_function(_page, default_timeout=60).run()
    assert not run.exception
    assert run.markdown[0].value == "none (1, 2, 3, 4)"
