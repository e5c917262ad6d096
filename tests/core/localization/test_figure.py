"""Figures of heat maps: what is drawn where, and that PNG and PDF can be read again."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from helpers.rasters import UTM_GRID, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.localization import LocalizeOptions, draw_figure, localize, write_figure
from terraseek.localization.output.colour.palette import colour_of_level
from terraseek.localization.output.figure.map_image import draw_map
from terraseek.localization.output.figure.map_scale import north_direction, scale_bar
from terraseek.localization.output.figure.text import fit_text, font, readable, wrap
from terraseek.localization.output.regions import regions
from terraseek.scenes import Scene
from terraseek.scenes.georef import Georef

UTM = CRS.from_epsg(32633)


@pytest.fixture
def heat(tmp_path):
    """Grey ground of 300 x 400 pixels with one red spot in its upper right."""
    rgb = np.full((300, 400, 3), 110, np.uint8)
    rgb[50:120, 250:350] = (230, 20, 20)
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb)) as scene:
        return localize(scene, "red", FakeEncoder(), LocalizeOptions(minus=("green",)))


@pytest.mark.parametrize("degrees", [0, 25, 90, 200])
def test_north_on_a_rotated_grid(degrees):
    """`Affine.rotation` turns the rows counter-clockwise, so north turns clockwise in the image."""
    georef = Georef(400, 300, UTM_GRID @ Affine.rotation(degrees), UTM)
    right, down = north_direction(georef)
    angle = np.degrees(np.arctan2(right, -down))  # clockwise from up
    assert (angle - (-degrees) + 180) % 360 - 180 == pytest.approx(0, abs=0.5)


def test_north_of_an_upside_down_grid_is_down():
    south_up = Georef(400, 300, Affine(2, 0, 5e5, 0, 2, 5e6), UTM)
    assert north_direction(south_up) == pytest.approx((0, 1), abs=0.01)
    assert north_direction(Georef(400, 300, Affine.identity(), None)) is None


@pytest.mark.parametrize(
    ("transform", "crs", "label", "length"),
    [
        (UTM_GRID, UTM, "200 m", 100),
        (Affine(50, 0, 5e5, 0, -50, 5e6), UTM, "5 km", 100),
        (Affine(1e-5, 0, 10, 0, -1e-5, 60), CRS.from_epsg(4326), "50 m", 50 / 0.557),
        (Affine(2, 0, 0, 0, -2, 8399738), CRS.from_epsg(3857), "100 m", 100),  # 60 N halves it
        (Affine.identity(), None, "100 px", 100),
    ],
)
def test_the_scale_bar_is_measured_on_the_ground(transform, crs, label, length):
    bar = scale_bar(Georef(400, 300, transform, crs), 130)
    assert bar.label == label
    assert bar.length_px == pytest.approx(length, rel=0.01)


def test_the_map_has_scene_heat_and_outline(heat):
    image = draw_map(heat, regions(heat), (600, 800))
    assert image.shape == (600, 800, 3)
    assert np.ptp(image[560, 30].astype(int)) < 12  # far from the spot: the grey ground
    assert image[170, 600, 0] > image[170, 600, 2] + 60  # in the spot: red
    line = (
        np.abs(image.astype(int) - colour_of_level(heat.significance)).sum(axis=2) < 12
    ).nonzero()
    [polygon] = [region.polygon for region in regions(heat)][:1]
    west, north, east, south = (2 * side for side in polygon.bounds)
    assert (line[0].min(), line[0].max()) == pytest.approx((north, south), abs=5)
    assert (line[1].min(), line[1].max()) == pytest.approx((west, min(east, 800)), abs=5)


def test_the_threshold_changes_the_outline(heat):
    one, other = (np.asarray(draw_figure(heat, percentile=p)) for p in (60, 98))
    coloured = [
        (np.abs(p.astype(int) - colour_of_level(heat.significance)).sum(axis=2) < 12)
        for p in (one, other)
    ]
    columns = [np.ptp(c.nonzero()[1]) for c in coloured]
    assert not np.array_equal(one, other)
    assert coloured[0].sum() > coloured[1].sum() > 0, columns


def test_png_and_pdf_hold_the_same_page(heat, tmp_path):
    png, pdf = (write_figure(heat, tmp_path / f"f.{kind}") for kind in ("png", "pdf"))
    with Image.open(png) as page:
        page.load()
        size = page.size
        assert page.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    body = pdf.read_bytes()
    assert body.startswith(b"%PDF-")
    [box] = re.findall(rb"/MediaBox \[ *0 +0 +([\d.]+) +([\d.]+) *\]", body)
    points = [float(side) / 72 * 200 for side in box]
    assert points == pytest.approx(size, abs=1)
    start = body.index(b"\xff\xd8\xff")
    with Image.open(io.BytesIO(body[start:])) as inside:
        assert inside.size == size
        difference = np.abs(np.asarray(inside.convert("RGB"), int) - np.asarray(page, int))
    assert difference.mean() < 3
    assert "red minus green".encode("utf-16-be") in body or b"red minus green" in body
    with pytest.raises(ConfigError, match=r"\.png or \.pdf"):
        write_figure(heat, tmp_path / "f.svg")


def test_a_scene_without_coordinates_or_without_its_file(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((80, 90, 3), 99, np.uint8)).save(path)
    with Scene.open(path) as scene:
        plain = localize(scene, "red", FakeEncoder())
    with_scene = np.asarray(draw_figure(plain))
    path.unlink()
    without = np.asarray(draw_figure(plain))
    assert with_scene.shape == without.shape
    assert without.mean() > with_scene.mean()


def test_lines_hold_every_word():
    text = "a very long question " * 12 + "x" * 300
    lines, letters, _ = fit_text(text, 52, 700, 3)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(letters.getlength(line) for line in lines) <= 700
    assert wrap("", font(30), 100) == [""]


SENTENCES = {
    "Chinese": ("港口里的船", "河边的农田"),
    "Japanese": ("港の船", "川沿いの畑"),
    "Arabic": ("سفن في الميناء", "حقول على النهر"),
    "Hindi": ("बंदरगाह में जहाज", "नदी के किनारे खेत"),
    "emoji": ("ships \U0001f6a2", "trees \U0001f333"),
}


@pytest.mark.parametrize("script", SENTENCES)
def test_no_letter_is_an_empty_box(script):
    for sentence in SENTENCES[script]:
        shown = readable(sentence)
        letters = font(40, shown)
        box = bytes(letters.getmask(chr(0x10FFFF)))
        assert all(c.isspace() or bytes(letters.getmask(c)) != box for c in shown)


def test_letters_that_no_font_has_are_codes_and_the_figure_says_so(heat):
    cuneiform = "\U00012000\U00012001"
    shown = readable(f"boats {cuneiform} \U0001f6a2")
    assert shown.startswith(r"boats \U00012000\U00012001")
    assert shown.endswith((":ship:", "\U0001f6a2"))
    assert shown.split()[1].encode("ascii").decode("unicode_escape") == cuneiform
    assert readable("déjà vu, Über 5 µm") == "déjà vu, Über 5 µm"
    plain = draw_figure(replace(heat, query="boats"))
    coded = draw_figure(replace(heat, query=f"boats {cuneiform}"))
    assert coded.height > plain.height or np.asarray(coded).mean() < np.asarray(plain).mean()
    other = draw_figure(replace(heat, query="boats \U00012002\U00012001"))
    title = np.s_[:160]
    assert (np.asarray(coded)[title] != np.asarray(other)[title]).any()


@pytest.mark.parametrize("script", SENTENCES)
def test_figures_of_two_sentences_differ_in_their_titles(heat, script):
    one, other = (np.asarray(draw_figure(replace(heat, query=s)))[:160] for s in SENTENCES[script])
    assert (one != other).any()
