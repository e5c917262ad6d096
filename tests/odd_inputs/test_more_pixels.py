"""TIFF files that are turned, inverted or have pages; bands of more sensors; places not used."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from terraseek.catalogue import Catalogue, import_source
from terraseek.scenes import Scene

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

RED, GREEN = (250, 10, 10), (90, 180, 70)


def drawn_image() -> np.ndarray:
    """Green, with a red square whose place shows every turn."""
    pixels = np.full((40, 60, 3), GREEN, np.uint8)
    pixels[5:15, 40:55] = RED
    return pixels


def write_tif(path: Path, bands: np.ndarray, **options: object) -> None:
    count, height, width = bands.shape
    profile = {"width": width, "height": height, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", **profile, **options) as out:
        out.write(bands)


def shown(path: Path) -> np.ndarray:
    """Pixels of a scene, which must be those of an item of the same file."""
    with Scene.open(path) as scene:
        rgb, _ = scene.window(0, 0, scene.height, scene.width)
    report = import_source(path, path.parent / f"cat-{path.stem}")
    assert report.broken == []
    catalogue = Catalogue.open(path.parent / f"cat-{path.stem}")
    np.testing.assert_array_equal(catalogue.read_image(catalogue.items()["item_id"][0]), rgb)
    return rgb


TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
"""How the pixels of an upright image are stored, by the orientation that the file states."""


@pytest.mark.parametrize("orientation", TURNS)
def test_tiff_files_are_turned_as_they_say(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](drawn_image())))
    stored.save(tmp_path / "a.tif", exif=exif)
    np.testing.assert_array_equal(shown(tmp_path / "a.tif"), drawn_image())


def test_a_scan_with_0_for_white_is_not_a_negative(tmp_path: Path) -> None:
    grey = drawn_image()[..., 0]
    write_tif(tmp_path / "a.tif", 255 - grey[None], photometric="MINISWHITE")
    np.testing.assert_array_equal(shown(tmp_path / "a.tif")[..., 0], grey)


def test_pages_of_a_tiff_are_counted(tmp_path: Path) -> None:
    first, second = Image.fromarray(drawn_image()), Image.new("RGB", (10, 10))
    (tmp_path / "in").mkdir()
    first.save(tmp_path / "in" / "a.tif", save_all=True, append_images=[second, second])
    report = import_source(tmp_path / "in", tmp_path / "cat")
    assert report.unused == {"pages after the first of TIFF files": 2}
    with Scene.open(tmp_path / "in" / "a.tif") as scene:
        assert scene.notes == ("a.tif has 3 pages; only the first is read",)
        np.testing.assert_array_equal(scene.window(0, 0, 40, 60)[0], drawn_image())


def test_nodata_beyond_all_values_gives_no_warning(tmp_path: Path) -> None:
    bands = np.linspace(0, 1, 3 * 40 * 60, dtype=np.float32).reshape(3, 40, 60)
    bands[:, 30:] = np.float32(-3.4028235e38)
    write_tif(tmp_path / "a.tif", bands, nodata=float(np.float32(-3.4028235e38)))
    rgb = shown(tmp_path / "a.tif")
    assert rgb[30:].max() == 0
    assert rgb[:30].max() == 255


@pytest.mark.parametrize(
    ("names", "rgb"),
    [
        ([f"sur_refl_b0{n}" for n in range(1, 8)], (1, 4, 3)),
        (["VNIR_Band1", "VNIR_Band2", "VNIR_Band3N"], (2, 1, 1)),
        (["XS1", "XS2", "XS3", "SWIR"], (2, 1, 1)),
        (["alpha centauri", "b", "c"], (1, 2, 3)),
        (["VV", "VH"], (1,)),
    ],
)
def test_bands_of_more_sensors_and_a_note_which(
    tmp_path: Path, names: list[str], rgb: tuple[int, ...]
) -> None:
    bands = np.random.default_rng(0).integers(0, 9999, (len(names), 40, 60), np.uint16)
    write_tif(tmp_path / "a.tif", bands, photometric="MINISBLACK")
    with rasterio.open(tmp_path / "a.tif", "r+") as out:
        out.descriptions = names
    with Scene.open(tmp_path / "a.tif") as scene:
        assert scene.bands.rgb == rgb
        assert len(scene.notes) == 1


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("wavelength", ["443", "490", "560", "665", "842"]),
        ("Wavelength", ["0.443", "0.49", "0.56", "0.665", "0.842"]),
    ],
)
def test_wavelengths_in_the_metadata_of_bands(tmp_path: Path, key: str, values: list[str]) -> None:
    write_tif(tmp_path / "a.tif", np.ones((5, 40, 60), np.uint16), photometric="MINISBLACK")
    with rasterio.open(tmp_path / "a.tif", "r+") as out:
        for band, value in enumerate(values, start=1):
            out.update_tags(band, **{key: value})
    with Scene.open(tmp_path / "a.tif") as scene:
        assert scene.bands.rgb == (4, 3, 2)


MOON = (
    'GEOGCS["Moon 2000",DATUM["D_Moon_2000",SPHEROID["Moon_2000_IAU_IAG",1737400,0]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)


def test_positions_that_cannot_be_used_are_counted_by_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bands = drawn_image().transpose(2, 0, 1)
    there = Affine(0.01, 0, 10, 0, -0.01, 50)
    write_tif(folder / "moon.tif", bands, crs=CRS.from_wkt(MOON), transform=there)
    write_tif(folder / "none.tif", bands, transform=there)
    far = Affine(10, 0, 1e9, 0, -10, 1e9)
    write_tif(folder / "far.tif", bands, crs="EPSG:32631", transform=far)
    write_tif(folder / "line.tif", bands)
    with rasterio.open(folder / "line.tif", "r+") as out:
        points = [GroundControlPoint(i, i, 10 + i / 100, 50 - i / 100) for i in (0, 20, 40)]
        out.gcps = (points, CRS.from_epsg(4326))
    report = import_source(folder, tmp_path / "cat")
    assert report.broken == []
    assert report.precision == {"none": 4}
    assert sorted(report.unused.values()) == [1, 1, 1, 1]
    reasons = " ".join(report.unused)
    for part in ("related to the Earth", "without a CRS", "not on the globe", "on one line"):
        assert part in reasons
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_world_and_projection_files_in_upper_case(tmp_path: Path) -> None:
    Image.fromarray(drawn_image()).save(tmp_path / "A.JPG")
    (tmp_path / "A.JGW").write_text("0.01\n0\n0\n-0.01\n10.005\n49.995\n")
    (tmp_path / "A.PRJ").write_text(CRS.from_epsg(4326).to_wkt())
    import_source(tmp_path / "A.JPG", tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items[["lon", "lat"]].to_numpy()[0].tolist() == pytest.approx([10.3, 49.8])


LAT = tuple(IFDRational(n, 1) for n in (48, 51, 24))
LON = tuple(IFDRational(n, 1) for n in (2, 21, 7))


@pytest.mark.parametrize(
    "gps",
    [
        {2: LAT, 4: LON},
        {1: "N", 2: LAT, 4: LON},
        {1: "X", 2: LAT, 3: "E", 4: LON},
        {1: "N", 2: LAT},
        {1: "N", 2: (IFDRational(48, 1), IFDRational(0, 0)), 3: "E", 4: LON},
    ],
)
def test_gps_that_would_be_a_guess_is_counted(tmp_path: Path, gps: dict[int, object]) -> None:
    exif = Image.Exif()
    exif[0x8825] = gps
    Image.fromarray(drawn_image()).save(tmp_path / "a.jpg", exif=exif.tobytes())
    report = import_source(tmp_path / "a.jpg", tmp_path / "cat")
    assert Catalogue.open(tmp_path / "cat").items()["lon"].isna().all()
    assert report.unused == {"a GPS position in EXIF that is incomplete or damaged": 1}


def test_images_of_other_formats_and_names_are_counted(tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    Image.fromarray(drawn_image()).save(tmp_path / "in" / "a.png")
    Image.fromarray(drawn_image()).save(tmp_path / "in" / "b.tga")
    Image.fromarray(drawn_image()).save(tmp_path / "in" / "more" / "c.ppm")
    data = io.BytesIO()
    Image.fromarray(drawn_image()).save(data, "JPEG")
    (tmp_path / "in" / "photograph").write_bytes(data.getvalue())
    (tmp_path / "in" / "README").write_text("about")
    (tmp_path / "in" / "a.pgw").write_text("1\n")
    report = import_source(tmp_path / "in", tmp_path / "cat")
    assert report.added == 1
    assert report.unused == {
        ".tga files, a format that is not read": 1,
        ".ppm files, a format that is not read": 1,
        "images whose name has no suffix": 1,
    }
