"""A heat map as a DataArray, as a layer of a leafmap map, and in a notebook."""

import base64
import io
import sys

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from leafmap.maplibregl import Map
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from helpers.rasters import UTM_GRID, random_rgb, write_raster, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import MissingExtraError, OutsideSceneError
from terraseek.localization import HeatMap, LocalizeOptions, localize
from terraseek.scenes import Scene

# rioxarray 0.19 multiplies transforms in a way that affine 3 will retire
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

OPTIONS = LocalizeOptions(scales=(64,), grid_side=100)
MERCATOR = {"crs": "EPSG:3857", "transform": Affine(5, 0, 1_000_000, 0, -5, 6_000_000)}


def heat_map_of(path) -> HeatMap:
    with Scene.open(path) as scene:
        return localize(scene, "a red roof", FakeEncoder(), OPTIONS)


@pytest.fixture(scope="module")
def heat_map(tmp_path_factory) -> HeatMap:
    """Of a UTM scene whose upper rows are invalid."""
    mask = np.full((200, 320), 255, np.uint8)
    mask[:40] = 0
    path = tmp_path_factory.mktemp("heat") / "a.tif"
    bands = np.moveaxis(random_rgb(200, 320), -1, 0)
    return heat_map_of(write_raster(path, bands, mask=mask))


def empty_map() -> Map:
    return Map(style={"version": 8, "sources": {}, "layers": []})


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png), formats=["PNG"]))


def turbo(values: np.ndarray) -> np.ndarray:
    """RGB of a column of display values, from OpenCV's table."""
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
    return table[:, 0, ::-1][values]


def test_the_array_has_scores_coordinates_and_crs(heat_map):
    array = heat_map.to_xarray()
    assert array.dims == ("y", "x")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array.values, heat_map.score)
    assert np.isnan(array.values[0]).all()
    height, width = heat_map.shape
    step_x, step_y = 320 * 2 / width, 200 * 2 / height
    np.testing.assert_allclose(array.x, 500_000 + (np.arange(width) + 0.5) * step_x)
    np.testing.assert_allclose(array.y, 5_000_000 - (np.arange(height) + 0.5) * step_y)
    assert array.rio.crs == CRS.from_epsg(32633)
    assert array.rio.transform().almost_equals(heat_map.transform)
    assert array.attrs["query"] == "a red roof"
    assert array.attrs["encoder"] == heat_map.encoder_id


def test_the_array_survives_a_file(heat_map, tmp_path):
    heat_map.to_xarray().rio.to_raster(tmp_path / "heat.tif")
    with rasterio.open(tmp_path / "heat.tif") as written:
        np.testing.assert_array_equal(written.read(1), heat_map.score)
        assert written.crs == CRS.from_epsg(32633)
        assert written.transform.almost_equals(heat_map.transform)
        assert np.isnan(written.nodata)
        assert tuple(written.bounds) == pytest.approx(
            (500_000, 5_000_000 - 400, 500_000 + 640, 5_000_000)
        )


def test_the_array_of_a_rotated_scene_counts_pixels_and_keeps_the_transform(tmp_path):
    grid = UTM_GRID @ Affine.rotation(30)
    heat_map = heat_map_of(write_rgb(tmp_path / "a.tif", random_rgb(128, 128), transform=grid))
    array = heat_map.to_xarray()
    step = 128 / heat_map.shape[1]
    np.testing.assert_allclose(array.x, (np.arange(heat_map.shape[1]) + 0.5) * step)
    assert array.rio.crs == CRS.from_epsg(32633)
    assert array.rio.transform().almost_equals(heat_map.transform)


def test_the_array_of_an_image_without_crs_counts_pixels(tmp_path):
    Image.fromarray(random_rgb(128, 192)).save(tmp_path / "a.png")
    array = heat_map_of(tmp_path / "a.png").to_xarray()
    assert array.rio.crs is None
    assert array.x[-1] == pytest.approx(192 - 192 / array.sizes["x"] / 2)
    assert array.y[0] == pytest.approx(128 / array.sizes["y"] / 2)


def test_the_array_of_a_scene_placed_by_control_points_keeps_them(tmp_path):
    """Points of a curved scene, whose place no affine transform describes."""
    places = [(row, col) for row in (0, 64, 128) for col in (0, 64, 128)]
    points = [
        GroundControlPoint(row, col, 500_000 + 2 * col + 0.01 * row * col, 5_000_000 - 2 * row)
        for row, col in places
    ]
    path = write_rgb(tmp_path / "a.tif", random_rgb(128, 128), gcps=points)
    heat_map = heat_map_of(path)
    assert heat_map.georef.polynomial is not None
    gcps = heat_map.to_xarray().rio.get_gcps()
    height, width = heat_map.shape
    assert {(p.row, p.col): (p.x, p.y) for p in gcps} == {
        (p.row * height / 128, p.col * width / 128): (p.x, p.y) for p in points
    }


def test_without_rioxarray_the_message_has_the_command(heat_map, monkeypatch):
    monkeypatch.setitem(sys.modules, "rioxarray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'terraseek\[notebook\]'"):
        heat_map.to_xarray()


def test_the_layer_lies_on_the_corners_of_the_scene(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(128, 192), **MERCATOR)
    heat_map = heat_map_of(path)
    leafmap_map = empty_map()
    assert heat_map.add_to(leafmap_map, opacity=0.5) is leafmap_map
    (name,) = leafmap_map.source_dict
    source = leafmap_map.source_dict[name]
    np.testing.assert_allclose(source["coordinates"], heat_map.georef.footprint, atol=1e-9)
    values, alpha, _ = heat_map.preview()
    image = decoded(base64.b64decode(source["url"].removeprefix("data:image/png;base64,")))
    np.testing.assert_array_equal(image[..., :3], turbo(values))
    np.testing.assert_array_equal(image[..., 3], alpha)
    calls = [(method, tuple(arguments)) for method, arguments in leafmap_map.calls]
    assert ("setPaintProperty", (name, "raster-opacity", 0.5)) in calls
    (fit,) = [arguments for method, arguments in calls if method == "fitBounds"]
    upper_left, _, lower_right, _ = heat_map.georef.footprint
    np.testing.assert_allclose(
        fit[0], [[upper_left[0], lower_right[1]], [lower_right[0], upper_left[1]]], atol=1e-9
    )


def test_invalid_pixels_of_the_layer_are_transparent(heat_map):
    leafmap_map = heat_map.add_to(empty_map())
    (source,) = leafmap_map.source_dict.values()
    alpha = decoded(base64.b64decode(source["url"].partition(",")[2]))[..., 3]
    rows = len(alpha)
    assert not alpha[: int(rows * 0.18)].any()
    assert alpha[int(rows * 0.25) : int(rows * 0.95), 20:-20].all()


def test_two_layers_of_one_map_have_two_names(heat_map):
    leafmap_map = heat_map.add_to(heat_map.add_to(empty_map()))
    assert len(leafmap_map.source_dict) == 2
    assert len([1 for method, _ in leafmap_map.calls if method == "addLayer"]) == 2


def test_a_heat_map_without_a_place_is_refused(tmp_path):
    Image.fromarray(random_rgb(128, 128)).save(tmp_path / "a.png")
    with pytest.raises(OutsideSceneError, match=r"a\.png has no georeference"):
        heat_map_of(tmp_path / "a.png").add_to(empty_map())


def test_a_notebook_shows_the_map_over_its_scene(heat_map):
    image = decoded(heat_map._repr_png_())
    rgb = random_rgb(200, 320)
    assert image.shape == rgb.shape
    assert (image[:40] == 255).all()  # invalid
    values = cv2.resize(heat_map.display_values(), (320, 200), interpolation=cv2.INTER_LINEAR)
    clear, strong = values == 0, values == 255
    clear[:40] = strong[:40] = False
    assert clear.any()
    assert strong.any()
    np.testing.assert_array_equal(image[clear], rgb[clear])
    expected = 0.35 * rgb[strong] + 0.65 * turbo(np.full(strong.sum(), 255))
    assert np.abs(image[strong] - expected).max() <= 1


def test_without_the_scene_the_map_is_shown_alone(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(100, 160))
    heat_map = heat_map_of(path)
    path.unlink()
    image = decoded(heat_map._repr_png_())
    assert image.shape == (100, 160, 4)
    values = heat_map.to_display(heat_map.read_rows(0, 100))
    np.testing.assert_array_equal(image[..., :3], turbo(values))
    assert (image[..., 3] == 255).all()
    write_rgb(path, random_rgb(90, 160))  # another scene under the same name
    np.testing.assert_array_equal(decoded(heat_map._repr_png_()), image)


def test_the_description_is_one_line(heat_map):
    assert repr(heat_map) == (
        "<HeatMap 'a red roof' in 'a.tif': 320 x 200 pixels, method terraseek, "
        f"{heat_map.encoder_id}>"
    )
