"""COG, regions, previews and tiles are located like the scene; read back with other tools."""

import io
import json

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from typer.testing import CliRunner

from helpers.rasters import UTM_GRID, write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import BBoxError, ConfigError, NotAnImageError, OutputError
from terraseek.geo import lonlat_to_tile, tile_bounds
from terraseek.localization import (
    localize,
    localize_many,
    map_numbers,
    regions,
    regions_geojson,
    write_cog,
    write_regions,
)
from terraseek.localization.options import LocalizeOptions
from terraseek.request import LocalizeRequest
from terraseek.scenes import Scene
from terraseek.tiles import heat_tile, scene_preview, scene_tile

SPOT = (slice(100, 180), slice(300, 400))
GRIDS = {
    "utm": ("EPSG:32633", UTM_GRID),
    "mercator": ("EPSG:3857", Affine(1, 0, 1e6, 0, -1, 6e6)),
    "degrees": ("EPSG:4326", Affine(1e-5, 0, 10, 0, -1e-5, 50)),
    "rotated": ("EPSG:32633", UTM_GRID @ Affine.rotation(25)),
    "antimeridian": ("EPSG:32601", Affine(2, 0, 166_021 - 300, 0, -2, 400)),
    "polar": ("EPSG:3031", Affine(50, 0, 1e5, 0, -50, 2e6)),
}


def make(tmp_path, grid, name="a.tif"):
    """Grey ground of 400 x 600 pixels, one red spot."""
    crs, transform = GRIDS[grid]
    rgb = np.full((400, 600, 3), 110, np.uint8)
    rgb += np.random.default_rng(0).integers(0, 20, rgb.shape).astype(np.uint8)
    rgb[SPOT] = (230, 20, 20)
    return write_rgb(tmp_path / name, rgb, crs=crs, transform=transform)


def heat_of(path, query="red"):
    with Scene.open(path) as scene:
        return localize(scene, query, FakeEncoder())


@pytest.mark.parametrize("layers", [False, True])
def test_the_cog_is_valid_by_rio_cogeo(tmp_path, layers):
    from rio_cogeo.cogeo import cog_validate

    heat = heat_of(make(tmp_path, "utm"))
    path = write_cog([heat, heat] if layers else heat, tmp_path / "heat.tif", layers)
    valid, errors, warnings = cog_validate(str(path), strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])


@pytest.mark.parametrize("grid", GRIDS)
def test_cog_has_the_grid_of_the_scene(tmp_path, grid):
    path = make(tmp_path, grid)
    heat = heat_of(path)
    write_cog(heat, tmp_path / "heat.tif")
    with rasterio.open(path) as scene, rasterio.open(tmp_path / "heat.tif") as cog:
        assert cog.crs == scene.crs
        assert cog.transform.almost_equals(scene.transform, 1e-9)
        assert cog.shape == scene.shape
        assert set(cog.dtypes) == {"float32"}
        assert np.isnan(cog.nodata)
        assert cog.tags()["TERRASEEK_QUERY"] == "red"
        assert cog.tags()["TERRASEEK_ENCODER"] == heat.encoder_id
        assert "red" in cog.descriptions[0]
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        values = cog.read(1)
    np.testing.assert_allclose(values, heat.read_rows(0, 400), atol=1e-5)
    row, col = np.unravel_index(np.argmax(values), values.shape)
    assert SPOT[0].start - 40 < row < SPOT[0].stop + 40
    assert SPOT[1].start - 40 < col < SPOT[1].stop + 40


def test_cog_of_an_image_has_no_crs(tmp_path):
    Image.fromarray(np.full((200, 300, 3), 99, np.uint8)).save(tmp_path / "a.png")
    write_cog(heat_of(tmp_path / "a.png"), tmp_path / "heat.tif")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        cog = rasterio.open(tmp_path / "heat.tif")
    with cog:
        assert cog.crs is None
        assert cog.shape == (200, 300)


def test_cog_bands_are_described(tmp_path):
    heat = heat_of(make(tmp_path, "utm"))
    write_cog(heat, tmp_path / "heat.tif", threshold=0.25)
    with rasterio.open(tmp_path / "heat.tif") as cog:
        names = ("score: red", "number of windows", "spread between window sides")
        assert cog.descriptions == names
        assert cog.units == ("cosine", "windows", "cosine")
        values = cog.read()
        for index in (1, 2, 3):
            tags, band = cog.tags(index), values[index - 1].astype(float)
            low, high = map(float, tags["TERRASEEK_RANGE"].split(","))
            assert low <= band.min() < band.max() <= high
            assert float(tags["STATISTICS_MINIMUM"]) == pytest.approx(band.min(), abs=1e-6)
            assert float(tags["STATISTICS_MAXIMUM"]) == pytest.approx(band.max(), abs=1e-6)
            assert float(tags["STATISTICS_MEAN"]) == pytest.approx(band.mean(), abs=1e-5)
            assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(band.std(), abs=1e-5)
            assert tags["TERRASEEK_MEANING"]
        tags = cog.tags()
    assert tags["TERRASEEK_QUESTION"] == "red"
    assert tags["TERRASEEK_SPACE"] == "CRS"
    assert json.loads(tags["TERRASEEK_REQUEST"])[0]["parameters"]["threshold"] == "0.25"
    row, col = 137, 251
    covering = [w for w in heat.windows if w[0] <= row < w[2] and w[1] <= col < w[3]]
    assert values[1, row, col] == len(covering) > 4


def test_the_windows_of_the_second_stage_are_counted(tmp_path):
    """selo-v2 adds windows that depend on the query."""
    with Scene.open(make(tmp_path, "utm")) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method="selo-v2"))
    write_cog(heat, tmp_path / "heat.tif")
    with rasterio.open(tmp_path / "heat.tif") as cog:
        assert cog.descriptions == ("score: red", "number of windows")
        counted = cog.read(2)
    sizes = (heat.windows[:, 2] - heat.windows[:, 0]) * (heat.windows[:, 3] - heat.windows[:, 1])
    assert counted.sum() == sizes.sum()


def test_cog_bands_for_layers_and_for_several_sentences(tmp_path):
    path = make(tmp_path, "utm")
    write_cog(heat_of(path), tmp_path / "layers.tif", layers=True)
    with rasterio.open(tmp_path / "layers.tif") as cog:
        assert cog.count >= 5
        sides = cog.read(list(range(4, cog.count + 1)))
        np.testing.assert_allclose(cog.read(3), sides.std(axis=0), atol=1e-4)
    with Scene.open(path) as scene:
        heats = localize_many(scene, ["red", "green"], FakeEncoder())
    write_cog(heats, tmp_path / "two.tif")
    with rasterio.open(tmp_path / "two.tif") as cog:
        assert cog.descriptions[:2] == ("red", "green")
        best = cog.read(3)
        assert best[140, 350] == 0


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path):
    heat = heat_of(make(tmp_path, "utm"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cog(heat, tmp_path / "file" / "heat.tif")
    with pytest.raises(OutputError, match="cannot be written"):
        write_regions(heat, tmp_path / "file" / "heat.geojson")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "file"]


@pytest.mark.parametrize("grid", GRIDS)
def test_regions_are_where_the_spot_is(tmp_path, grid):
    path = make(tmp_path, grid)
    heat = heat_of(path)
    write_regions(heat, tmp_path / "r.geojson")
    frame = geopandas.read_file(tmp_path / "r.geojson")
    assert frame.crs == CRS.from_epsg(4326)
    best = frame.iloc[0]
    assert best["rank"] == 1
    assert best.geometry.is_valid
    with Scene.open(path) as scene:
        lon, lat = scene.pixel_to_lonlat(350, 140)
        assert best.geometry.buffer(1e-9).contains(geopandas.points_from_xy([lon], [lat])[0])
        pixel_m2 = scene.gsd_m**2
    assert best.area_m2 == pytest.approx(best.area_px * pixel_m2, rel=0.05)
    west, south, east, north = best.geometry.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


def test_a_region_across_the_antimeridian_is_cut_in_two(tmp_path):
    path = make(tmp_path, "antimeridian")
    heat = heat_of(path)
    whole = regions_geojson(heat, threshold=-1.0)
    geometry = whole["features"][0]["geometry"]
    assert geometry["type"] == "MultiPolygon"
    lons = [p[0] for polygon in geometry["coordinates"] for ring in polygon for p in ring]
    assert max(lons) == pytest.approx(180)
    assert min(lons) == pytest.approx(-180)


def test_regions_in_pixel_space(tmp_path):
    rgb = np.full((300, 400, 3), 100, np.uint8)
    rgb[50:120, 200:300] = (230, 20, 20)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    found = regions_geojson(heat_of(tmp_path / "a.png"))
    assert found["space"] == "pixel"
    assert found["crs"] is None
    xs = [p[0] for p in found["features"][0]["geometry"]["coordinates"][0]]
    assert min(xs) < 250 < max(xs)
    assert found["features"][0]["properties"]["area_m2"] is None
    json.dumps(found, allow_nan=False)


def test_threshold_and_percentile(tmp_path):
    heat = heat_of(make(tmp_path, "utm"))
    wide = sum(r.area_px for r in regions(heat, percentile=50))
    small = sum(r.area_px for r in regions(heat, percentile=95))
    assert wide == pytest.approx(0.5 * 400 * 600, rel=0.15)
    assert small < wide / 5
    assert regions(heat, threshold=2.0) == []
    with pytest.raises(ConfigError, match="not both"):
        regions(heat, threshold=0.1, percentile=5)
    with pytest.raises(ConfigError, match=r"0\.\.100"):
        regions(heat, percentile=101)


@pytest.mark.parametrize("grid", GRIDS)
def test_preview_corners_place_the_spot(tmp_path, grid):
    """A linear mapping of the image in Mercator between its corners gives the spot's location."""
    path = make(tmp_path, grid)
    with Scene.open(path) as scene:
        png, corners = scene_preview(scene, 500)
        place = scene.pixel_to_lonlat(350, 140)
    rgba = np.asarray(Image.open(io.BytesIO(png)))
    red = (rgba[..., 0] > 180) & (rgba[..., 1] < 80) & (rgba[..., 3] == 255)
    row, col = (v.mean() + 0.5 for v in np.nonzero(red))
    (west, north), (east, south) = corners[0], corners[2]
    x = west + (east - west) * col / rgba.shape[1]
    y0, y1 = (np.arcsinh(np.tan(np.radians(v))) for v in (north, south))
    y = np.degrees(np.arctan(np.sinh(y0 + (y1 - y0) * row / rgba.shape[0])))
    pixel = (east - west) / rgba.shape[1]
    assert abs((x - place[0] + 180) % 360 - 180) < 2.5 * pixel
    assert abs(y - place[1]) < 2.5 * pixel
    assert east > west


def test_preview_of_a_heat_map_matches_its_alpha(tmp_path):
    heat = heat_of(make(tmp_path, "rotated"))
    values, alpha, corners = heat.preview(300)
    assert values.shape == alpha.shape
    assert max(values.shape) <= 300
    assert set(np.unique(alpha)) == {0, 255}
    assert values[alpha == 0].max() == 0
    assert len(corners) == 4


@pytest.mark.parametrize("grid", ["utm", "mercator", "degrees", "rotated", "antimeridian"])
def test_tiles_show_the_spot_in_its_place(tmp_path, grid):
    path = make(tmp_path, grid)
    with Scene.open(path) as scene:
        lon, lat = scene.pixel_to_lonlat(350, 140)
    zoom = 17
    x, y = lonlat_to_tile(lon, lat, zoom)
    tile = np.asarray(Image.open(io.BytesIO(scene_tile(path, zoom, x, y))))
    assert tile.shape == (256, 256, 4)
    box = tile_bounds(x, y, zoom)
    col = int((lon - box.west) / (box.east - box.west) * 256)
    row = int((box.north - lat) / (box.north - box.south) * 256)
    assert tile[row, col, 0] > 180
    assert tile[row, col, 1] < 80
    heat = np.asarray(Image.open(io.BytesIO(heat_tile(heat_of(path), zoom, x, y))))
    assert heat[row, col, 0] > 200
    assert heat[row, col, 1] == 255


def test_tiles_outside_are_none(tmp_path):
    path = make(tmp_path, "antimeridian")
    heat = heat_of(path)
    assert scene_tile(path, 3, 4, 1) is None
    assert heat_tile(heat, 3, 4, 1) is None
    assert scene_tile(path, 0, 0, 0) is None or scene_tile(path, 0, 0, 0).startswith(b"\x89PNG")
    with pytest.raises(BBoxError, match="does not exist"):
        scene_tile(path, 2, 9, 0)


def run(*words):
    return CliRunner().invoke(build_app(), ["localize", *map(str, words), "--model", "fake"])


def test_command_writes_everything(tmp_path):
    path = make(tmp_path, "utm")
    heat, areas, png = tmp_path / "h.tif", tmp_path / "r.geojson", tmp_path / "p.png"
    done = run(path, "red", "--json", "--out", heat, "--regions", areas, "--png", png)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"windows", "encode_s", "query_s", "peak", "crs"} <= set(found)
    with Scene.open(path) as scene:
        peak = localize(scene, "red", FakeEncoder()).peak
    assert found["peak"]["score"] == pytest.approx(peak.score)
    assert heat.stat().st_size > 0
    with Image.open(png) as drawn:
        assert drawn.size == (600, 400)
    first = json.loads(areas.read_text())["features"][0]["properties"]
    assert first["peak_col"] == found["peak"]["col"]


def test_command_on_several_sentences_and_an_image(tmp_path):
    path = make(tmp_path, "utm")
    done = run(path, "red", "green", "--image", path, "--json")
    assert len(json.loads(done.stdout)) == 3


def test_command_refuses_what_it_cannot_use(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    done = run(tmp_path / "a.txt", "red")
    assert isinstance(done.exception, NotAnImageError)
    done = run(make(tmp_path, "utm"), "red", "--scales", "12,x")
    assert "whole numbers" in str(done.exception)


def test_every_file_carries_the_whole_query(tmp_path):
    """ "red" minus "green" must not read as "red" in any of the files."""
    path = make(tmp_path, "utm")
    tif, areas = tmp_path / "h.tif", tmp_path / "r.geojson"
    words = ("red", "--minus", "green", "--scales", "64,128", "--threshold", "0.1")
    done = run(path, *words, "--json", "--out", tif, "--regions", areas)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    collection = json.loads(areas.read_text(encoding="utf-8"))
    with rasterio.open(tif) as written:
        tags, band = written.tags(), written.descriptions[0]
    assert tags["TERRASEEK_QUERY"] == "red"
    assert (tags["TERRASEEK_MINUS"], tags["TERRASEEK_SCALES"]) == ("green", "64,128")
    assert band == "score: red minus green"
    for found in (printed, json.loads(tags["TERRASEEK_REQUEST"])[0], collection["request"][0]):
        assert (found["query"], found["minus"], found["scales"]) == ("red", ["green"], [64, 128])
        assert found["method"] == "terraseek"
        assert found["encoder"] == FakeEncoder().encoder_id
        again = LocalizeRequest.from_params(
            {k: [v] if isinstance(v, str) else v for k, v in found["parameters"].items()}
        )
        assert again.sentences == ("red",)
        assert (again.options.minus, again.options.scales) == (("green",), (64, 128))
    assert collection["request"][0]["parameters"]["threshold"] == "0.1"
    assert collection["features"][0]["properties"]["minus"] == ["green"]


def test_numbers_carry_the_query_and_the_threshold(tmp_path):
    with Scene.open(make(tmp_path, "utm")) as scene:
        options = LocalizeOptions(minus=("green",), scales=(64, 128))
        heat = localize(scene, "red", FakeEncoder(), options)
    found = map_numbers(heat, percentile=95)
    assert (found["query"], found["minus"], found["scales"]) == ("red", ["green"], [64, 128])
    assert found["threshold"] == pytest.approx(np.percentile(heat.score[heat.valid], 95))
    assert found["parameters"]["percentile"] == "95.0"
    assert map_numbers(heat)["threshold"] == pytest.approx((heat.low + heat.score.max()) / 2)
