"""One reading of an image everywhere: import and localization see the same pixels."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from helpers.rasters import write_raster
from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.images import decode_image
from terraseek.decoding import TimeLimit
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import HAS_IMAGE
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import (
    ConfigError,
    SceneError,
    SceneTooSlowError,
    SourceError,
    UnsupportedSceneError,
)
from terraseek.localization import localize
from terraseek.scenes import Scene

SIDE = 40
RED = (230, 20, 20)
RNG = np.random.default_rng(0)


def drawing() -> np.ndarray:
    """A red rectangle at the upper left of a noisy green area, higher than wide."""
    pixels = np.random.default_rng(1).integers(90, 110, (SIDE, 30, 3), np.uint8)
    pixels[..., 1] += 80
    pixels[2:10, 2:8] = RED
    return pixels


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def stored(pixels: np.ndarray, orientation: int) -> Image.Image:
    """The image as a camera stores it that states this orientation."""
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    image = Image.fromarray(pixels)
    if orientation == 1:
        return image
    return image.transpose(Image.Transpose(inverse[orientation]))


def deep_png(pixels: np.ndarray) -> bytes:
    """16-bit RGB PNG, which Pillow does not write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + end


def write_image(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def make_inputs(folder):
    """Generators of images that must look like `drawing`, with the largest mean difference."""
    pixels = drawing()
    plain = Image.fromarray(pixels)
    other = Image.new("RGB", plain.size, (0, 0, 255))
    for suffix, loss in (("jpg", 25), ("png", 0), ("webp", 40)):
        for orientation in range(1, 9):
            name = f"turned{orientation}.{suffix}"
            options = {"quality": 95} if suffix != "png" else {}
            turned = stored(pixels, orientation)
            yield write_image(folder, name, turned, exif=exif(orientation), **options), loss
    two = {"save_all": True, "append_images": [other], "duration": 100}
    yield write_image(folder, "animated.webp", plain, lossless=True, **two), 0
    yield write_image(folder, "animated.png", plain, **two), 0
    yield write_image(folder, "animated.gif", plain.quantize(64), **two), 30
    yield write_image(folder, "palette.png", plain.quantize(256), optimize=True), 30
    yield write_image(folder, "palette.bmp", plain.quantize(256)), 30
    yield write_image(folder, "cmyk.jpg", plain.convert("CMYK"), quality=95), 40
    yield write_image(folder, "cmyk.tif", plain.convert("CMYK")), 3
    alpha = plain.convert("RGBA")
    yield write_image(folder, "alpha.png", alpha), 0
    yield write_image(folder, "progressive.jpg", plain, progressive=True, quality=95), 25
    yield write_image(folder, "interlaced.tif", plain, compression="tiff_lzw"), 0


def seen_by_both(path):
    """Pixels in a catalogue and in a scene."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with Scene.open(path) as scene:
            shown, _ = scene.window(0, 0, scene.height, scene.width)
            notes = scene.notes
    return decode_image(path.read_bytes(), path.name), shown, notes


def test_every_form_of_an_image_is_read_alike(tmp_path):
    expected = drawing().astype(int)
    count = 0
    for path, tolerance in make_inputs(tmp_path):
        item, scene, notes = seen_by_both(path)
        for pixels in (item, scene):
            assert pixels.shape == expected.shape, path.name
            difference = np.abs(pixels.astype(int) - expected)
            assert difference.mean() <= tolerance, path.name
            corner = pixels[4:8, 4:6].astype(int).mean((0, 1))
            assert corner[0] > 180, path.name
            assert corner[1:].max() < 90, path.name
        assert any("first frame" in note for note in notes) == path.name.startswith("animated")
        count += 1
    assert count == 34


def test_16_bit_png_and_tiff_are_alike(tmp_path):
    values = (drawing().astype(np.uint16) * 16).clip(0, 4095)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    write_raster(tmp_path / "a.tif", np.moveaxis(values, -1, 0), crs=None, photometric="RGB")
    png, scene, _ = seen_by_both(tmp_path / "a.png")
    tif, _, _ = seen_by_both(tmp_path / "a.tif")
    np.testing.assert_array_equal(png, tif)
    np.testing.assert_array_equal(png, scene)
    assert png[5, 5].tolist()[0] > 200
    assert png[5, 5].tolist()[1] < 30


def test_transparent_pixels_are_black_in_items_and_scenes(tmp_path):
    pixels = np.dstack([drawing(), np.full((SIDE, 30), 255, np.uint8)])
    pixels[20:, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    item, scene, _ = seen_by_both(tmp_path / "a.png")
    np.testing.assert_array_equal(item, scene)
    assert item[20:].max() == 0


NAMES = [
    (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"), (4, 3, 2)),
    (("B1, central wavelength 443 nm", "B2, central wavelength 490 nm",
      "B3, central wavelength 560 nm", "B4, central wavelength 665 nm",
      "B8, central wavelength 842 nm"), (4, 3, 2)),
    (("Band 1 (Blue)", "Band 2 (Green)", "Band 3 (Red)", "Band 4 (NIR)"), (3, 2, 1)),
    (("B1", "B2", "B3", "B4", "B5", "B7"), (3, 2, 1)),
    (("B01", "B02", "B03", "B04", "B05", "B08"), (4, 3, 2)),
    (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 4, 2)),
    (("Red Edge", "Near Infra-Red", "Green", "Red", "Blue"), (4, 3, 5)),
    (("0.49 um", "0.56 um", "0.66 um", "0.86 um"), (3, 2, 1)),
    (("a", "b", "c", "d", "e"), (1, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("names", "expected"), NAMES)
def test_bands_are_chosen_by_their_names(tmp_path, names, expected):
    bands = np.stack([RNG.integers(0, 200, (8, 8), np.uint8) for _ in names]).astype(np.uint16)
    unknown = (ColorInterp.gray, *[ColorInterp.undefined] * (len(names) - 1))
    path = write_raster(tmp_path / "a.tif", bands, descriptions=names, colorinterp=unknown)
    with Scene.open(path) as scene:
        assert scene.bands.rgb == expected
        assert ", ".join(map(str, expected)) in scene.notes[0]


def test_landsat_5_by_its_file_name(tmp_path):
    bands = np.zeros((7, 8, 8), np.uint16) + np.arange(64).reshape(8, 8).astype(np.uint16)
    names = tuple(f"B{n}" for n in range(1, 8))
    tm = write_raster(tmp_path / "LT05_L1TP_042036.tif", bands, descriptions=names)
    unknown = write_raster(tmp_path / "x.tif", bands, descriptions=names)
    with Scene.open(tm) as scene:
        assert scene.bands.rgb == (3, 2, 1)
    with Scene.open(unknown) as scene:
        assert scene.bands.rgb == (4, 3, 2)
        assert "for Landsat 4 to 7 describe the bands" in scene.notes[0]


def test_palette_indices_without_a_palette_are_grey(tmp_path):
    values = RNG.integers(0, 250, (1, 20, 20), np.uint8)
    write_raster(tmp_path / "p.tif", values)
    (tmp_path / "p.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><ColorInterp>Palette</ColorInterp></PAMRasterBand>'
        "</PAMDataset>"
    )
    with Scene.open(tmp_path / "p.tif") as scene:
        rgb, _ = scene.window(0, 0, 20, 20)
        assert "no palette" in scene.notes[0]
    np.testing.assert_array_equal(rgb, np.repeat(values[0][..., None], 3, axis=2))


def test_control_points_that_contradict_each_other_are_refused(tmp_path, monkeypatch):
    points = [
        rasterio.control.GroundControlPoint(row=r, col=c, x=10 + c / 1000, y=50 - r / 1000)
        for r in (0, 100)
        for c in (0, 50, 100)
    ]
    points[2].x += 1.0
    bands = RNG.integers(0, 250, (3, 100, 100), np.uint8)
    path = write_raster(tmp_path / "a.tif", bands, crs="EPSG:4326", gcps=points)
    with pytest.raises(UnsupportedSceneError, match="TERRASEEK_MAX_GCP_ERROR"):
        Scene.open(path)
    monkeypatch.setenv("TERRASEEK_MAX_GCP_ERROR", "100000")
    with Scene.open(path) as scene:
        assert "fit error" in scene.notes[0]


def photograph(folder, name, **gps):
    tags = exif(1)
    tags.get_ifd(0x8825).update(gps.get("gps", {}))
    tags.get_ifd(0x8769).update(gps.get("taken", {}))
    Image.fromarray(drawing()).save(folder / name, exif=tags)


def test_photographs_are_placed_by_exif_and_others_counted(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    place = {1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 7.0)}
    photograph(folder, "a.jpg", gps=place, taken={0x9003: "2023:07:08 11:10:11"})
    south = {1: "S", 2: (33.5, 0.0, 0.0), 3: "W", 4: (70.25, 0.0, 0.0)}
    photograph(folder, "b.png", gps=south, taken={0x9003: "2023:07:08 11:10:11", 0x9011: "+02:00"})
    time = {29: "2022:01:02", 7: (3.0, 4.0, 5.0)}
    photograph(folder, "c.webp", gps=place | time)
    photograph(folder, "d.jpg", gps={2: (48.0, 51.0, 24.0)})
    report = import_source(folder, tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items().set_index("image")
    assert items.at["a.jpg", "lat"] == pytest.approx(48.8566667)
    assert items.at["a.jpg", "lon"] == pytest.approx(2.3519444)
    assert items.at["a.jpg", "captured_at"] == "2023-07-08T11:10:11Z"
    assert (items.at["b.png", "lon"], items.at["b.png", "lat"]) == (-70.25, -33.5)
    assert items.at["b.png", "captured_at"] == "2023-07-08T09:10:11Z"
    assert items.at["c.webp", "captured_at"] == "2022-01-02T03:04:05Z"
    assert items["location_precision"].tolist() == ["point", "point", "point", "none"]
    assert "1 without a place" in report.summary()


@pytest.mark.parametrize("ending", [".jgw", ".jpgw", ".wld", ".JGW"])
def test_world_files_place_items_as_scenes(tmp_path, ending):
    folder = tmp_path / "t"
    folder.mkdir()
    Image.fromarray(drawing()).save(folder / "t.jpg")
    (folder / f"t{ending}").write_text("2\n0\n0\n-2\n500001\n4999999\n")
    first = import_source(folder, tmp_path / "no")
    assert any("world file without a CRS" in why for why in first.unused)
    (folder / "t.prj").write_text(rasterio.crs.CRS.from_epsg(32631).to_wkt())
    import_source(folder, tmp_path / "cat")
    item = Catalogue.open(tmp_path / "cat").items().iloc[0]
    with Scene.open(folder / "t.jpg") as scene:
        lon, lat = scene.pixel_to_lonlat(15, 20)
    assert (item["lon"], item["lat"]) == pytest.approx((lon, lat))
    assert item["location_precision"] == "exact"


DAMAGE = [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\x05\0", b"junk" * 9]


@pytest.mark.parametrize("block", DAMAGE)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_images_with_damaged_exif_are_read(tmp_path, block, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(drawing()).save(path, exif=block, quality=95)
    item, scene, _ = seen_by_both(path)
    assert item.shape == scene.shape == (SIDE, 30, 3)
    folder = tmp_path / "d"
    folder.mkdir()
    path.rename(folder / path.name)
    assert import_source(folder, tmp_path / "cat").added == 1


def test_a_missing_codec_is_not_called_damage(tmp_path):
    path = write_raster(tmp_path / "a.tif", RNG.integers(0, 250, (1, 20, 20), np.uint8))
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HHI", 259, 3, 1))  # tag of the compression: JPEG XL
    data[entry + 8 : entry + 10] = struct.pack("<H", 50002)
    path.write_bytes(data)
    with pytest.raises(UnsupportedSceneError, match=r"a.tif.* cannot decode .*compress it again"):
        Scene.open(path)


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(drawing())
    tags = exif(6)
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 7.0)})
    options = {} if kind in ("GIF", "BMP", "TIFF") else {"exif": tags}
    image.save(out, kind, **options)
    return out.getvalue()


@settings(deadline=None, max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000"])
def test_damaged_bytes_are_decoded_or_refused_in_one_line(kind, data):
    original = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(original) - 1))
        original[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(original)))
    damaged = bytes(original[: cut or None])
    suffix = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}.get(kind, kind.lower())
    pixels, message = decoded_or_refused(damaged, f"a.{suffix}")
    if pixels is None:
        assert "\n" not in message
        assert f"a.{suffix}" in message
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3


def decoded_or_refused(data: bytes, name: str) -> tuple[np.ndarray | None, str]:
    try:
        return decode_image(data, name), ""
    except SceneError as error:
        return None, str(error)


@pytest.mark.parametrize("form", ["a.png", "a.jpg", "deep.png", "a.tif"])
def test_decoding_of_one_file_stops_after_its_seconds(tmp_path, monkeypatch, form):
    folder = tmp_path / "f"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)
    if form == "deep.png":
        (folder / form).write_bytes(deep_png(noise[:600, :600].astype(np.uint16) * 257))
    else:
        Image.fromarray(noise).save(folder / form)
    monkeypatch.setenv("TERRASEEK_MAX_SECONDS", "0.002")
    line = rf"{form} takes more than 0\.002 s to decode; store it in tiles .*TERRASEEK_MAX_SECONDS"
    with pytest.raises(SourceError, match=line):
        import_source(folder, tmp_path / "cat")
    with Scene.open(folder / form) as scene, pytest.raises(SceneTooSlowError, match=form):
        localize(scene, "red", FakeEncoder())
    monkeypatch.setenv("TERRASEEK_MAX_SECONDS", "soon")
    with pytest.raises(ConfigError, match="TERRASEEK_MAX_SECONDS='soon' must be a number"):
        TimeLimit("x")
    monkeypatch.delenv("TERRASEEK_MAX_SECONDS")
    assert import_source(folder, tmp_path / "cat").added == 1


def damaged_images(folder) -> list[str]:
    """Images of four formats, with a few bytes of each changed or its end missing."""
    rng = np.random.default_rng(3)
    pixels = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).resize((192, 96))
    forms = {
        "plain.jpg": ("JPEG", {}),
        "progressive.jpg": ("JPEG", {"progressive": True}),
        "turned.jpg": ("JPEG", {"exif": exif(6)}),
        "turned.png": ("PNG", {"exif": exif(6)}),
        "a.gif": ("GIF", {}),
    }
    for form, (kind, options) in forms.items():
        out = io.BytesIO()
        pixels.save(out, kind, **options)
        for number in range(8):
            data = bytearray(out.getvalue())
            for place in rng.integers(len(data) // 3, len(data), 1 + number % 4):
                data[place] ^= int(rng.integers(1, 256))
            if number == 0 and kind == "JPEG":  # the end marker in the middle
                middle = len(data) // 2
                data[middle : middle + 2] = b"\xff\xd9"
            (folder / f"{number}-{form}").write_bytes(data)
        (folder / f"cut-{form}").write_bytes(out.getvalue()[:-200])
    return sorted(path.name for path in folder.iterdir())


def accepted_as_scene(path) -> bool:
    try:
        with Scene.open(path) as scene:
            scene.preview(max(scene.width, scene.height))
    except SceneError:
        return False
    return True


def test_imports_and_scenes_refuse_the_same_damaged_images(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    names = damaged_images(folder)
    report = import_source(folder, tmp_path / "cat", name="checked")
    refused = {broken.member: broken.reason for broken in report.broken}
    assert refused.keys() == {name for name in names if not accepted_as_scene(folder / name)}
    assert all(f"cut-{form}" in refused for form in ("plain.jpg", "turned.jpg", "a.gif"))
    grey = [n for n in refused if decoded_or_refused((folder / n).read_bytes(), n)[0] is not None]
    assert any(name.endswith("plain.jpg") for name in grey)  # which Pillow fills with grey
    assert all("cut short or damaged" in refused[name] for name in grey)
    # embedding decides the same for images that the import did not check
    import_source(folder, tmp_path / "late", check=False)
    catalogue = Catalogue.open(tmp_path / "late")
    store = embed_catalogue(catalogue, FakeEncoder())
    items = catalogue.items()["image"].tolist()
    without = {items[row] for row in np.flatnonzero(store.flags & HAS_IMAGE == 0)}
    assert without == refused.keys()


def test_an_import_says_what_it_did_not_use(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    plain = Image.fromarray(drawing())
    for name in ("a.webp", "b.gif", "c.png"):
        plain.save(folder / name, save_all=True, append_images=[plain.rotate(180)])
    plain.save(folder / "d.png")
    (folder / "lost").symlink_to(tmp_path / "gone")
    (folder / "e.png").symlink_to(tmp_path / "gone.png")
    (folder / "f.png").write_bytes(b"no image")
    report = import_source(folder, tmp_path / "cat")
    assert report.unused == {"frames after the first of animations": 3}
    assert "3 not used: frames after the first of animations" in report.summary()
    assert [broken.member for broken in report.broken] == ["e.png", "lost", "f.png"]
    reasons = {"it is a link to what does not exist": 2, "is not an image of a known format": 1}
    assert report.broken_reasons() == report.to_json()["broken_reasons"] == reasons
    line = "3 broken (2 it is a link to what does not exist; 1 is not an image of a known format)"
    assert line in report.summary()
    assert "4 without a place" in report.summary()
