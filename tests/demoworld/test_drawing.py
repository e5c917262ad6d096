import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame, Region, clip_polygon
from terraseek_demoworld.drawing.light import Sky, render, shadow
from terraseek_demoworld.drawing.palette import SNOW, SUMMER, WINTER, look_of
from terraseek_demoworld.drawing.plants import plant, tree_positions
from terraseek_demoworld.drawing.shapes import box, points_along, smooth_line
from terraseek_demoworld.drawing.textures import fractal, ridges

SKY = Sky(azimuth=0.0, elevation=np.pi / 4, haze=0, blur_px=0.4, noise=0, tint=(1, 1, 1))


@pytest.fixture
def canvas():
    return Canvas(64, 80, 0.5, SUMMER, np.random.default_rng(0))


def test_a_frame_turns_and_scales_metres_into_pixels():
    frame = Frame(col=10, row=20, angle=np.pi / 2, scale=2)
    np.testing.assert_allclose(frame.px([(1, 0), (0, 1)]), [(10, 22), (8, 20)], atol=1e-9)
    child = frame.child(3, 0, -np.pi / 2)
    np.testing.assert_allclose(child.px([(1, 0)]), [(12, 26)], atol=1e-9)


def test_region_knows_local_coordinates(canvas):
    frame = canvas.frame(0.5, 0.5)
    region = canvas.region(frame.px(box(8, 4)))
    x, y = region.local_coordinates(frame)
    assert region.cover.max() == 1
    assert abs(x[region.cover > 0.5]).max() <= 4.01
    assert abs(y[region.cover > 0.5]).max() <= 2.01


def test_a_region_outside_the_canvas_is_none(canvas):
    assert canvas.region(canvas.frame(5, 5).px(box(4, 4))) is None


def test_trimming_keeps_what_is_covered():
    cover = np.zeros((20, 30), np.float32)
    cover[4:7, 10:12] = 1
    part = Region(slice(100, 120), slice(50, 80), cover).trimmed()
    assert (part.rows, part.cols) == (slice(104, 107), slice(60, 62))
    assert part.cover.all()


def test_shadow_falls_away_from_the_sun_as_long_as_the_height(canvas):
    # sun in +x at 45 degrees: 10 m of height shade 10 m = 20 px on the -x side
    relief = np.zeros((40, 100), np.float32)
    relief[15:25, 60:64] = 10
    dark = shadow(relief, 0.5, SKY)
    row = dark[20]
    assert row[45] > 0.9
    assert row[36] < 0.1
    assert row[70] < 0.1
    assert dark[5].max() < 0.1


def test_flat_land_has_no_shadow():
    assert shadow(np.zeros((16, 16), np.float32), 1.0, SKY).max() == 0


def test_objects_mostly_outside_are_not_counted(canvas):
    inside, outside = canvas.frame(0.5, 0.5), canvas.frame(0.0, 0.5).child(-1.5, 0)
    assert canvas.record("plane", inside.px(box(6, 6)))
    assert not canvas.record("plane", outside.px(box(6, 6)))
    assert canvas.count("plane") == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50, 150), st.floats(-50, 150)), min_size=3, max_size=8, unique=True
    )
)
def test_clipped_polygons_stay_inside(points):
    inside = clip_polygon(np.array(points), 100, 80)
    if len(inside):
        assert inside.min() >= -1e-6
        assert inside[:, 0].max() <= 100 + 1e-6
        assert inside[:, 1].max() <= 80 + 1e-6


def test_clip_leaves_an_inner_polygon_alone():
    square = np.array([(10.0, 10), (20, 10), (20, 20), (10, 20)])
    np.testing.assert_array_equal(clip_polygon(square, 100, 100), square)


def test_trees_rise_and_stay_off_blocked_ground(canvas):
    canvas.blocked[:, :40] = 255
    points = tree_positions(canvas, 5)
    assert len(points)
    assert points[:, 0].min() >= 40
    plant(canvas, points, 2.0)
    assert canvas.relief.max() > 1
    assert canvas.relief[:, :30].max() == 0


def test_the_same_trees_grow_whether_planted_in_one_piece_or_in_tiles(monkeypatch):
    def grown(tile):
        monkeypatch.setattr("terraseek_demoworld.drawing.plants._TILE", tile)
        land = Canvas(64, 64, 0.5, SUMMER, np.random.default_rng(3))
        plant(land, np.array([(31.0, 32.0), (10.0, 12.0)]), 3.0)
        return land.relief > 0

    assert abs(grown(64).sum() - grown(32).sum()) < 0.2 * grown(64).sum()


def test_rendering_gives_an_image_of_the_canvas(canvas):
    canvas.albedo[:] = 120
    image = render(canvas, SKY)
    assert image.shape == (64, 80, 3)
    assert 90 < image.mean() < 130


def test_noise_is_about_standard_and_reproducible():
    noise = fractal(np.random.default_rng(1), (200, 200), 20)
    again = fractal(np.random.default_rng(1), (200, 200), 20)
    np.testing.assert_array_equal(noise, again)
    assert abs(noise.mean()) < 0.35
    assert 0.6 < noise.std() < 1.5
    assert ridges(np.random.default_rng(1), (64, 64), 20).max() <= 1


def test_lines_are_walked_at_equal_steps():
    line = np.array([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)])
    places = points_along(line, 5)
    np.testing.assert_allclose([p for p, _ in places], [(2.5, 0), (7.5, 0), (10, 2.5), (10, 7.5)])
    assert places[0][1] == 0
    assert places[-1][1] == pytest.approx(np.pi / 2)
    rounded = smooth_line(line)
    np.testing.assert_array_equal(rounded[[0, -1]], line[[0, -1]])


def test_seasons_follow_the_hemisphere():
    rng = np.random.default_rng(0)
    assert look_of("cold", 1, 60, rng) is SNOW
    assert look_of("cold", 7, -40, rng) is SNOW
    assert look_of("cold", 1, 60, rng, snow=False) is WINTER
    assert look_of("temperate", 7, 50, rng) is SUMMER
    assert look_of("arid", 1, 25, rng).name == "arid"


def test_a_line_is_followed_to_its_end_when_rounding_goes_beyond_it():
    length, step = 453.3854685904008, 16.48674431237821  # arange's last value is beyond the length
    places = points_along(np.array([[0.0, 0.0], [length, 0.0]]), step)
    assert len(places) == 28
    assert places[-1][0][0] == pytest.approx(length)
