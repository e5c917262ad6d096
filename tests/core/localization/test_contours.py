"""Outlines of regions are contours: smooth, close to the cells, of the same area."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import shapes
from shapely import Polygon
from shapely.geometry import shape

from terraseek.localization.output.contours import TOLERANCE, contour_polygon
from terraseek.localization.output.outlines import area_text


def outlines(score, lowest):
    """Staircase and contour of each connected area."""
    mask = np.nan_to_num(score, nan=-np.inf) >= lowest
    labels = scipy.ndimage.label(mask)[0].astype(np.int32)
    for outline, _ in shapes(labels, mask=mask, connectivity=4):
        staircase = shape(outline)
        yield staircase, contour_polygon(staircase, score, lowest)


def smooth_field(seed, sigma, invalid):
    rng = np.random.default_rng(seed)
    score = scipy.ndimage.gaussian_filter(rng.standard_normal((60, 80)), sigma)
    score = (score / score.std()).astype(np.float32)
    if invalid:
        score[:, 50:55] = np.nan
    return score


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    sigma=st.floats(2, 8),
    percentile=st.floats(40, 97),
    invalid=st.booleans(),
)
def test_contours_keep_place_and_area(seed, sigma, percentile, invalid):
    score = smooth_field(seed, sigma, invalid)
    lowest = float(np.nanpercentile(score, percentile))
    for staircase, contour in outlines(score, lowest):
        assert contour.is_valid
        edge = 0.5 + TOLERANCE + 1e-6
        assert contour.exterior.hausdorff_distance(staircase.exterior) < edge + np.sqrt(0.5)
        assert all(staircase.exterior.distance(p) < edge for p in points(contour.exterior))
        # a contour lies between the centres of cells, half a cell from the outline of its cells
        assert abs(contour.area - staircase.area) <= (0.5 + TOLERANCE) * staircase.length + 1e-6
        if staircase.area > 100:  # where it is above and below, the differences cancel
            assert abs(contour.area - staircase.area) <= 0.1 * staircase.area
        west, north, east, south = contour.bounds
        assert west >= 0
        assert north >= 0
        assert (east, south) <= (80, 60)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), levels=st.integers(2, 4))
def test_contours_of_rough_maps_with_equal_scores_are_valid(seed, levels):
    score = np.random.default_rng(seed).integers(0, levels, (12, 15)).astype(np.float32)
    for staircase, contour in outlines(score, 1.0):
        assert contour.is_valid
        assert contour.area >= staircase.area / 2
        assert contour.within(staircase.buffer(0.5 + TOLERANCE + 1e-6, join_style="mitre"))


def test_a_disk_has_no_stairs():
    rows, cols = np.mgrid[0:80, 0:80] + 0.5
    score = (-np.hypot(rows - 40, cols - 40)).astype(np.float32)
    [(staircase, contour)] = outlines(score, -25.0)
    distance = [np.hypot(x - 40, y - 40) for x, y in points(contour.exterior, as_pairs=True)]
    assert np.ptp(distance) < 0.05
    assert contour.area == pytest.approx(np.pi * 25**2, rel=0.02)
    assert square_turns(staircase) > 50
    assert square_turns(contour) == 0


def test_the_border_of_the_scene_and_of_invalid_pixels_is_straight():
    score = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))
    score[20:] = np.nan
    [(_, contour)] = outlines(score, 0.5)
    crossing = 0.5 * 39 + 0.5  # cell centres hold index / 39
    expected = Polygon([(crossing, 0), (40, 0), (40, 20), (crossing, 20)])
    assert contour.symmetric_difference(expected).area < 1e-3
    assert len(contour.exterior.coords) == 5


def points(ring, as_pairs=False):
    from shapely import Point

    return list(ring.coords) if as_pairs else [Point(p) for p in ring.coords]


def square_turns(polygon):
    """Number of right-angled turns between steps of one cell."""
    steps = np.diff(np.asarray(polygon.exterior.coords), axis=0)
    turns = np.abs((steps[:-1] * steps[1:]).sum(axis=1)) < 1e-9
    short = (np.hypot(*steps.T) < 1.5)[:-1]
    return int(np.sum(turns & short))


@pytest.mark.parametrize(
    ("area", "text"),
    [
        (0.4, "0 m²"), (9_999, "9,999 m²"), (10_000, "1 ha"), (125_000, "12.5 ha"),
        (1e6, "1 km²"), (2_831_860_262, "2,832 km²"),
    ],
)  # fmt: skip
def test_areas_are_written_in_the_unit_that_reads_best(area, text):
    assert area_text(area) == text
