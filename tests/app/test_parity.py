"""The same query gives the same numbers in Python, on the command line, over HTTP and on a page."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import streamlit as st
from affine import Affine
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.geo import BBox
from terraseek.localization import HeatMap, LocalizeOptions, localize, summary
from terraseek.scenes import Scene
from terraseek.search import Query, Searcher, hits_json
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.pages.explore.search import run_search
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.pages.localize.downloads import file_bytes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings
from terraseek_app.server.uploads import keep_upload

COLOURS = {"red": (205, 40, 40), "green": (40, 170, 60), "blue": (45, 70, 210)}
PLACES = [(2.35, 48.86), (139.69, 35.69), (-77.04, -12.05), (179.9, -18.1)]
BOX = (100.0, -60.0, -60.0, 60.0)
SECONDS = 300
"""A run of a page may take that long on a busy machine."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve chips, every third without a caption, and a scene with a red square."""
    folder = tmp_path_factory.mktemp("parity")
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "label", "lat", "lon"])
        for row, (lon, lat) in enumerate(PLACES):
            for column, (name, colour) in enumerate(COLOURS.items()):
                noise = np.random.default_rng(10 * row + column).integers(-18, 18, (24, 24, 3))
                pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{row}_{name}.png")
                caption = f"a {name} field" if (row + column) % 3 else ""
                table.writerow([f"{row}_{name}.png", caption, name, lat, lon])
    import_source(folder / "items.csv", folder / "cat", name="fields")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    (folder / "scenes").mkdir()
    pixels = np.full((3, 256, 256), 60, np.uint8)
    pixels[1] = 150
    pixels[:, 64:128, 128:192] = np.array(COLOURS["red"], np.uint8)[:, None, None]
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": Affine(1, 0, 448_000, 0, -1, 5_412_000)}
    with rasterio.open(folder / "scenes" / "field.tif", "w", **profile, **place) as target:
        target.write(pixels)
    return Settings(folder / "cat", "fake", folder / "scenes", folder / "uploads")


@pytest.fixture
def served(world: Settings) -> Iterator[Settings]:
    st.cache_data.clear()
    state.reset(world)
    yield world
    state.reset(Settings())


def run_command(*arguments: str) -> Any:
    answer = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def request_json(address: str, body: bytes | None = None, **params: Any) -> Any:
    app = Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))
    with TestClient(app) as client:
        method = "GET" if body is None else "POST"
        answer = client.request(method, address, params=params, content=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def page_of(name: str, **session: Any) -> AppTest:
    def script(page: str) -> None:
        from importlib import import_module

        from terraseek_app.pages.explore import state as explore_state
        from terraseek_app.pages.localize import state as localize_state

        explore_state.preserve_session()
        localize_state.preserve_session()
        import_module(f"terraseek_app.pages.{page}.page").render()

    test = AppTest.from_function(script, args=(name,), default_timeout=SECONDS)
    for key, value in session.items():
        test.session_state[key] = value
    test.run()
    assert not test.exception, test.exception
    return test


def test_search(served: Settings) -> None:
    catalogue = Catalogue.open(served.catalogue or "")
    searcher = Searcher(catalogue, FakeEncoder())
    liked = searcher.search(Query(text="blue"), 1).hits[0].item_id
    query = Query(text="red", minus=("dark",), liked=(liked,), alpha=0.3, ensemble=True)
    library = hits_json(searcher.search(query, 12, Filter(bbox=BBox(*BOX))).hits)
    assert len(library) == 9

    box = ",".join(map(str, BOX))
    from_cli = run_command(
        "search", str(served.catalogue), "red", "--minus", "dark", "--liked", liked,
        "--alpha", "0.3", "--ensemble", f"--bbox={box}", "-k", "12",
    )  # fmt: skip
    assert from_cli == library

    from_http = request_json(
        "/api/search", q="red", minus="dark", liked=liked, alpha=0.3, ensemble=1, bbox=box, k=12
    )
    assert from_http["hits"] == library

    ask = SearchForm("red", ("dark",), liked=(liked,), captions=30, ensemble=True, box=BOX, k=12)
    page = page_of(
        "explore", explore_text="red", explore_minus="dark", explore_liked=[liked],
        explore_captions=30, explore_ensemble=True, explore_box=list(BOX), explore_k=12,
    )  # fmt: skip
    assert page.session_state["explore_hits"] == [hit["item_id"] for hit in library]
    assert hits_json(run_search(ask).hits) == library


def test_localize(served: Settings) -> None:
    assert served.scenes is not None
    path = served.scenes / "field.tif"
    options = LocalizeOptions(scales=(64, 128), minus=("dark",))
    with Scene.open(path) as scene:
        library = lasting(summary(localize(scene, "red", FakeEncoder(), options)))
    assert library["peak"]["lon"] == pytest.approx(2.29, abs=0.05)

    flags = ("--scales", "64,128", "--minus", "dark", "--model", "fake")
    assert lasting(run_command("localize", str(path), "red", *flags)) == library

    [scene_id] = [row["id"] for row in request_json("/api/scenes")["scenes"]]
    [from_http] = request_json(f"/api/localize/{scene_id}", q="red", minus="dark", scales="64,128")[
        "maps"
    ]
    assert {key: from_http[key] for key in library} == library

    page = page_of(
        "localize", localize_source=f"example:{scene_id}", localize_text="red",
        localize_minus="dark", localize_scales="64, 128", localize_ask=True,
    )  # fmt: skip
    assert lasting(summary(answer_of(page))) == library


@pytest.mark.parametrize(
    ("method", "scales", "image"),
    [
        ("terraseek", "64, 128", "item"),
        ("selo-v1", "64, 96", ""),
        ("selo-v2", "", "upload"),
        ("dense", "", ""),
    ],
)
def test_localize_by_any_method_and_question(
    served: Settings, tmp_path: Path, method: str, scales: str, image: str
) -> None:
    """Page, address and command, of words and of images."""
    model = "terraseek-tiny" if method == "dense" else "fake"  # the fake one has no cells
    served = replace(served, model=model)
    state.reset(served)
    assert served.scenes is not None
    path = served.scenes / "field.tif"
    chip = tmp_path / "chip.png"
    Image.fromarray(np.full((300, 200, 3), COLOURS["red"], np.uint8)).save(chip)
    item_id = state.catalogue().item_ids[0].decode()
    if image == "item":
        chip.write_bytes(state.catalogue().image_bytes(item_id))
    sizes = scales.replace(" ", "")
    how = ("--method", method, "--model", model, *(("--scales", sizes) if sizes else ()))
    what = ("--image", str(chip)) if image else ("red",)
    from_cli = lasting(run_command("localize", str(path), *what, *how))

    [scene_id] = [row["id"] for row in request_json("/api/scenes")["scenes"]]
    params = {"method": method, "scales": sizes}
    address = f"/api/localize/{scene_id}"
    if image == "upload":
        [from_http] = request_json(address, body=chip.read_bytes(), **params)["maps"]
    else:
        query_params = {"like": item_id} if image else {"q": "red"}
        [from_http] = request_json(address, **params, **query_params)["maps"]
    if image:  # the three name the same image differently
        from_cli = from_cli | {"query": from_http["query"]}
    assert {key: from_http[key] for key in from_cli} == from_cli
    assert from_http["method"] == method

    session = {"localize_text": "" if image else "red", "localize_ask": True}
    if image == "upload":
        with chip.open("rb") as opened:
            token = keep_upload(opened, "chip.png", served.uploads, 1 << 20)
        session |= {"localize_picture": f"upload:{token}", "localize_picture_name": "chip.png"}
    elif image:
        session |= {"localize_picture": f"item:{item_id}", "localize_picture_name": item_id}
    heat = answer_of(
        page_of(
            "localize", localize_source=f"example:{scene_id}", localize_method=method,
            localize_scales=scales, **session,
        )
    )  # fmt: skip
    found = lasting(summary(heat))
    assert found | ({"query": from_cli["query"]} if image else {}) == from_cli
    files = (
        json.loads(file_bytes(heat, "numbers.json")),
        json.loads(file_bytes(heat, "regions.geojson")),
    )
    assert (files[0]["method"], files[0]["query"]) == (method, heat.query)
    assert {f["properties"]["method"] for f in files[1]["features"]} <= {method}
    with rasterio.MemoryFile(file_bytes(heat, "heat.tif")) as memory, memory.open() as cog:
        assert cog.tags()["TERRASEEK_METHOD"] == method
        assert cog.tags()["TERRASEEK_QUERY"] == heat.query


def answer_of(page: AppTest) -> HeatMap:
    """The heat map a page shows once its job is done."""
    for _ in range(200):
        if page.session_state["localize_heat"]:
            return state.heat(page.session_state["localize_heat"])
        page.run()
        assert not page.exception, page.exception
    pytest.fail("the page did not answer")


def lasting(found: dict[str, Any]) -> dict[str, Any]:
    """Without the times, which differ from run to run."""
    return {k: v for k, v in found.items() if k not in ("encode_s", "query_s")}
