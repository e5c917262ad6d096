"""Items as georeferenced rasters, window sizes, and example sentences of a scene."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terraseek.errors import AnnotationError, LatticeError
from terraseek.scenes import Scene
from terraseek_app.pages.localize.item_raster import item_raster, pixel_space_reason, utm_placement
from terraseek_app.pages.localize.parsing import parse_scales
from terraseek_app.pages.localize.scene_examples import scene_captions


def make_image() -> tuple[np.ndarray, bytes]:
    image = np.full((40, 60, 3), 30, np.uint8)
    image[:20] = (200, 40, 40)
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return image, out.getvalue()


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.floats(-179.9, 179.9), st.floats(-79, 83), st.floats(0.1, 30))
def test_item_with_precise_position_is_georeferenced(lon: float, lat: float, gsd: float) -> None:
    item = {"lon": lon, "lat": lat, "gsd_m": gsd, "location_precision": "point"}
    place = utm_placement(item, 60, 40)
    assert place is not None
    epsg, left, top, metres = place
    assert epsg // 100 in (326, 327)
    from pyproj import Transformer

    back = Transformer.from_crs(epsg, 4326, always_xy=True)
    centre = back.transform(left + 30 * metres, top - 20 * metres)
    assert centre == pytest.approx((lon, lat), abs=1e-6)


@pytest.mark.parametrize(
    "lacking",
    [{"gsd_m": None}, {"location_precision": "utm_zone"}, {"lat": 89.0}, {"lon": float("nan")}],
)
def test_item_without_precise_position_is_not_georeferenced(
    lacking: dict[str, object], tmp_path: Path
) -> None:
    item = {"lon": 4.0, "lat": 52.0, "gsd_m": 0.5, "location_precision": "exact"} | lacking
    image, encoded = make_image()
    path = item_raster(item, encoded, image, tmp_path)
    assert path.read_bytes() == encoded
    with Scene.open(path) as scene:
        assert scene.crs is None


def test_item_raster_has_the_pixels_and_the_georeference(tmp_path: Path) -> None:
    item = {"lon": 4.1, "lat": 51.9, "gsd_m": 0.5, "location_precision": "exact"}
    image, encoded = make_image()
    path = item_raster(item, encoded, image, tmp_path)
    assert path == item_raster(item, encoded, image, tmp_path)
    with Scene.open(path) as scene:
        assert (scene.width, scene.height) == (60, 40)
        assert scene.gsd_m == pytest.approx(0.5, rel=1e-2)
        assert scene.pixel_to_lonlat(30, 20) == pytest.approx((4.1, 51.9), abs=1e-6)
        rgb, valid = scene.window(0, 0, 40, 60)
    assert valid.all()
    np.testing.assert_array_equal(rgb, image)


def test_tiff_without_georeference_is_placed_by_the_catalogue(tmp_path: Path) -> None:
    item = {"lon": 4.1, "lat": 51.9, "gsd_m": 0.5, "location_precision": "exact"}
    image, _ = make_image()
    out = io.BytesIO()
    Image.fromarray(image).save(out, "TIFF")
    with Scene.open(item_raster(item, out.getvalue(), image, tmp_path)) as scene:
        assert scene.pixel_to_lonlat(30, 20) == pytest.approx((4.1, 51.9), abs=1e-6)


def test_tiff_keeps_its_own_georeference(tmp_path: Path) -> None:
    import rasterio
    from affine import Affine

    image, _ = make_image()
    profile = {"driver": "GTiff", "width": 60, "height": 40, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": Affine(2, 0, 448_000, 0, -2, 5_412_000)}
    with rasterio.open(tmp_path / "own.tif", "w", **profile, **place) as target:
        target.write(np.moveaxis(image, 2, 0))
    item = {"lon": 4.1, "lat": 51.9, "gsd_m": 0.5, "location_precision": "exact"}
    encoded = (tmp_path / "own.tif").read_bytes()
    path = item_raster(item, encoded, image, tmp_path)
    assert path.read_bytes() == encoded


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gsd_m": None}, "no pixel size"),
        ({"gsd_m": float("nan")}, "no pixel size"),
        ({"location_precision": "utm_zone"}, "not precise (utm zone)"),
        ({"lat": 89.0}, "84° N"),
    ],
)
def test_reason_why_a_located_item_is_shown_in_pixels(
    change: dict[str, object], words: str
) -> None:
    item = {"lon": 4.0, "lat": 52.0, "gsd_m": 0.5, "location_precision": "exact"} | change
    assert utm_placement(item, 64, 64) is None
    assert words in str(pixel_space_reason(item))


def test_item_without_coordinates_has_no_reason() -> None:
    assert pixel_space_reason({"lon": None, "lat": None, "gsd_m": 1.0}) is None


def test_window_sizes_are_parsed() -> None:
    assert parse_scales("") == ()
    assert parse_scales("128, 256;512 64") == (128, 256, 512, 64)


@pytest.mark.parametrize("text", ["big", "4", "128, -3", "12.5"])
def test_invalid_window_sizes_are_refused(text: str) -> None:
    with pytest.raises(LatticeError, match="whole numbers"):
        parse_scales(text)


def test_example_sentences_come_from_the_annotations(tmp_path: Path) -> None:
    scene = tmp_path / "city.tif"
    assert scene_captions(scene) == []
    entries = [
        {"jpg_name": "city.tif", "caption": "a stadium"},
        {"jpg_name": "other.tif", "caption": "a harbour"},
        {"jpg_name": "city.tif", "caption": " planes "},
    ]
    (tmp_path / "anno.json").write_text(json.dumps(entries), encoding="utf-8")
    assert scene_captions(scene) == ["a stadium", "planes"]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"caption": "x"}]'])
def test_invalid_annotation_file_is_reported(text: str, tmp_path: Path) -> None:
    (tmp_path / "anno.json").write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError, match="jpg_name"):
        scene_captions(tmp_path / "city.tif")
