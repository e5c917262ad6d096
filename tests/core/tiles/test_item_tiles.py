"""Tiles of the catalogue's images: each pixel of an image is at its coordinate on the globe."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.errors import BBoxError
from terraseek.geo import lonlat_to_tile, tile_bounds
from terraseek.tiles.byte_cache import ByteCache
from terraseek.tiles.footprints import FootprintIndex, mercator, parse_corners
from terraseek.tiles.item_tiles import ItemTiles

PARIS = (2.35, 48.86)
QUADRANTS = {(-1, 1): (220, 30, 30), (1, 1): (30, 200, 30), (1, -1): (30, 30, 220)}
"""Colour by (east, north) of the centre; the fourth quadrant is white."""


def quadrants(side: int) -> np.ndarray:
    pixels = np.full((side, side, 3), 240, np.uint8)
    half = side // 2
    pixels[:half, :half] = QUADRANTS[-1, 1]
    pixels[:half, half:] = QUADRANTS[1, 1]
    pixels[half:, half:] = QUADRANTS[1, -1]
    return pixels


def make(folder: Path, rows: list[dict[str, object]], names: list[str]) -> Catalogue:
    folder.mkdir(exist_ok=True)
    with (folder / "items.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, ["filename", *names])
        table.writeheader()
        table.writerows(rows)
    import_source(folder / "items.csv", folder / "cat", name="made")
    return Catalogue.open(folder / "cat")


def chip(folder: Path, name: str, pixels: np.ndarray) -> str:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return name


def tiles_of(catalogue: Catalogue) -> ItemTiles:
    return ItemTiles(catalogue, FootprintIndex.build(catalogue))


def pixel(tiles: ItemTiles, lon: float, lat: float, z: int, **which: int) -> tuple[int, ...]:
    """RGBA at a coordinate."""
    x, y = lonlat_to_tile(lon, lat, z)
    body = tiles.tile(z, x, y, **which)
    if body is None:
        return (0, 0, 0, 0)
    with Image.open(io.BytesIO(body)) as image:
        at = (mercator(np.array([lon, lat])) * 2**z - (x, y)) * 256
        return tuple(image.convert("RGBA").getpixel((int(at[0]), int(at[1]))))


@pytest.fixture(scope="module")
def paris(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """One image of 200 px with 1 m/px around Paris, in four colours; and one of low precision."""
    folder = tmp_path_factory.mktemp("paris")
    lon, lat = PARIS
    image = chip(folder, "a.png", quadrants(200))
    rows: list[dict[str, object]] = [
        {"filename": image, "lat": lat, "lon": lon, "gsd_m": 1},
        {"filename": chip(folder, "b.png", quadrants(100)), "lat": lat + 1, "lon": lon},
    ]
    return make(folder, rows, ["lat", "lon", "gsd_m"])


@pytest.mark.parametrize("zoom", [15, 17, 20])
def test_each_quadrant_is_at_its_coordinate(paris: Catalogue, zoom: int) -> None:
    tiles = tiles_of(paris)
    lon, lat = PARIS
    metre = 1 / 111_320
    for (east, north), colour in QUADRANTS.items():
        place = (lon + east * 40 * metre / np.cos(np.radians(lat)), lat + north * 40 * metre)
        found = pixel(tiles, *place, zoom)
        assert found[3] == 255
        assert found[:3] == pytest.approx(colour, abs=25)


def test_beside_the_footprint_the_tile_is_transparent(paris: Catalogue) -> None:
    lon, lat = PARIS
    metre = 1 / 111_320
    inside = pixel(tiles_of(paris), lon, lat + 97 * metre, 18)
    outside = pixel(tiles_of(paris), lon, lat + 104 * metre, 18)
    assert (inside[3], outside[3]) == (255, 0)


def test_an_item_without_ground_sample_distance_has_no_footprint(paris: Catalogue) -> None:
    index = FootprintIndex.build(paris)
    assert index.rows.tolist() == [0]
    assert index.corners(1) is None
    assert pixel(ItemTiles(paris, index), PARIS[0], PARIS[1] + 1, 17, row=1)[3] == 0


def test_small_footprints_are_left_out_below_their_zoom(paris: Catalogue) -> None:
    index = FootprintIndex.build(paris)
    zoom = index.min_zoom
    assert zoom is not None
    assert len(index.in_tile(zoom, *lonlat_to_tile(*PARIS, zoom))) == 1
    assert len(index.in_tile(zoom - 1, *lonlat_to_tile(*PARIS, zoom - 1))) == 0
    with pytest.raises(BBoxError):
        tiles_of(paris).tile(3, 9, 0)


def test_a_point_that_need_not_be_the_centre_has_no_footprint(tmp_path: Path) -> None:
    image = chip(tmp_path, "a.png", quadrants(64))
    row = {"filename": image, "lat": 1, "lon": 1, "gsd_m": 1, "location_precision": "point"}
    made = make(tmp_path, [row], ["lat", "lon", "gsd_m", "location_precision"])
    assert FootprintIndex.build(made).count == 0


def test_a_georeferenced_raster_is_drawn_by_its_own_grid(tmp_path: Path) -> None:
    """A turned grid: the footprint's corners are not north-up."""
    import rasterio
    from affine import Affine
    from pyproj import Transformer

    transform = Affine.translation(448_000, 5_412_000) @ Affine.rotation(-30) @ Affine.scale(2, -2)
    profile = {"driver": "GTiff", "width": 200, "height": 200, "count": 3, "dtype": "uint8"}
    folder = tmp_path / "rasters"
    folder.mkdir()
    with rasterio.open(folder / "a.tif", "w", **profile, crs=32631, transform=transform) as out:
        out.write(np.moveaxis(quadrants(200), 2, 0))
    import_source(folder, tmp_path / "cat", name="rasters")
    tiles = tiles_of(Catalogue.open(tmp_path / "cat"))
    to_degrees = Transformer.from_crs(32631, 4326, always_xy=True)
    for (east, north), colour in QUADRANTS.items():
        col, row = 100 + 60 * east, 100 - 60 * north
        found = pixel(tiles, *to_degrees.transform(*(transform @ (col, row))), 17)
        assert found[:3] == pytest.approx(colour, abs=25)
        assert found[3] == 255


def test_smaller_and_later_images_lie_above(tmp_path: Path) -> None:
    colours = {"large.png": (400, 200), "old.png": (100, 60), "new.png": (100, 120)}
    rows: list[dict[str, object]] = []
    for name, (side, grey) in colours.items():
        chip(tmp_path, name, np.full((side, side, 3), grey, np.uint8))
        rows.append({"filename": name, "lat": 0.001, "lon": 180, "gsd_m": 1})
    tiles = tiles_of(make(tmp_path, rows, ["lat", "lon", "gsd_m"]))
    for side in (-179.9999, 179.9999):  # the footprint crosses the antimeridian
        assert pixel(tiles, side, 0.001, 18)[:3] == pytest.approx((120,) * 3, abs=6)
    assert pixel(tiles, 179.999, 0.001, 18)[:3] == pytest.approx((200,) * 3, abs=6)
    assert pixel(tiles, 179.9999, 0.001, 18, row=1)[:3] == pytest.approx((60,) * 3, abs=6)


def test_tiles_find_the_same_footprints_as_brute_force() -> None:
    rng = np.random.default_rng(3)
    n = 4000
    centre = np.column_stack([rng.uniform(2, 2.2, n), rng.uniform(48, 48.2, n)])
    half = 10 ** rng.uniform(-4.5, -2, n)[:, None]
    signs = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]], float)
    corners = centre[:, None] + signs[None] * half[:, None]
    square = mercator(corners)
    sizes = np.ptp(square, axis=1).max(axis=1)
    index = FootprintIndex(np.arange(n) * 3, corners, sizes)
    for zoom in (11, 13, 16):
        x, y = lonlat_to_tile(2.1, 48.1, zoom)
        low, high = square.min(axis=1) * 2**zoom - (x, y), square.max(axis=1) * 2**zoom - (x, y)
        meets = (low < 1).all(axis=1) & (high > 0).all(axis=1) & (sizes * 256 * 2**zoom >= 24)
        found = index.in_tile(zoom, x, y)
        assert set(np.flatnonzero(meets) * 3) <= set(found.tolist())
        assert len(set(found.tolist())) == len(found)
        assert meets.sum() > 0
        bounds = tile_bounds(x, y, zoom)
        assert len(found) < 60 + 6 * meets.sum() + n * (bounds.east - bounds.west)


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("turned", [1, -1])
def test_a_closed_ring_begins_at_its_north_western_corner(start: int, turned: int) -> None:
    corners = [[0, 2], [3, 2.1], [3, 0], [0, 0.1]]
    ring = (corners[start:] + corners[:start])[::turned]
    found = parse_corners(json.dumps([*ring, ring[0]]))
    assert found is not None
    assert found.tolist() == corners


@pytest.mark.parametrize("text", ["", "[]", "[[1, 2]]", '{"a": 1}', "[[0,0],[1,0],[1,1],[0,99]]"])
def test_texts_that_are_no_four_corners_have_none(text: str) -> None:
    assert parse_corners(text) is None


def test_an_unreadable_image_leaves_a_gap(tmp_path: Path) -> None:
    name = chip(tmp_path, "a.png", quadrants(64))
    made = make(
        tmp_path, [{"filename": name, "lat": 5, "lon": 5, "gsd_m": 1}], ["lat", "lon", "gsd_m"]
    )
    (tmp_path / "a.png").unlink()
    assert pixel(tiles_of(made), 5, 5, 18)[3] == 0


def test_the_cache_keeps_the_bytes_below_its_bound() -> None:
    cache: ByteCache[bytes] = ByteCache(10_000)
    for key in range(30):
        assert cache.get_or_make(key, lambda: bytes(800)) == bytes(800)
    assert cache.nbytes <= 10_000
    assert 5 < len(cache) <= 10
    assert cache.get_or_make(29, lambda: b"made again") == bytes(800)
    assert cache.get_or_make(0, lambda: b"made again") == b"made again"
    cache.get_or_make("large", lambda: bytes(20_000))
    assert cache.nbytes <= 10_000
