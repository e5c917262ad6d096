import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from helpers.rasters import UTM_GRID, random_rgb, write_raster, write_rgb
from terraseek.scenes import Georef, Scene


def test_a_uint8_geotiff_is_read_unchanged(tmp_path):
    rgb = random_rgb(60, 90)
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb)) as scene:
        read, valid = scene.window(10, 20, 50, 80)
        assert (scene.width, scene.height, scene.band_count, scene.dtype) == (90, 60, 3, "uint8")
        assert scene.crs == CRS.from_epsg(32633)
        assert scene.transform == UTM_GRID
    np.testing.assert_array_equal(read, rgb[10:50, 20:80])
    assert valid.all()
    assert len(scene.scene_hash) == 16


def test_pixel_and_lonlat_conversions_are_correct_and_inverse(tmp_path):
    with Scene.open(write_rgb(tmp_path / "a.tif", random_rgb(60, 90))) as scene:
        # the grid starts on the central meridian of zone 33, 15 degrees east
        assert scene.footprint[0] == pytest.approx([15.0, 45.1535], abs=1e-3)
        assert scene.gsd_m == pytest.approx(2.0, rel=1e-3)
        lon, lat = scene.pixel_to_lonlat(12.25, 33.5)
        assert scene.lonlat_to_pixel(lon, lat) == pytest.approx((12.25, 33.5), abs=1e-6)
        assert scene.bounds.contains(np.array([lon]), np.array([lat])).all()


@pytest.mark.parametrize(
    ("crs", "transform", "gsd"),
    [
        ("EPSG:3857", Affine(1, 0, 1e6, 0, -1, 8e6), 0.5284),  # 1 m of Mercator at 58.1 N
        ("EPSG:3395", Affine(0.1, 0, -5743476.5, 0, -0.1, -1750391), 0.0965),
        ("EPSG:4326", Affine(1e-5, 0, 10, 0, -1e-5, 60), 0.789),  # sqrt(1.114 * 0.558)
    ],
)
def test_gsd_is_metres_on_the_ground(tmp_path, crs, transform, gsd):
    path = write_rgb(tmp_path / "a.tif", random_rgb(40, 40), crs=crs, transform=transform)
    with Scene.open(path) as scene:
        assert scene.gsd_m == pytest.approx(gsd, rel=0.01)


def test_an_image_without_crs_is_in_pixel_space(tmp_path):
    Image.fromarray(random_rgb(50, 70)).save(tmp_path / "a.png")
    with Scene.open(tmp_path / "a.png") as scene:
        assert (scene.crs, scene.gsd_m, scene.bounds, scene.footprint) == (None,) * 4
        assert scene.transform.is_identity
        assert scene.pixel_to_lonlat(1, 1) is None
        assert scene.lonlat_to_pixel(1, 1) is None


def test_world_file_with_prj_georeferences_an_image(tmp_path):
    Image.fromarray(random_rgb(50, 70)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n500001\n4999999\n")
    (tmp_path / "a.prj").write_text(CRS.from_epsg(32633).to_wkt())
    with Scene.open(tmp_path / "a.png") as scene:
        assert scene.transform.almost_equals(UTM_GRID)
        assert scene.crs == CRS.from_epsg(32633)


def test_world_file_without_crs_keeps_its_transform(tmp_path):
    Image.fromarray(random_rgb(50, 70)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n500001\n4999999\n")
    with Scene.open(tmp_path / "a.png") as scene:
        assert scene.crs is None
        assert scene.transform.almost_equals(UTM_GRID)
        assert scene.footprint is None


def test_ground_control_points_are_used(tmp_path):
    wanted = Affine(0.001, 0.0002, 20, 0.0001, -0.001, 40)
    points = [
        GroundControlPoint(row=r, col=c, x=(wanted @ (c, r))[0], y=(wanted @ (c, r))[1])
        for r, c in ((0, 0), (0, 70), (50, 70), (50, 0), (25, 30))
    ]
    path = write_rgb(tmp_path / "a.tif", random_rgb(50, 70), crs="EPSG:4326", gcps=points)
    with Scene.open(path) as scene:
        assert scene.crs == CRS.from_epsg(4326)
        assert scene.transform.almost_equals(wanted, 1e-9)


def test_uint16_has_one_stretch_for_all_windows(tmp_path):
    ramp = np.linspace(300, 9000, 200 * 200).reshape(1, 200, 200).astype(np.uint16)
    with Scene.open(write_raster(tmp_path / "a.tif", ramp)) as scene:
        whole, _ = scene.window(0, 0, 200, 200)
        part, _ = scene.window(80, 0, 120, 200)
    np.testing.assert_array_equal(part, whole[80:120])
    assert whole[0, 0, 0] == 0
    assert whole[-1, -1, 0] == 255
    assert abs(int(whole[100, 0, 0]) - 127) < 4
    assert (whole[..., 0] == whole[..., 2]).all()


def test_percentiles_are_taken_over_valid_pixels_only(tmp_path):
    values = np.full((1, 100, 100), -9999, np.float32)
    values[:, 40:60] = np.linspace(1, 2, 2000).reshape(1, 20, 100)
    values[:, 50, :10] = np.nan
    with Scene.open(write_raster(tmp_path / "a.tif", values, nodata=-9999)) as scene:
        rgb, valid = scene.window(0, 0, 100, 100)
    assert valid.sum() == 2000 - 10
    assert not valid[50, :10].any()
    assert rgb[~valid].max() == 0
    assert rgb[valid].max() == 255
    assert 110 < rgb[valid].mean() < 145


def test_nan_without_declared_nodata_is_invalid(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (1, 50, 50)).astype(np.float32)
    values[:, :10] = np.nan
    with Scene.open(write_raster(tmp_path / "a.tif", values)) as scene:
        assert scene.has_mask
        valid = scene.window(0, 0, 50, 50)[1]
    assert valid[10:].all()
    assert not valid[:10].any()


def test_alpha_and_internal_masks_make_pixels_invalid(tmp_path):
    rgb = np.moveaxis(random_rgb(40, 40), -1, 0)
    alpha = np.full((1, 40, 40), 255, np.uint8)
    alpha[:, :, :15] = 0
    kinds = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    rgba = np.concatenate([rgb, alpha])
    with Scene.open(write_raster(tmp_path / "alpha.tif", rgba, colorinterp=kinds)) as scene:
        by_alpha = scene.window(0, 0, 40, 40)[1]
    with Scene.open(write_raster(tmp_path / "mask.tif", rgb, mask=alpha[0])) as scene:
        by_mask = scene.window(0, 0, 40, 40)[1]
    np.testing.assert_array_equal(by_alpha, alpha[0] > 0)
    np.testing.assert_array_equal(by_mask, by_alpha)


def test_an_undeclared_black_collar_is_invalid_and_a_black_lake_is_not(tmp_path):
    rgb = random_rgb(200, 300)
    rgb[rgb < 20] = 20
    rgb[:, :60] = np.random.default_rng(0).integers(0, 4, (200, 60, 3))  # as after JPEG compression
    rgb[80:120, 150:200] = 0
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb)) as scene:
        assert scene.has_mask
        whole = scene.window(0, 0, 200, 300)[1]
        part = scene.window(50, 40, 150, 240)[1]
    assert not whole[:, :60].any()
    assert whole[:, 60:].all()
    np.testing.assert_array_equal(part, whole[50:150, 40:240])


def test_black_in_one_band_is_not_nodata(tmp_path):
    rgb = np.zeros((3, 20, 20), np.uint8)
    rgb[0, 5:] = 200  # pure red
    with Scene.open(write_raster(tmp_path / "a.tif", rgb, nodata=0)) as scene:
        valid = scene.window(0, 0, 20, 20)[1]
    assert valid[5:].all()
    assert not valid[:5].any()


@pytest.mark.parametrize(
    ("count", "options", "bands"),
    [
        (1, {}, (1,)),
        (2, {}, (1,)),
        (4, {}, (1, 2, 3)),
        (8, {"descriptions": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08")}, (4, 3, 2)),
        (4, {"descriptions": ("Blue", "Green", "Red", "NIR")}, (3, 2, 1)),
        (12, {}, (1, 2, 3)),
    ],
)
def test_bands_of_the_rgb_image(tmp_path, count, options, bands):
    values = np.random.default_rng(0).integers(0, 255, (count, 20, 20)).astype(np.uint8)
    path = write_raster(tmp_path / "a.tif", values, photometric="minisblack", **options)
    with Scene.open(path) as scene:
        assert scene.bands.rgb == bands
        assert scene.window(0, 0, 20, 20)[0].shape == (20, 20, 3)


def test_colour_interpretation_takes_precedence_over_order(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (4, 20, 20)).astype(np.uint8)
    kinds = (ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    path = write_raster(tmp_path / "a.tif", values, photometric="minisblack", colorinterp=kinds)
    with Scene.open(path) as scene:
        assert scene.bands.rgb == (4, 3, 2)


def test_palette_indices_become_colours(tmp_path):
    index = np.zeros((1, 20, 20), np.uint8)
    index[:, 10:] = 7
    colormap = {0: (10, 20, 30, 255), 7: (200, 100, 50, 255)}
    with Scene.open(write_raster(tmp_path / "a.tif", index, colormap=colormap)) as scene:
        rgb, _ = scene.window(0, 0, 20, 20)
    assert tuple(rgb[0, 0]) == (10, 20, 30)
    assert tuple(rgb[19, 0]) == (200, 100, 50)


def test_narrow_8_bit_is_stretched_and_normal_8_bit_is_not(tmp_path):
    narrow = np.zeros((1, 50, 50), np.uint8)
    narrow[:, 25:] = 1
    with Scene.open(write_raster(tmp_path / "narrow.tif", narrow)) as scene:
        assert scene.window(0, 0, 50, 50)[0].max() == 255
    dark = np.random.default_rng(0).integers(0, 60, (1, 50, 50)).astype(np.uint8)
    with Scene.open(write_raster(tmp_path / "dark.tif", dark)) as scene:
        assert scene.window(0, 0, 50, 50)[0].max() < 60


def test_reading_a_smaller_size_uses_overviews(tmp_path):
    rgb = random_rgb(512, 768)
    path = write_rgb(
        tmp_path / "a.tif", rgb, tiled=True, blockxsize=256, blockysize=256, overviews=(2, 4)
    )
    with Scene.open(path) as scene:
        assert scene.overview_factors == (2, 4)
        small, valid = scene.preview(192)
    assert small.shape == (128, 192, 3)
    assert valid.shape == (128, 192)
    assert abs(small.astype(float).mean() - rgb.mean()) < 2


@pytest.mark.parametrize("window", [(0, 0, 61, 10), (-1, 0, 10, 10), (5, 5, 5, 9)])
def test_windows_outside_are_refused(tmp_path, window):
    path = write_rgb(tmp_path / "a.tif", random_rgb(60, 90))
    with Scene.open(path) as scene, pytest.raises(ValueError, match="is not inside the scene"):
        scene.window(*window)


def test_bounds_cross_the_antimeridian():
    # zone 1 begins at 180 degrees; its false easting puts that near x = 166,000 on the equator
    grid = Georef(1000, 1000, Affine(100, 0, 120_000, 0, -100, 50_000), CRS.from_epsg(32601))
    bounds = grid.bounds
    assert bounds.crosses_antimeridian
    assert bounds.west == pytest.approx(179.585, abs=0.01)
    assert bounds.east == pytest.approx(-179.515, abs=0.01)


def test_bounds_contain_the_pole():
    grid = Georef(100, 100, Affine(1000, 0, -50_000, 0, -1000, 50_000), CRS.from_epsg(3031))
    assert grid.bounds.as_tuple() == pytest.approx((-180, -90, 180, -89.35), abs=0.02)


def test_a_grid_of_0_to_360_degrees_wraps():
    grid = Georef(10, 10, Affine(1, 0, 185, 0, -1, 5), CRS.from_epsg(4326))
    assert grid.bounds.as_tuple() == pytest.approx((-175, -5, -165, 5))
    assert grid.lonlat_to_pixel(-174.5, 4.5) == pytest.approx((0.5, 0.5))


def test_a_local_crs_is_not_located():
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    grid = Georef(10, 10, UTM_GRID, local)
    assert not grid.located
    assert grid.footprint is None


@settings(deadline=None, max_examples=40)
@given(
    angle=st.floats(-180, 180),
    col=st.floats(0, 500),
    row=st.floats(0, 300),
    zone=st.integers(32601, 32660),
)
def test_conversions_are_inverse_on_rotated_grids(angle, col, row, zone):
    transform = (
        Affine.translation(480_000, 4_000_000) @ Affine.rotation(angle) @ Affine.scale(0.7, -0.7)
    )
    grid = Georef(500, 300, transform, CRS.from_epsg(zone))
    back = grid.lonlat_to_pixel(*grid.pixel_to_lonlat(col, row))
    assert back == pytest.approx((col, row), abs=1e-4)


def test_resized_grids_keep_their_corners():
    grid = Georef(1001, 777, UTM_GRID, CRS.from_epsg(32633))
    small = grid.resized(100, 78)
    assert small.footprint == pytest.approx(np.array(grid.footprint))


def test_all_real_scenes_open(shared_data):
    seen = {}
    for path in sorted((shared_data / "scenes").iterdir()):
        with Scene.open(path) as scene:
            rgb, valid = scene.preview(256)
            assert rgb[valid].std() > 5, path.name
            seen[path.stem] = (scene.crs and scene.crs.to_string(), valid.mean())
    assert seen["gcps_only"][0] == "EPSG:4326"
    assert seen["float_nodata_nan"][1] == pytest.approx(0.489, abs=0.01)
    assert seen["landsat_bahamas_rgb_nodata"][1] == pytest.approx(0.675, abs=0.01)
    assert seen["aerial_no_crs"][0] is None
