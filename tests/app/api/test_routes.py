"""The HTTP routes, requested as a browser or a script would."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import (
    CatalogueError,
    EncoderMismatchError,
    ItemNotFoundError,
    SceneError,
    SceneTooLargeError,
    TerraSeekError,
)
from terraseek.geo import lonlat_to_tile
from terraseek.localization import localize
from terraseek.localization.output.colour.value_image import value_range
from terraseek.scenes import Scene
from terraseek.search import Query, Searcher, hits_json
from terraseek.tiles.footprints import mercator
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.server import state
from terraseek_app.server.failures import status_of
from terraseek_app.server.settings import Settings

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (30, 50, 220)}
PLACES = [(2.35, 48.86), (13.4, 52.5), (178.4, -18.1), (-178.0, -17.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of twelve chips with vectors, one chip without a place."""
    source = tmp_path_factory.mktemp("source")
    with (source / "items.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "label", "lat", "lon", "gsd_m"])
        for name, colour in COLOURS.items():
            for number, (lon, lat) in enumerate(PLACES):
                file = f"{name}{number}.png"
                pixels = np.clip(np.array(colour) + number, 0, 255).astype(np.uint8)
                Image.fromarray(np.broadcast_to(pixels, (40, 60, 3)).copy()).save(source / file)
                place = ["", ""] if file == "blue3.png" else [lat, lon]
                table.writerow([file, f"a {name} field", name, *place, 10])
    out = tmp_path_factory.mktemp("served") / "cat"
    import_source(source / "items.csv", out, name="fields")
    embed_catalogue(Catalogue.open(out), FakeEncoder())
    return out


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[TestClient]:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    Image.fromarray(np.full((50, 80, 3), 120, np.uint8)).save(scenes / "plain.png")
    state.reset(Settings(catalogue=folder, model="fake", scenes=scenes))
    app = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened
    state.reset(Settings())


def test_health_names_catalogue_and_encoder(client: TestClient) -> None:
    answer = client.get("/api/health").json()
    assert answer["status"] == "ok"
    assert (answer["catalogue"], answer["items"]) == ("cat", 12)
    assert answer["encoder_id"] == FakeEncoder().encoder_id


def test_tiles_of_items_show_the_image_at_its_place(client: TestClient) -> None:
    info = client.get("/tiles/items.json").json()
    assert info["items"] == 11
    zoom = info["minzoom"] + 3
    lon, lat = PLACES[0]
    x, y = lonlat_to_tile(lon, lat, zoom)
    answer = client.get(f"/tiles/items/{zoom}/{x}/{y}")
    assert answer.headers["content-type"] == "image/webp"
    square = mercator(np.array([lon, lat])) * 2**zoom - (x, y)
    place = tuple((square * 256).astype(int).tolist())
    with Image.open(io.BytesIO(answer.content)) as image:  # the last of three at this place
        assert image.convert("RGBA").getpixel(place) == pytest.approx(
            (*COLOURS["blue"], 255), abs=25
        )
    red = Catalogue.open(state.settings().catalogue or "").items(["item_id", "caption"])
    red_id = red["item_id"][red["caption"] == "a red field"].iloc[0]
    with Image.open(
        io.BytesIO(client.get(f"/tiles/items/{red_id}/{zoom}/{x}/{y}").content)
    ) as image:
        assert image.convert("RGBA").getpixel(place) == pytest.approx(
            (*COLOURS["red"], 255), abs=25
        )
    assert client.get(f"/tiles/items/{zoom}/{x + 9}/{y}").status_code == 204
    clicked = client.get(f"/api/item-at?at={lon},{lat}&zoom={zoom}").json()
    assert clicked["caption"] == "a blue field"
    assert client.get(f"/api/item-at?at={lon},{lat}&zoom=1").status_code == 204
    assert client.get(f"/api/item-at?at={lon},{lat + 1}&zoom={zoom}").status_code == 204


def test_health_reports_errors(client: TestClient, tmp_path: Path) -> None:
    state.reset(Settings(catalogue=tmp_path / "nowhere", model="fake"))
    answer = client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["error"] == "CatalogueNotFoundError"
    assert "nowhere" in answer.json()["what"]


def test_search_equals_the_library(client: TestClient, folder: Path) -> None:
    answer = client.get("/api/search", params={"q": "red", "k": 5}).json()
    same = Searcher(Catalogue.open(folder), FakeEncoder()).search(Query(text="red"), k=5)
    assert answer["hits"] == hits_json(same.hits)
    assert answer["matched"] == 12
    assert answer["request"]["query"] == "red"
    assert all("red" in hit["caption"] for hit in answer["hits"][:4])


@pytest.mark.parametrize(
    ("params", "matched"),
    [
        ({"bbox": "0,40,20,60"}, 6),
        ({"bbox": "170,-20,-170,0"}, 5),
        ({"label": "green"}, 4),
        ({"label": ["green", "blue"], "bbox": "0,40,20,60"}, 4),
        ({"text": "BLUE"}, 4),
        ({"gsd_max": 5}, 0),
        ({"polygon": "POLYGON ((0 40, 20 40, 20 60, 0 60, 0 40))"}, 6),
        ({"within": "10,50,9000", "bbox": "0,40,20,60"}, 6),
        ({"where": "label = 'green' -- only these"}, 4),
        ({"precision": "none"}, 1),
    ],
)
def test_search_filters_first(client: TestClient, params: dict[str, Any], matched: int) -> None:
    answer = client.get("/api/search", params={"q": "red", **params}).json()
    assert answer["matched"] == matched
    assert len(answer["hits"]) == matched


def test_every_kind_of_query_equals_the_library(client: TestClient, folder: Path) -> None:
    same = Searcher(Catalogue.open(folder), FakeEncoder())
    red, green = (same.search(Query(text=word), k=1).hits[0].item_id for word in ("red", "green"))
    asked: list[tuple[dict[str, Any], Query]] = [
        ({"near": "13,52"}, Query(near=(13, 52))),
        ({"q": "red", "plus": ["green", "dark"]}, Query(text="red", plus=("green", "dark"))),
        (
            {"q": "a", "liked": green, "disliked": red},
            Query(text="a", liked=(green,), disliked=(red,)),
        ),
        ({"q": "red", "alpha": 0.4}, Query(text="red", alpha=0.4)),
        ({"q": "red", "ensemble": 1}, Query(text="red", ensemble=True)),
    ]
    for params, query in asked:
        answer = client.get("/api/search", params={**params, "k": 12}).json()
        assert answer["hits"] == hits_json(same.search(query, k=12).hits), params


def test_liked_and_disliked_items(client: TestClient) -> None:
    first = client.get("/api/search", params={"q": "green", "k": 1}).json()["hits"][0]
    more = client.get("/api/search", params={"like": first["item_id"], "k": 3}).json()["hits"]
    assert first["item_id"] not in [hit["item_id"] for hit in more]
    assert {hit["caption"] for hit in more} == {"a green field"}
    less = client.get("/api/search", params={"q": "bright", "minus": "red", "k": 4}).json()["hits"]
    assert "a red field" not in {hit["caption"] for hit in less}


@pytest.mark.parametrize(
    ("address", "status", "error"),
    [
        ("/api/search", 400, "EmptyQueryError"),
        ("/api/search?q=%20", 400, "EmptyQueryError"),
        ("/api/search?q=red&k=0", 400, "InputError"),
        ("/api/search?q=red&k=1001", 400, "InputError"),
        ("/api/search?q=red&k=many", 400, "InputError"),
        ("/api/search?q=red&gsd_min=nan", 400, "FilterError"),
        ("/api/search?q=red&bbox=0,1,2", 400, "BBoxError"),
        ("/api/search?q=red&bbox=0,10,5,-10", 400, "BBoxError"),
        ("/api/search?q=red&date_from=yesterday", 400, "FilterError"),
        ("/api/search?q=red&source=elsewhere", 400, "FilterError"),
        ("/api/search?q=red&polygon=POINT%20(1%202)", 400, "FilterError"),
        ("/api/search?q=red&within=1,2", 400, "FilterError"),
        ("/api/search?q=red&where=1=1)%20OR%20(1=1", 400, "FilterError"),
        ("/api/search?q=red&where=_file%20IS%20NOT%20NULL", 400, "FilterError"),
        ("/api/search?like=nobody", 404, "ItemNotFoundError"),
        ("/api/items/nobody", 404, "ItemNotFoundError"),
        ("/api/rows/99", 404, "ItemNotFoundError"),
        ("/api/rows/first", 400, "InputError"),
        ("/api/nothing/here", 404, "Not Found"),
        ("/api/search?near=Paris", 400, "QueryError"),
        ("/api/search?near=2,49&q=red", 400, "QueryError"),
        ("/api/search?q=red&alpha=2", 400, "QueryError"),
        ("/api/search?q=red&liked=nobody", 404, "ItemNotFoundError"),
        ("/api/thumbnails/nobody", 404, "ItemNotFoundError"),
        ("/tiles/basemap/0/0/1", 400, "BBoxError"),
        ("/tiles/basemap/7/0/0", 400, "InputError"),
        ("/tiles/basemap/0/x/0", 400, "InputError"),
        ("/tiles/density/1/2/0", 400, "BBoxError"),
        ("/tiles/density/999999999/0/0", 400, "InputError"),
        ("/tiles/items/1/2/0", 400, "BBoxError"),
        ("/api/item-at?at=1,100&zoom=5", 400, "BBoxError"),
        ("/api/item-at?zoom=5", 400, "InputError"),
        ("/tiles/items/nothing/1/0/0", 404, "ItemNotFoundError"),
        ("/api/points?bbox=1,2,3", 400, "BBoxError"),
        ("/api/points?bbox=1,2,3,4&most=0", 400, "InputError"),
        ("/tiles/scene/unknown/0/0/0", 400, "SceneError"),
        ("/overlays/heat/unknown.png", 400, "SceneError"),
        ("/overlays/scene/unknown.png", 400, "SceneError"),
        ("/overlays/scene/unknown/thumbnail.jpg", 400, "SceneError"),
    ],
)
def test_errors_have_a_status_and_a_message(
    client: TestClient, address: str, status: int, error: str
) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert len(answer.json()["what"]) > 15


def test_no_response_contains_a_server_path(client: TestClient, folder: Path) -> None:
    for address in ("/api/health", "/api/items/nobody", "/openapi.json"):
        assert str(folder.parent) not in client.get(address).text


def test_items_by_id_and_by_row_are_the_same(client: TestClient, folder: Path) -> None:
    first = Catalogue.open(folder).items(["item_id"])["item_id"].iloc[0]
    by_id = client.get(f"/api/items/{first}").json()
    assert by_id == client.get("/api/rows/0").json()
    assert by_id["caption"] == "a red field"


def test_thumbnails_keep_their_shape_and_are_cached(client: TestClient) -> None:
    item = client.get("/api/rows/0").json()["item_id"]
    answer = client.get(f"/api/thumbnails/{item}", params={"size": 120})
    assert Image.open(io.BytesIO(answer.content)).size == (120, 80)
    again = client.get(
        f"/api/thumbnails/{item}?size=120", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/api/thumbnails/{item}?size=5").status_code == 400


def test_points_are_columns_of_all_located_items(client: TestClient, folder: Path) -> None:
    body = client.get("/api/points").content
    n = int(np.frombuffer(body, "<u4", 1)[0])
    assert (n, len(body)) == (11, 4 + 11 * 13)
    rows = np.frombuffer(body, "<u4", n, 4)
    lon = np.frombuffer(body, "<f4", n, 4 + 4 * n)
    lat = np.frombuffer(body, "<f4", n, 4 + 8 * n)
    items = Catalogue.open(folder).items(["lon", "lat"])
    np.testing.assert_allclose(lon, items["lon"].to_numpy()[rows], rtol=1e-6)
    np.testing.assert_allclose(lat, items["lat"].to_numpy()[rows], rtol=1e-6)


def test_points_of_an_area_are_listed_unless_too_many(client: TestClient) -> None:
    body = client.get("/api/points", params={"bbox": "170,-20,-170,0"}).content
    n = int(np.frombuffer(body, "<u4", 1)[0])
    lon = np.frombuffer(body, "<f4", n, 4 + 4 * n)
    assert n == 5
    assert (np.abs(lon) > 170).all()
    answer = client.get("/api/points", params={"bbox": "170,-20,-170,0", "most": 4})
    assert (answer.status_code, answer.content) == (204, b"")


def test_density_tiles_are_images_where_items_are(client: TestClient) -> None:
    answer = client.get("/tiles/density/0/0/0.png")
    pixels = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    assert pixels.shape == (256, 256, 4)
    assert (pixels[..., 3] > 0).sum() == 4 * 4  # four places, squares of two pixels
    assert client.get("/tiles/density/3/0/7").status_code == 204


def test_scene_without_crs_is_one_image(client: TestClient) -> None:
    [(scene_id, name)] = state.example_scenes().items()
    assert name == "plain.png"
    assert name not in scene_id
    answer = client.get(f"/overlays/scene/{scene_id}.png")
    assert Image.open(io.BytesIO(answer.content)).size == (80, 50)


def test_heat_map_overlay_contains_values(client: TestClient, tmp_path: Path) -> None:
    ground = np.full((60, 80, 3), 110, np.uint8)
    ground[20:40, 30:60] = (230, 20, 20)
    Image.fromarray(ground).save(tmp_path / "ground.png")
    with Scene.open(tmp_path / "ground.png") as scene:
        heat = localize(scene, "red", FakeEncoder(), cache=False)
    address = f"/overlays/heat/{state.add_heat(heat)}.png"
    image = Image.open(io.BytesIO(client.get(address).content))
    pixels = np.asarray(image).astype(int)
    assert image.mode == "RGB"
    low, high = value_range(heat)
    scores = low + (256 * pixels[..., 0] + pixels[..., 2]) / 65535 * (high - low)
    np.testing.assert_allclose(scores, heat.score, atol=1e-5)
    assert (pixels[..., 1] == 255).all()


def test_oldest_heat_maps_are_dropped(client: TestClient) -> None:
    first = state.add_heat(object())  # type: ignore[arg-type]
    for _ in range(state.MAX_HEAT_MAPS):
        state.add_heat(object())  # type: ignore[arg-type]
    with pytest.raises(SceneError, match="no longer kept"):
        state.heat(first)


def test_assets_are_only_files_of_the_map(client: TestClient) -> None:
    assert client.get("/assets/map/maplibre-gl.js").headers["content-type"].startswith("text/javas")
    assert "WorldMap" in client.get("/assets/map/world.js").text
    for name in ("..%2f..%2fserver.py", "component.py", "nothing.js"):
        assert client.get(f"/assets/map/{name}").status_code == 404


def test_cells_count_the_items_of_an_area(client: TestClient) -> None:
    x, y = lonlat_to_tile(*PLACES[0], 5)
    assert client.get("/api/cells?bbox=2,48,3,49&zoom=5").json() == {"cells": [[x, y, 3]]}
    whole = client.get("/api/cells?bbox=-180,-85,180,85&zoom=0").json()
    assert whole == {"cells": [[0, 0, 11]]}
    assert client.get("/api/cells?zoom=3").status_code == 400


def test_places_by_name_and_by_coordinates(client: TestClient) -> None:
    lyon = client.get("/api/places?q=Lyon").json()["places"][0]
    assert lyon["name"] == "Lyon"
    assert lyon["region"].endswith("France")
    assert (lyon["lon"], lyon["lat"]) == pytest.approx((4.85, 45.75), abs=0.05)
    (typed,) = client.get("/api/places", params={"q": "45°30'N 4°15'E"}).json()["places"]
    assert (typed["lon"], typed["lat"]) == pytest.approx((4.25, 45.5))
    assert client.get("/api/places?q=").json() == {"places": []}
    assert client.get("/api/places?q=99N 4E").status_code == 400


def test_reference_tiles_are_served(client: TestClient) -> None:
    answer = client.get(f"/tiles/reference/6/{'/'.join(map(str, lonlat_to_tile(2.35, 48.86, 6)))}")
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert b"towns" in answer.content
    assert b"Paris" in answer.content
    assert client.get("/tiles/reference/11/0/0").status_code == 400


def test_borders_are_lines_on_the_globe(client: TestClient) -> None:
    features = client.get("/tiles/borders.json").json()["features"]
    assert [feature["properties"]["kind"] for feature in features] == ["coast", "border"]
    points = np.concatenate([np.array(line) for line in features[0]["geometry"]["coordinates"]])
    assert (np.abs(points) <= [180, 90]).all()
    assert len(points) > 20_000


def test_openapi_knows_every_route(client: TestClient) -> None:
    described = set(client.get("/openapi.json").json()["paths"])
    served = {route.path for route in routes()}  # type: ignore[attr-defined]
    internal = {"/openapi.json", "/tiles/borders.json"}
    assert {path for path in served if path.startswith("/api/")} <= described
    assert described <= served - internal


def test_explore_redirects_to_the_first_page(client: TestClient) -> None:
    answer = client.get("/explore?q=red&k=12", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].endswith("/?q=red&k=12")


def test_status_of_subclasses() -> None:
    assert status_of(ItemNotFoundError("")) == 404
    assert status_of(CatalogueError("")) == 503
    assert status_of(SceneTooLargeError("")) == 413
    assert status_of(SceneError("")) == 400
    assert status_of(EncoderMismatchError("")) == 503
    assert status_of(TerraSeekError("")) == 500


def test_a_failed_load_is_tried_again(folder: Path, tmp_path: Path) -> None:
    state.reset(Settings(catalogue=tmp_path / "later", model="fake"))
    with pytest.raises(CatalogueError, match="later"):
        state.catalogue()
    os.symlink(folder, tmp_path / "later")
    assert state.catalogue().count == 12
    assert state.catalogue() is state.catalogue()


def test_the_description_has_the_limit_of_hits(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/api/search"]["get"]["parameters"]
    [hits] = [one["schema"] for one in described if one["name"] == "k"]
    assert hits == {"type": "integer", "minimum": 1, "maximum": 1000}
    answer = client.get("/api/search?q=red&k=1001")
    assert (answer.status_code, answer.json()["error"]) == (400, "InputError")
