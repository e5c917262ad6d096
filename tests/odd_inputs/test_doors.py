"""The same odd files through every door: the right result or one line, no traceback, no 500."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from helpers.odd_files import OddFile, write_odd_files
from terraseek.catalogue import Catalogue, ImportReport, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import TerraSeekError
from terraseek.files import plain_cell
from terraseek.localization import localize, map_numbers
from terraseek.scenes import Scene
from terraseek.search.export.files import EXPORTS
from terraseek.search.query import Query
from terraseek.search.searcher import Searcher
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings


@dataclass(frozen=True)
class World:
    """A folder of odd files, and the catalogue of it."""

    folder: Path
    files: list[OddFile]
    report: ImportReport
    catalogue: Catalogue
    store: EmbeddingStore

    def names(self, **wanted: bool) -> set[str]:
        return {f.name for f in self.files if all(getattr(f, k) == v for k, v in wanted.items())}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("odd") / "files"
    files = write_odd_files(folder)
    Image.new("RGB", (40, 40), (20, 200, 20)).save(folder / "green.png")
    report = import_source(folder, folder.parent / "cat")
    catalogue = Catalogue.open(folder.parent / "cat")
    return World(folder, files, report, catalogue, embed_catalogue(catalogue, FakeEncoder()))


@pytest.fixture(scope="module")
def client(world) -> Iterator[TestClient]:
    settings = Settings(
        catalogue=world.catalogue.path,
        model="fake",
        scenes=world.folder,
        uploads=world.folder.parent / "uploads",
    )
    state.reset(settings)
    app = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened
    state.reset(Settings())


def is_one_line(message: str) -> bool:
    return bool(message.strip()) and "\n" not in message and "Traceback" not in message


def test_import_takes_what_is_right_and_lists_the_rest(world):
    items = world.catalogue.items()
    assert set(items["image"]) == world.names(right=True) | {"green.png"}
    reasons = {broken.member: broken.reason for broken in world.report.broken}
    assert reasons.keys() == world.names(right=False)
    assert [reason for reason in reasons.values() if not is_one_line(reason)] == []


def test_search_finds_every_red_image(world):
    has_image = world.store.flags & HAS_IMAGE > 0
    assert has_image.all()
    hits = Searcher(world.catalogue, FakeEncoder(), world.store).search(Query(text="red"), 100).hits
    order = [world.catalogue.item(hit.item_id)["image"] for hit in hits]
    assert world.names(red=True, right=True) <= set(order[: order.index("green.png")])


def test_localize_answers_or_refuses_in_one_line(world):
    refused = {
        name: reason
        for name in world.names()
        if (reason := refusal(world.folder / name)) is not None
    }
    # nothing can be found in an image without a visible pixel
    assert refused.keys() == world.names(right=False) | {"transparent.png"}
    assert [reason for reason in refused.values() if not is_one_line(reason)] == []


def refusal(path: Path) -> str | None:
    """Message of the error of a localization; None if it gives a map with finite scores."""
    try:
        with Scene.open(path) as scene:
            heat = localize(scene, "red", FakeEncoder())
    except TerraSeekError as error:
        return str(error)
    assert np.isfinite(heat.score[heat.valid]).all(), path.name
    assert json.loads(json.dumps(map_numbers(heat)))["peak"], path.name
    return None


@pytest.fixture(scope="module")
def exports(world) -> dict[str, bytes]:
    result = Searcher(world.catalogue, FakeEncoder(), world.store).search(Query(text="red"), 100)
    return {
        suffix: write(result.hits, world.catalogue, None) for suffix, (_, write) in EXPORTS.items()
    }


def test_exports_have_every_hit_under_its_name(world, exports):
    names = world.names(right=True) | {"green.png"}
    rows = list(csv.DictReader(io.StringIO(exports[".csv"].decode("utf-8-sig"), newline="")))
    assert {plain_cell(row["image"]) for row in rows} == names
    assert {row["image"] for row in json.loads(exports[".json"])} == names
    assert {f["properties"]["image"] for f in json.loads(exports[".geojson"])["features"]} == names
    assert set(pq.read_table(io.BytesIO(exports[".parquet"]))["image"].to_pylist()) == names
    assert len(json.loads(exports[".stac.json"])["features"]) == len(names)


def test_an_exported_shard_is_imported_with_the_same_pixels(world, exports, tmp_path):
    (tmp_path / "hits.tar").write_bytes(exports[".tar"])
    report = import_source(tmp_path / "hits.tar", tmp_path / "cat")
    assert (report.added, report.broken) == (len(world.catalogue.items()), [])
    again = Catalogue.open(tmp_path / "cat")
    for row in again.items(["item_id", "found_as"]).itertuples():
        assert np.array_equal(
            again.read_image(row.item_id), world.catalogue.read_image(row.found_as)
        )


def test_http_serves_every_item(world, client):
    items = world.catalogue.items().set_index("item_id")["image"]
    for key, name in items.items():
        assert client.get(f"/api/items/{key}").json()["image"] == name
        answer = client.get(f"/api/thumbnails/{key}")
        assert answer.status_code == 200, name
        if name in world.names(red=True, right=True):
            with Image.open(io.BytesIO(answer.content)) as shown:
                red, green, _ = shown.convert("RGB").resize((1, 1)).getpixel((0, 0))
            assert red > 2 * green, name
    found = client.get("/api/search", params={"q": "red", "k": 100}).json()
    assert {hit["image"] for hit in found["hits"]} == set(items)


def test_http_localizes_or_refuses_every_scene_and_body(world, client):
    scenes = client.get("/api/scenes").json()["scenes"]
    assert scenes
    for scene in scenes:
        for address in (f"/api/localize/{scene['id']}?q=red", f"/overlays/scene/{scene['id']}.png"):
            check_answer(client.get(address), scene["name"], world)
    first = next(scene["id"] for scene in scenes if scene["name"] == "utm.tif")
    for file in world.files:
        body = (world.folder / file.name).read_bytes()
        answer = client.post(f"/api/localize/{first}", params={"name": file.name}, content=body)
        check_answer(answer, file.name, world)


def check_answer(answer, name: str, world: World) -> None:
    """200 for an image, else a 4xx with one line."""
    if name in world.names(right=True) - {"transparent.png"}:
        assert answer.status_code == 200, (name, answer.text[:200])
    elif name in world.names(right=False):
        assert 400 <= answer.status_code < 500, (name, answer.text[:200])
        assert is_one_line(answer.json()["what"]), name
    else:
        assert answer.status_code < 500, (name, answer.text[:200])


@pytest.mark.parametrize("form", ["csv", "parquet", "tar", "stac"])
def test_the_command_line_prints_one_line_for_damaged_sources(tmp_path, form):
    data = {
        "csv": b"filename,caption\n\xff\xfe\x00",
        "parquet": b"PAR1" + bytes(50) + b"PAR1",
        "tar": b"no tar" * 200,
        "stac": b'{"type": "FeatureCollection", "stac_version": "1.0.0", "features": [',
    }[form]
    path = tmp_path / ("s.json" if form == "stac" else f"s.{form}")
    path.write_bytes(data)
    done = CliRunner().invoke(build_app(), ["import", str(path), "--out", str(tmp_path / "cat")])
    assert isinstance(done.exception, TerraSeekError)
    assert is_one_line(str(done.exception))
    assert not (tmp_path / "cat").exists() or not list((tmp_path / "cat").glob("items*"))
