"""Truth on the Localize page: drawn on the map, measured, exported and imported again."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from helpers.page_steps import Open, localize_text, page_text, run
from terraseek.errors import AnnotationError
from terraseek.localization.annotations import measure_map
from terraseek_app.map.events import MapEvent, parse_event
from terraseek_app.pages.localize import page as localize_page
from terraseek_app.pages.localize.truth import outlines
from terraseek_app.server import state

SQUARE = ((128.0, 64.0), (192.0, 64.0), (192.0, 128.0), (128.0, 128.0))
"""The red square of the scene, in pixels."""


class Session(dict):
    """Stands for the session state outside of a page."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


@pytest.fixture
def asked(open_page: Open) -> AppTest:
    """The page after the question "red" on the scene with a red square."""
    scene = next(iter(state.example_scenes()))
    test = open_page("localize", {"localize_source": f"example:{scene}"})
    return localize_text(test, "red")


def test_polygons_of_the_map_become_pixels_of_the_scene(
    asked: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    [heat_id] = asked.session_state["localize_heats"]
    heat = state.heat(heat_id)
    drawn = outlines.to_map((SQUARE,), heat.georef)
    assert all(-180 < lon < 180 and 40 < lat < 60 for lon, lat in drawn[0])
    raw = {"kind": "truth", "truth": [[list(corner) for corner in drawn[0]]]}
    session = Session(localize_truth={}, localize_source="example:a", localize_truth_of=0)
    monkeypatch.setattr(localize_page.st, "session_state", session)
    localize_page._on_map_event((heat_id,), parse_event(raw, None, False))
    [ring] = outlines.of_sentence("example:a", "red")
    for corner, expected in zip(ring, SQUARE, strict=True):
        assert corner == pytest.approx(expected, abs=0.01)
    localize_page._on_map_event((heat_id,), MapEvent("truth", truth=()))
    assert outlines.of_sentence("example:a", "red") == ()


def test_measures_stand_beside_the_map_and_are_those_of_the_library(asked: AppTest) -> None:
    source = asked.session_state["localize_source"]
    asked.session_state["localize_truth"] = {source: {"red": [list(map(list, SQUARE))]}}
    shown = run(asked)
    [heat_id] = asked.session_state["localize_heats"]
    expected = measure_map(state.heat(heat_id), [SQUARE])
    text = page_text(shown)
    for name, value in expected.as_dict.items():
        assert f"{name}</span><b>{value:.3f}</b>" in text
    assert expected.rsu > 0.8  # the map has its values in the square


def test_an_exported_file_is_imported_again(
    asked: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    heats = [state.heat(heat_id) for heat_id in asked.session_state["localize_heats"]]
    session = Session(localize_truth={})
    monkeypatch.setattr(outlines.st, "session_state", session)
    outlines.set_outlines("example:a", "red", (SQUARE,))
    outlines.set_outlines("example:a", "a green field", (SQUARE, SQUARE))
    content = outlines.annotations_bytes("example:a", "field.tif")
    entries = json.loads(content)
    assert [(e["jpg_name"], e["caption"], len(e["points"])) for e in entries] == [
        ("field.tif", "red", 1),
        ("field.tif", "a green field", 2),
    ]
    session.localize_truth = {}
    assert outlines.import_annotations(content, "example:b", heats) == ["red", "a green field"]
    assert outlines.of_sentence("example:b", "red") == (SQUARE,)
    elsewhere = content.replace(b"field.tif", b"other.tif")
    with pytest.raises(AnnotationError, match=r"no annotation of field\.tif"):
        outlines.import_annotations(elsewhere, "example:b", heats)
    with pytest.raises(AnnotationError, match="layout"):
        outlines.import_annotations(b'[{"caption": 3}]', "example:b", heats)
    with pytest.raises(AnnotationError, match="not JSON"):
        outlines.import_annotations(b"nothing", "example:b", heats)
