"""Several sentences on the Localize page: their maps, table, threshold, regions and link."""

import io

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import shape
from starlette.applications import Starlette
from starlette.testclient import TestClient

from helpers.page_steps import Open, localize_text, page_text, run
from terraseek.localization import regions
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.map.events import MapEvent
from terraseek_app.pages.localize import page as localize_page
from terraseek_app.pages.localize.regions import comparison, crop
from terraseek_app.pages.localize.scenes import gallery
from terraseek_app.server import state


@pytest.fixture
def asked(open_page: Open):
    """The page after the question "red; green" on the scene with a red square."""
    scene = next(iter(state.example_scenes()))
    test = open_page("localize", {"localize_source": f"example:{scene}"})
    return localize_text(test, "red; green")


def test_each_sentence_has_a_map_and_a_line_with_what_it_wins(asked) -> None:
    ids = tuple(asked.session_state["localize_heats"])
    found = comparison.compared(ids, None)
    assert [heat.query for heat in found.heats] == ["red", "green"]
    text = page_text(asked)
    assert "2 sentences" in text
    assert f"best on {found.shares[0]:.1%}" in text
    assert "none of them" in text
    assert asked.session_state["localize_turns"][0]["label"] == "red; green"
    assert asked.query_params["q"] == ["red", "green"]


def test_the_map_of_an_answer_is_drawn_before_its_regions_are_sought(
    asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drawing of the map: its heat maps, and whether the regions of these were found then."""
    drawn: list[tuple[tuple[str, ...], bool, bool]] = []
    world_map = localize_page.world_map

    def watched(key: str, **data):
        heats = tuple(one.id for one in data["overlays"] if one.kind == "heat")
        misses = comparison.compared.cache_info().misses
        drawn.append((heats, misses > before, data["regions"] is not None))
        return world_map(key, **data)

    monkeypatch.setattr(localize_page, "world_map", watched)
    before = comparison.compared.cache_info().misses
    localize_text(asked, "blue")
    ids = tuple(asked.session_state["localize_heats"])
    of_answer = [tuple(rest) for heats, *rest in drawn if heats == ids]
    assert of_answer[0] == (False, False)
    assert of_answer[1:]
    assert set(of_answer[1:]) == {(True, True)}
    assert "above the threshold" in page_text(asked)


def test_a_link_with_several_sentences_asks_all_of_them(open_page: Open, asked) -> None:
    scene = asked.query_params["scene"][0]
    again = open_page("localize", scene=scene, q=["red", "green"])
    assert again.session_state["localize_text"] == "red; green"


def test_table_outlines_and_threshold_follow_one_position(asked) -> None:
    ids = tuple(asked.session_state["localize_heats"])
    for chosen in (None, 0.4, 0.9):
        found = comparison.compared(ids, chosen)
        drawn = comparison.outlines(ids, chosen)
        rows = comparison.table_rows(found)
        assert len(drawn["features"]) == len(rows) > 0
        for heat, threshold in zip(found.heats, found.thresholds, strict=True):
            if chosen is not None:
                assert threshold == pytest.approx(heat.low + chosen * (heat.high - heat.low))
            own = [row for row in rows if row["query"] == heat.query]
            assert len(own) == len(regions(heat, threshold))
        assert {f["properties"]["colour"] for f in drawn["features"]} <= set(comparison.COLOURS)
        assert rows[0]["size"].endswith(("m²", "ha"))


def test_a_click_in_an_outline_chooses_its_region(asked, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = tuple(asked.session_state["localize_heats"])
    found = comparison.compared(ids, None)
    outline = shape(comparison.outlines(ids, None)["features"][0]["geometry"])
    inside = outline.representative_point()
    session = type("Session", (dict,), {"__getattr__": dict.get, "__setattr__": dict.__setitem__})
    kept = session(localize_threshold=None)
    monkeypatch.setattr(localize_page.st, "session_state", kept)
    localize_page._on_map_event(ids, MapEvent("region", click=(inside.x, inside.y)))
    assert kept.localize_region == [found.rows[0].sentence, found.rows[0].rank]
    localize_page._on_map_event(ids, MapEvent("region", click=(0.0, 0.0)))
    assert kept.localize_region is None


def test_the_picture_of_a_region_becomes_a_query_of_the_catalogue(asked) -> None:
    ids = tuple(asked.session_state["localize_heats"])
    found = comparison.compared(ids, None)
    red = next(row.region for row in found.rows if row.sentence == 0)
    path = state.scene_path(asked.session_state["localize_source"].removeprefix("example:"))
    box = crop.crop_box(found.heats[0], red)
    assert box[2] - box[0] == box[3] - box[1]
    image = crop.region_image(path, box)
    colour = np.median(image.reshape(-1, 3), axis=0)
    assert colour[0] > 150 > 90 > colour[1]
    asked.session_state["localize_region"] = [0, 1]
    shown = run(asked)
    assert any(button.key == "localize_search" for button in shown.button)
    assert "Region 1" in page_text(shown)


def test_scenes_are_offered_with_their_thumbnails(open_page: Open) -> None:
    ids = state.example_scenes()
    sources = {f"example:{key}": name for key, name in ids.items()}
    chosen = next(iter(sources))
    tiles = gallery.scene_tiles(sources, {one: one[8:] for one in sources}, chosen)
    assert [tile["name"] for tile in tiles] == ["field.tif", "plain.png"]
    assert [tile["on"] for tile in tiles] == [True, False]
    app = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
    with TestClient(app) as client:
        answer = client.get(tiles[0]["url"])
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
    assert pixels.shape == (256, 256, 3)
    assert pixels[96, 160, 0] > pixels[96, 160, 1] + 80  # the red square
    assert pixels[20, 20, 1] > pixels[20, 20, 0] + 50
