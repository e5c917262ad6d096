"""Areas and conditions of a search cost bounded work, and are refused in one sentence beyond it."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from starlette.testclient import TestClient

from terraseek.catalogue import Area
from terraseek.errors import FilterError

Serve = Callable[[Path], TestClient]
BOUND_S = 5  # minutes before; a busy machine takes longer than the 0.1 s that it costs


def star(n: int) -> str:
    """Corners of a star of `n` points, an odd number; all its edges cross."""
    steps = [2 * math.pi * i * (n // 2) / n for i in range(n)]
    return ";".join(f"{20 * math.cos(a):.4f},{20 * math.sin(a):.4f}" for a in steps)


def as_wkt(corners: str) -> str:
    """The same polygon as WKT."""
    points = corners.replace(",", " ").split(";")
    return f"POLYGON (({', '.join([*points, points[0]])}))"


def stripes(n: int) -> str:
    """Two layers of `n` stripes, across each other, as GeoJSON."""
    boxes = [shapely.box(i / 10, 0, i / 10 + 0.05, 40) for i in range(n)]
    boxes += [shapely.box(0, i / 10, 40, i / 10 + 0.05) for i in range(n)]
    features = ",".join(
        f'{{"type":"Feature","geometry":{shapely.to_geojson(box)}}}' for box in boxes
    )
    return f'{{"type":"FeatureCollection","features":[{features}]}}'


AREAS = {
    "a star of 101 corners": (star(101), "cross more than"),
    "a star of 301 corners": (star(301), "cross more than"),
    "a star of 2,001 corners": (star(2001), "cross more than"),
    "a star as WKT": (as_wkt(star(301)), "cross more than"),
    "stripes across each other": (stripes(140), "cross more than"),
    "collections inside each other": (
        "GEOMETRYCOLLECTION(" * 2000 + "POINT(0 0)" + ")" * 2000,
        "nested",
    ),
    "JSON inside each other": ('{"type":' * 1500 + "1" + "}" * 1500, "nested"),
    "collinear edges": (
        "POLYGON ((" + ",".join(f"{i % 2 * (i / 100 + 1)} 0" for i in range(2000)) + ", 0 1, 0 0))",
        "cross more than",
    ),
}
CONDITIONS = {
    "NOT": "NOT " * 900 + "true",
    "abs": "abs(" * 600 + "1" + ")" * 600,
    "joined text": "||".join(["label"] * 500),
    "minus": " -" * 1500 + "1",
    "brackets": "(" * 1900 + "1" + ")" * 1900,
    "CASE": "CASE WHEN true THEN " * 120 + "1" + " ELSE 1 END" * 120,
    "casts": "label" + "::VARCHAR" * 400,
    "collations": "label" + " COLLATE NOCASE" * 200,
    "lists": "[" * 1900 + "]" * 1900,
}


def refused(client: TestClient, **parameters: str) -> str:
    """The reason of a 400, in one line and bounded time."""
    start = time.monotonic()
    answer = client.get("/api/search", params={"q": "red", **parameters})
    assert time.monotonic() - start < BOUND_S
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["error"] == "FilterError"
    what: str = answer.json()["what"]
    assert len(what.splitlines()) == 1
    assert len(what) < 400
    return what


@pytest.mark.parametrize("name", AREAS)
def test_an_area(name: str, serve: Serve, tmp_path: Path) -> None:
    area, reason = AREAS[name]
    assert reason in refused(serve(tmp_path / "scenes"), polygon=area)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition(name: str, serve: Serve, tmp_path: Path) -> None:
    assert "nested" in refused(serve(tmp_path / "scenes"), sql=CONDITIONS[name])


def test_vertices_are_counted_before_they_are_read() -> None:
    with pytest.raises(FilterError, match="about 20,000 vertices, more than 10,000"):
        Area.parse(";".join(["1,2"] * 20_000))


def test_ordinary_areas_and_conditions_still_work(serve: Serve, tmp_path: Path) -> None:
    client = serve(tmp_path / "scenes")
    for parameters in (
        {"polygon": star(21)},
        {"polygon": "0,0;10,10;10,0;0,10"},
        {"polygon": stripes(5)},
        {"sql": " OR ".join(["gsd_m < 1"] * 200)},
        {"sql": "NOT " * 20 + "(" * 20 + "label = 'a'" + ")" * 20},
    ):
        answer = client.get("/api/search", params={"q": "red", **parameters})
        assert answer.status_code == 200, answer.text


def test_a_star_that_is_resolved_keeps_the_even_odd_rule() -> None:
    area = Area.parse(star(5))
    assert area.contains(np.array([0.0, 19.0]), np.array([0.0, 0.0])).tolist() == [False, True]


def test_an_area_with_many_edges_is_not_tested_on_millions_of_points() -> None:
    teeth = [(i / 200, 40 if i % 2 else 0) for i in range(4000)]
    area = Area(shapely.Polygon([*teeth, (20, -1), (0, -1)]))
    few = np.full(10, 5.0)
    assert len(area.contains(few, few)) == 10
    many = np.full(1_000_000, 5.0)
    with pytest.raises(FilterError, match="too many edges to be tested on 1,000,000 positions"):
        area.contains(many, many)
