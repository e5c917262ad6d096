"""The median filter of an image of grid cells equals that of its pixels exactly."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.localization.methods import cell_median, selo_filters
from terraseek.localization.methods.cell_median import is_faster, median_of_cells
from terraseek.localization.windows.cell_image import CellImage
from terraseek.localization.windows.fields import CellField

edges = st.lists(st.integers(1, 300), min_size=1, max_size=7, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    rows=edges,
    cols=edges,
    side=st.sampled_from([1, 3, 9, 63, 101, 251]),
    max_value=st.sampled_from([0, 1, 4, 255]),
    seed=st.integers(0, 999),
)
def test_it_equals_filtering_the_pixels(rows, cols, side, max_value, seed):
    bounds = [np.array([0, *sorted(one)]) for one in (rows, cols)]
    shape = tuple(len(one) - 1 for one in bounds)
    values = np.random.default_rng(seed).integers(0, max_value + 1, shape).astype(np.uint8)
    cells = CellImage(values, *bounds)
    expected = cv2.medianBlur(cells.pixels(), side)
    np.testing.assert_array_equal(median_of_cells(cells, side), expected)


def random_cells(step, count):
    bounds = np.arange(count + 1) * step
    values = np.random.default_rng(1).integers(0, 256, (count, count)).astype(np.uint8)
    return CellImage(values, bounds, bounds)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_cells_of_half_a_window_as_in_the_published_lattice(count):
    cells = random_cells(128, count)
    expected = cv2.medianBlur(cells.pixels(), selo_filters.MEDIAN_SIDE)
    np.testing.assert_array_equal(median_of_cells(cells, selo_filters.MEDIAN_SIDE), expected)


@pytest.mark.parametrize(
    ("step", "cores", "expected"), [(128, 2, True), (10, 2, False), (128, 16, False)]
)
def test_adding_areas_is_faster_for_large_cells_and_few_cores(step, cores, expected, monkeypatch):
    monkeypatch.setattr(cell_median, "available_cores", lambda: cores)
    assert is_faster(random_cells(step, 6), selo_filters.MEDIAN_SIDE) is expected


@pytest.mark.parametrize("cores", [2, 16])
def test_both_algorithms_give_the_same_map(cores, monkeypatch):
    monkeypatch.setattr(cell_median, "available_cores", lambda: cores)
    cells = random_cells(70, 9)
    expected = cv2.medianBlur(cells.pixels(), 127)
    np.testing.assert_array_equal(selo_filters.median_filtered_cells(cells, 2), expected)


def test_an_image_of_a_field_has_the_cells_that_positions_fall_into():
    field = CellField(
        np.array([0.0, 4, 4.2, 10]), np.array([0.0, 3, 10]), np.zeros((3, 2), np.float32)
    )
    table = np.arange(6, dtype=np.uint8).reshape(3, 2)
    positions = np.arange(5) * 2 + 1.0
    cells = field.to_image(table, positions, positions)
    assert cells.values.tolist() == [[0, 1], [4, 5]]  # nothing falls between 4 and 4.2
    assert cells.row_bounds.tolist() == [0, 2, 5]
    assert cells.col_bounds.tolist() == [0, 1, 5]
    assert cells.pixels().shape == (5, 5)
    assert cells.pixels()[1, 0] == 0
    assert cells.pixels()[2, 4] == 5
