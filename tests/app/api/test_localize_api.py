"""Localization over HTTP equals the library."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from terraseek.catalogue import import_source
from terraseek.encoders.fake import FakeEncoder
from terraseek.geo import lonlat_to_tile
from terraseek.localization import (
    HEAT_FILES,
    LocalizeOptions,
    compare,
    localize,
    localize_many,
    regions_geojson,
)
from terraseek.localization.query import ImageQuery
from terraseek.scenes import Scene
from terraseek_app.api import localize_routes
from terraseek_app.api.localize_routes import BUNDLE_NAME
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings


@pytest.fixture
def scene_path(tmp_path: Path) -> Path:
    """Grey ground in UTM with a red and a green spot."""
    pixels = np.full((3, 200, 300), 110, np.uint8)
    pixels[:, 40:90, 200:260] = np.array([230, 20, 20])[:, None, None]
    pixels[:, 120:170, 30:90] = np.array([20, 200, 20])[:, None, None]
    folder = tmp_path / "scenes"
    folder.mkdir()
    grid = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 5e5, 0, -2, 5e6)}
    with rasterio.open(
        folder / "ground.tif", "w", count=3, height=200, width=300, dtype="uint8", **grid
    ) as target:
        target.write(pixels)
    return folder / "ground.tif"


@pytest.fixture
def client(scene_path: Path, tmp_path: Path) -> Iterator[TestClient]:
    chips = tmp_path / "chips" / "red"
    chips.mkdir(parents=True)
    Image.fromarray(np.full((40, 40, 3), (230, 20, 20), np.uint8)).save(chips / "a.png")
    import_source(tmp_path / "chips", tmp_path / "cat", name="chips")
    state.reset(Settings(catalogue=tmp_path / "cat", model="fake", scenes=scene_path.parent))
    app = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened
    state.reset(Settings())


def scene_id(client: TestClient) -> str:
    (only,) = client.get("/api/scenes").json()["scenes"]
    assert only["name"] == "ground.tif"
    return str(only["id"])


def test_several_sentences_with_something_subtracted(client: TestClient, scene_path: Path) -> None:
    params = {"q": ["red", "green"], "minus": "bright", "scales": "32,64"}
    maps = client.get(f"/api/localize/{scene_id(client)}", params=params).json()["maps"]
    options = LocalizeOptions(scales=(32, 64), minus=("bright",))
    for found, query in zip(maps, ("red", "green"), strict=True):
        with Scene.open(scene_path) as scene:
            heat = localize(scene, query, FakeEncoder(), options)
        assert found["query"] == query
        assert found["peak"]["score"] == pytest.approx(heat.peak.score)
        assert (found["peak"]["col"], found["peak"]["row"]) == (heat.peak.col, heat.peak.row)
        assert found["windows"] == heat.n_windows
        assert found["regions"] == json.loads(json.dumps(regions_geojson(heat)))


def test_several_sentences_are_compared(client: TestClient, scene_path: Path) -> None:
    params = {"q": ["red", "green"], "percentile": "90"}
    found = client.get(f"/api/localize/{scene_id(client)}", params=params).json()
    with Scene.open(scene_path) as scene:
        expected = compare(localize_many(scene, ["red", "green"], FakeEncoder()), None, 90)
    assert found["comparison"] == json.loads(json.dumps(expected.to_json()))
    rows = found["comparison"]["regions"]
    assert {(row["query"], row["peak_col"] > 150) for row in rows} == {
        ("red", True),
        ("green", False),
    }
    only = client.get(f"/api/localize/{scene_id(client)}", params={"q": "red"}).json()
    assert "comparison" not in only


def test_localize_the_image_of_an_item(client: TestClient) -> None:
    item_id = state.catalogue().item_ids[0].decode()
    (found,) = client.get(f"/api/localize/{scene_id(client)}", params={"like": item_id}).json()[
        "maps"
    ]
    assert found["query"] == f"picture of item {item_id}"
    assert 180 < found["peak"]["col"] < 280
    assert 20 < found["peak"]["row"] < 110


def test_localize_an_uploaded_image_with_any_method(
    client: TestClient, scene_path: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.full((60, 60, 3), (20, 200, 20), np.uint8)).save(tmp_path / "lawn.png")
    sent = client.post(
        f"/api/localize/{scene_id(client)}",
        params={"method": "selo-v1", "scales": "64", "name": "lawn.png"},
        content=(tmp_path / "lawn.png").read_bytes(),
    )
    (found,) = sent.json()["maps"]
    with Scene.open(scene_path) as scene:
        options = LocalizeOptions(method="selo-v1", scales=(64,))
        heat = localize(scene, ImageQuery.read(tmp_path / "lawn.png"), FakeEncoder(), options)
    assert (found["query"], found["method"]) == ("picture lawn.png", "selo-v1")
    assert found["peak"]["score"] == pytest.approx(heat.peak.score)
    assert (found["peak"]["col"], found["peak"]["row"]) == (heat.peak.col, heat.peak.row)
    properties = found["regions"]["features"][0]["properties"]
    assert (properties["query"], properties["method"]) == ("picture lawn.png", "selo-v1")


def test_a_body_that_is_no_image_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/localize/{scene_id(client)}"
    for body, message in ((b"", "no bytes"), (b"not a picture", "")):
        answer = client.post(address, content=body)
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["what"]
    monkeypatch.setattr(localize_routes, "MAX_IMAGE_BYTES", 1 << 20)
    answer = client.post(address, content=b"x" * ((1 << 20) + 1))
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["what"]


def test_heat_map_tiles_and_download(client: TestClient) -> None:
    (found,) = client.get(f"/api/localize/{scene_id(client)}?q=red").json()["maps"]
    x, y = lonlat_to_tile(found["peak"]["lon"], found["peak"]["lat"], 16)
    tile = client.get(f"/tiles/heat/{found['heat']}/16/{x}/{y}")
    assert np.asarray(Image.open(io.BytesIO(tile.content)))[..., 0].max() > 200
    assert client.get(f"/tiles/heat/{found['heat']}/16/0/0").status_code == 204
    cog = client.get(f"/api/heat/{found['heat']}")
    assert cog.headers["content-type"] == "image/tiff"
    with rasterio.MemoryFile(cog.content) as memory, memory.open() as opened:
        assert opened.shape == (200, 300)
        assert "red" in opened.descriptions[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "say what to look for"),
        ({"q": " "}, "empty"),
        ({"q": ["a"] * 9}, "at most 8"),
        ({"q": "red", "scales": "a"}, "give whole numbers"),
        ({"q": "red", "scales": "20.5"}, "whole numbers"),
        ({"q": "red", "scales": "1"}, "below 2"),
        ({"q": "red", "scales_m": "inf"}, "finite"),
        ({"q": "red", "method": "magic"}, "selo-v1"),
        ({"q": "red", "threshold": "1,2"}, "a finite number"),
        ({"q": "red", "percentile": "101"}, "percentile"),
    ],
)
def test_invalid_parameters_are_refused(
    client: TestClient, params: dict[str, str], message: str
) -> None:
    answer = client.get(f"/api/localize/{scene_id(client)}", params=params)
    assert answer.status_code == 400
    assert message in answer.json()["what"]


def test_unknown_scene_and_heat_map_ids(client: TestClient) -> None:
    for address in ("/api/localize/nope?q=red", "/api/heat/nope", "/tiles/heat/nope/1/0/0"):
        assert client.get(address).status_code == 400
    assert client.get("/tiles/heat/nope/99/0/0").status_code == 400


def test_every_file_of_a_heat_map(client: TestClient, tmp_path: Path) -> None:
    [found] = client.get(f"/api/localize/{scene_id(client)}", params={"q": "red"}).json()["maps"]
    heat_id = found["heat"]
    for name, kind in HEAT_FILES.items():
        response = client.get(f"/api/heat/{heat_id}/{name}", params={"percentile": "95"})
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith(kind.media_type)
        assert name in response.headers["content-disposition"]
    numbers = client.get(f"/api/heat/{heat_id}/numbers.json", params={"threshold": "0.3"}).json()
    assert numbers["threshold"] == 0.3
    answer = client.get(f"/api/heat/{heat_id}/{BUNDLE_NAME}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert opened.testzip() is None
        assert {"request.json", "regions.gpkg"} <= set(opened.namelist())
    assert client.get(f"/api/heat/{heat_id}/other.exe").status_code == 400
    assert client.get(f"/api/heat/none/{BUNDLE_NAME}").status_code == 400


def test_one_window_side_and_the_map_of_the_best_sentence(
    client: TestClient, scene_path: Path, tmp_path: Path
) -> None:
    asked = "q=red&q=green&scales=40,80"
    maps = client.get(f"/api/localize/{scene_id(client)}?{asked}").json()["maps"]
    with Scene.open(scene_path) as scene:
        heats = localize_many(
            scene, ["red", "green"], FakeEncoder(), LocalizeOptions(scales=(40, 80))
        )
    one = client.get(f"/api/heat/{maps[0]['heat']}/heat.tif?side=40")
    (tmp_path / "one.tif").write_bytes(one.content)
    with rasterio.open(tmp_path / "one.tif") as cog:
        expected = heats[0].read_rows(0, 200, heats[0].layers[40])
        np.testing.assert_allclose(cog.read(1), expected, atol=1e-5)
    refused = client.get(f"/api/heat/{maps[0]['heat']}/heat.tif?side=41")
    assert (refused.status_code, "sides: 40, 80" in refused.json()["what"]) == (400, True)
    ids = "&".join(f"heat={one['heat']}" for one in maps)
    best = client.get(f"/api/winner/winner.tif?{ids}")
    (tmp_path / "best.tif").write_bytes(best.content)
    with rasterio.open(tmp_path / "best.tif") as cog:
        np.testing.assert_array_equal(cog.read(1), compare(heats).winner + 1)
    style = client.get(f"/api/winner/winner.qml?{ids}").text
    assert style.index('label="red"') < style.index('label="green"')
    assert client.get("/api/winner/winner.tif").status_code == 400
    assert client.get(f"/api/winner/other.tif?{ids}").status_code == 400


def test_a_batch_is_the_zip_of_the_command(client: TestClient, scene_path: Path) -> None:
    body = {"sentences": ["red", ";", "green"], "scenes": ["ground.tif", "missing.tif"]}
    answer = client.post("/api/localize/batch?scales=40,80", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as files:
        names = files.namelist()
        rows = [json.loads(line) for line in files.read("rows.jsonl").splitlines() if line]
    assert {"results.csv", "results.parquet", "report.html", "contact_sheet.png"} <= set(names)
    done = {row["sentence"]: row for row in rows if row["status"] == "done"}
    assert set(done) == {"red", "green"}
    assert len(rows) == 6
    options = LocalizeOptions(scales=(40, 80))
    with Scene.open(scene_path) as scene:
        for query in ("red", "green"):
            peak = localize(scene, query, FakeEncoder(), options).peak
            assert (done[query]["col"], done[query]["row"]) == (peak.col, peak.row)
    everywhere = client.post("/api/localize/batch", json={"sentences": ["red"]})
    assert everywhere.status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"[1]", "must be JSON like"),
        (b'{"sentences": []}', "sentences must be a list"),
        (b'{"sentences": ["a"], "scenes": [3]}', "scenes must be a list"),
        (b'{"sentences": ["a"], "other": 1}', "must be JSON like"),
        (json.dumps({"sentences": [str(n) for n in range(501)]}).encode(), "more than the 500"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused(
    client: TestClient, body: bytes, words: str
) -> None:
    answer = client.post("/api/localize/batch", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["what"]
