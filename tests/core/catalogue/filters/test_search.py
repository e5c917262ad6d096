"""Random filters of every kind, in searches and on the command line, against plain Python."""

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Area, Catalogue, Circle, Filter, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError, FilterError
from terraseek.geo import EARTH_KM, BBox
from terraseek.index import candidates
from terraseek.index.build import build_index
from terraseek.search import Query, Searcher

COUNT = 80
SOURCES = ("north", "south")
COUNTRIES = ("Peru", "Fiji", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 items of two sources; every ninth has no coordinates, every eleventh no GSD."""
    base = tmp_path_factory.mktemp("filters")
    random = np.random.default_rng(11)
    for source in SOURCES:
        (base / source).mkdir()
        lines = ["filename,caption,lon,lat,label,date,gsd,country"]
        for i in range(COUNT // 2):
            name = f"{source}{i}.png"
            colour = random.integers(0, 256, (1, 1, 3)).astype(np.uint8)
            Image.fromarray(np.repeat(np.repeat(colour, 4, 0), 4, 1)).save(base / source / name)
            place = f"{random.integers(-180, 181)},{random.integers(-80, 81)}" if i % 9 else ","
            gsd = random.choice([0.3, 1.0, 10.0]) if i % 11 else ""
            kind = "farm" if i % 3 else "lake"
            month, country = 1 + i % 12, COUNTRIES[i % 3]
            lines.append(f"{name},a {kind},{place},{kind},2019-{month:02}-05,{gsd},{country}")
        (base / source / "items.csv").write_text("\n".join(lines))
        import_source(base / source / "items.csv", base / "cat", name=source, check=False)
    embed_catalogue(Catalogue.open(base / "cat"), FakeEncoder())
    return base


@pytest.fixture(scope="module")
def searchers(folder: Path) -> dict[str, Searcher]:
    """Searchers without an index and with two kinds of index, which they keep while open."""
    catalogue, found = Catalogue.open(folder / "cat"), {}
    for kind in ("none", "int8", "hnsw"):
        store = EmbeddingStore.open(catalogue)
        if kind != "none":
            build_index(store, kind=kind)
        found[kind] = Searcher(catalogue, FakeEncoder(), store)
    return found


def kilometres(lon: float, lat: float, circle: Circle) -> float:
    a, b = math.radians(lat), math.radians(circle.lat)
    turn = math.radians(lon - circle.lon)
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(turn)
    return EARTH_KM * math.acos(max(-1.0, min(1.0, cosine)))


def passes(item: dict, asked: dict) -> bool:
    """Whether an item meets every condition."""
    lon, lat, gsd = item["lon"], item["lat"], item["gsd_m"]
    placed = math.isfinite(lon)
    tests = {
        "box": lambda box: placed and box[1] <= lat <= box[3] and between(box[0], lon, box[2]),
        "polygon": lambda shape: (
            placed and any(shape.intersects(shapely.Point(lon + t, lat)) for t in (-360, 0, 360))
        ),
        "circle": lambda circle: placed and kilometres(lon, lat, circle) <= circle.km,
        "sources": lambda names: item["source"] in names,
        "gsd_max": lambda most: math.isfinite(gsd) and gsd <= most,
        "date_from": lambda first: item["captured_at"] >= first,
        "sql": lambda name: item["country"] == name,
    }
    return all(tests[key](value) for key, value in asked.items() if value)


def between(west: float, lon: float, east: float) -> bool:
    return west <= lon <= east if west <= east else lon >= west or lon <= east


numbers = st.integers(-180, 180)
heights = st.integers(-90, 90)
conditions = st.fixed_dictionaries(
    {
        "box": st.one_of(st.none(), st.tuples(numbers, heights, numbers, heights)),
        "polygon": st.one_of(
            st.none(), st.lists(st.tuples(st.integers(-200, 200), heights), min_size=3, max_size=5)
        ),
        "circle": st.one_of(st.none(), st.tuples(numbers, heights, st.integers(100, 15_000))),
        "sources": st.sampled_from([(), ("north",), ("south", "north")]),
        "gsd_max": st.sampled_from([None, 0.5, 1.0]),
        "date_from": st.sampled_from([None, "2019-06-01"]),
        "sql": st.sampled_from([None, "Peru", "Fiji"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(asked=conditions, kind=st.sampled_from(["none", "int8", "hnsw"]), k=st.integers(1, COUNT))
def test_a_search_returns_the_best_items_that_pass(searchers, asked, kind, k):
    where, plain = filter_of(asked)
    searcher = searchers[kind]
    items = searcher.catalogue.items().to_dict("records")
    kept = [row for row, item in enumerate(items) if passes(item, plain)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)
        result = searcher.search(Query(text="dark green"), k, where)
    assert result.matched == len(kept)
    assert len(result.hits) == min(k, len(kept))
    assert {hit.item_id for hit in result.hits} <= {items[row]["item_id"] for row in kept}
    vector = searcher.vector(Query(text="dark green")).astype(np.float64)
    scores = searcher.store.vectors.astype(np.float64) @ vector
    wanted = sorted((-scores[row].round(7), row) for row in kept)[:k]
    if result.exact:
        assert [hit.item_id for hit in result.hits] == [items[row]["item_id"] for _, row in wanted]
    assert result.exact or kind == "hnsw"


def filter_of(asked: dict) -> tuple[Filter, dict]:
    plain = dict(asked)
    box = shape = circle = None
    if asked["box"]:
        west, south, east, north = asked["box"]
        plain["box"] = (west, min(south, north), east, max(south, north))
        box = BBox(*plain["box"])
    if asked["polygon"]:
        shape = plain["polygon"] = shapely.MultiPoint(asked["polygon"]).convex_hull
        assume(shape.geom_type == "Polygon" and shape.bounds[2] - shape.bounds[0] <= 360)
    if asked["circle"]:
        # distances between integer coordinates never equal a radius that ends in .5 m
        circle = plain["circle"] = Circle(*asked["circle"][:2], asked["circle"][2] + 0.0005)
    sql = None if asked["sql"] is None else f"country = '{asked['sql']}'"
    where = Filter(
        bbox=box,
        polygon=None if shape is None else Area.parse(shape.wkt),
        within=circle,
        sources=asked["sources"],
        gsd_max=asked["gsd_max"],
        date_from=asked["date_from"],
        sql=sql,
    )
    return where, plain


def terraseek(*arguments: object):
    return CliRunner().invoke(build_app(), [str(a) for a in arguments])


def test_the_command_line_has_every_filter(folder: Path):
    area = folder / "area.geojson"
    shape = shapely.box(-180, -90, 0, 90)
    area.write_text(shapely.to_geojson(shape))
    common = ("search", folder / "cat", "green", "--json", "-k", COUNT)
    west = json.loads(terraseek(*common, "--polygon", area).stdout)
    assert west
    assert all(hit["lon"] <= 0 or hit["lon"] == 180 for hit in west)
    assert json.loads(terraseek(*common, "--polygon", shape.wkt).stdout) == west
    near = json.loads(terraseek(*common, "--within", "0,0,9000").stdout)
    assert 0 < len(near) < COUNT
    peru = json.loads(terraseek(*common, "--where", "country = 'Peru' AND gsd_m <= 1").stdout)
    assert 0 < len(peru) < COUNT
    failed = terraseek(*common, "--where", "nosuch = 1")
    assert isinstance(failed.exception, FilterError)
    assert "no column 'nosuch'; there are caption, " in str(failed.exception)


def test_terraseek_index_reports_what_it_built(folder: Path):
    done = terraseek("index", folder / "cat", "--kind", "hnsw", "--json")
    told = json.loads(done.stdout)
    assert (told["kind"], told["count"]) == ("hnsw", COUNT)
    assert set(told["recall_at_10"]) == {"pictures", "captions"}
    assert "recall of the exact ten best" in done.stderr
    told = json.loads(terraseek("index", folder / "cat", "--json").stdout)
    assert (told["kind"], told["recall_at_10"]) == ("flat", {"pictures": 1.0})
    assert isinstance(terraseek("index", folder / "cat", "--memory", "x").exception, ConfigError)
    assert isinstance(terraseek("index", folder / "cat", "--kind", "x").exception, ConfigError)
