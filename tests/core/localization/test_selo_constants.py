"""Results that move when a constant of the published SeLo methods or measures moves."""

import math

import numpy as np
import pytest

from helpers.rasters import write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.localization import LocalizeOptions, localize
from terraseek.localization.methods.selo_filters import (
    gaussian_filtered,
    median_filtered,
    quantised,
)
from terraseek.localization.methods.selo_stages import (
    best_windows,
    first_stage_lattice,
    lattice_of_boxes,
    second_stage_lattice,
    shuffled_wordings,
)
from terraseek.localization.metrics import candidate_peaks, selo_metrics
from terraseek.localization.windows.lattice import selo_v1_lattice
from terraseek.scenes import Scene


def test_version_1_has_the_published_number_of_windows_by_default():
    assert len(selo_v1_lattice(2000, 3000)) == 261


def test_the_first_stage_is_a_grid_of_512_pulled_back_at_the_end():
    windows = first_stage_lattice(1300, 1024).windows.tolist()
    starts = [(row, col) for row in (0, 512) for col in (0, 512, 788)]
    assert windows == [[row, col, row + 512, col + 512] for row, col in starts]


@pytest.mark.parametrize(("count", "kept"), [(100, 16), (40, 7), (20, 4), (6, 1), (1, 1)])
def test_the_best_15_percent_and_one_more_are_refined(count, kept):
    scores = np.random.default_rng(0).permutation(count).astype(np.float32)
    best = best_windows(scores)
    assert scores[best].tolist() == list(range(count - 1, count - 1 - kept, -1))


def test_nine_anchors_of_a_window_have_two_squares_each():
    window = lattice_of_boxes(4000, 4000, np.array([[1000, 2000, 1512, 2512]], np.int32))
    anchors = [(0, 0), (0, 512), (512, 0), (512, 512), (256, 256)]
    anchors += [(128, 128), (128, 384), (384, 128), (384, 384)]
    boxes = {
        (1000 + row - half, 2000 + col - half, 1000 + row + half, 2000 + col + half)
        for row, col in anchors
        for half in (64, 128)
    }
    found = second_stage_lattice(window, np.array([0], np.int32)).windows.tolist()
    assert {tuple(box) for box in found} == boxes
    assert len(found) == 18


def test_squares_at_the_border_of_a_scene_are_clipped():
    corner = lattice_of_boxes(600, 520, np.array([[0, 0, 512, 512]], np.int32))
    found = second_stage_lattice(corner, np.array([0], np.int32)).windows.tolist()
    assert [0, 0, 128, 128] in found  # the square of 256 around the corner
    assert [0, 0, 64, 64] in found
    assert [448, 448, 520, 576] in found


def test_a_sentence_stands_beside_four_orders_of_its_words():
    sentence = "one two three four five six seven eight"
    wordings = shuffled_wordings(sentence, 0)
    assert (len(wordings), wordings[0]) == (5, sentence)
    assert len(set(wordings)) == 5
    assert {" ".join(sorted(text.split())) for text in wordings} == {
        " ".join(sorted(sentence.split()))
    }


class NegatedEncoder(FakeEncoder):
    """All cosines are 0 or below."""

    def _encode_text_batch(self, texts):
        return -super()._encode_text_batch(texts)


@pytest.mark.parametrize("unvisited", ["zero", "neutral"])
def test_ground_that_version_2_does_not_visit_gets_zero_or_the_mean_of_the_first_stage(
    unvisited, tmp_path
):
    rgb = np.full((1536, 1536, 3), (230, 30, 30), np.uint8)
    rgb[:, 1024:] = (200, 150, 60)
    rgb[:512, :512] = (120, 140, 60)  # the least red: visited, and one window of the last column
    encoder = NegatedEncoder()
    with Scene.open(write_rgb(tmp_path / "scene.tif", rgb)) as scene:
        options = LocalizeOptions(method="selo-v2", unvisited=unvisited)
        heat = localize(scene, "red", encoder, options)
    crops = [rgb[r : r + 512, c : c + 512] for r in (0, 512, 1024) for c in (0, 512, 1024)]
    cosines = encoder.encode_images(crops) @ encoder.encode_texts(["red"])[0]
    assert abs(np.mean(cosines) - np.median(cosines)) > 0.02
    expected = 0.0 if unvisited == "zero" else float(np.mean(cosines))
    step = (heat.high - heat.low) / 255
    # beyond the reach of the filter and of the squares around the visited windows
    assert heat.score[1400, 100] == pytest.approx(expected, abs=max(2 * step, 0.01))


def test_the_gaussian_of_version_2_has_the_sigma_and_reach_of_255_pixels():
    edge = np.zeros((300, 800), np.uint8)
    edge[:, 400:] = 255
    row = gaussian_filtered(edge)[150]
    sigma = 0.3 * ((255 - 1) * 0.5 - 1) + 0.8  # OpenCV's rule; 38.6
    for away in (20, 39, 77):
        share = 0.5 * (1 + math.erf((away + 0.5) / sigma / math.sqrt(2)))
        assert row[400 + away] == pytest.approx(255 * share, abs=2)
        assert row[399 - away] == pytest.approx(255 * (1 - share), abs=2)


@pytest.mark.parametrize(("width", "level"), [(125, 0), (126, 200)])
def test_the_median_of_version_1_erases_what_is_less_than_half_of_251_pixels(width, level):
    stripe = np.zeros((300, 700), np.uint8)
    stripe[:, 300 : 300 + width] = 200
    assert median_filtered(stripe)[150, 300 + width // 2] == level


def test_levels_are_truncated_to_8_bits():
    assert quantised(np.array([[0.0, 0.5, 1.0]], np.float32)).tolist() == [[0, 127, 255]]


def box_filtered_ramp(values, side, times):
    for _ in range(times):
        values = np.convolve(values, np.ones(side) / side, mode="same")
    return values


def test_a_peak_moves_off_an_edge_by_five_box_filters_of_50_pixels():
    ramp = np.zeros(1600)
    ramp[500:1100] = np.arange(600) / 600
    prob = np.tile(np.floor(255 * ramp).astype(np.uint8) / 255, (700, 1))
    ((x, _),) = candidate_peaks(prob)
    at = {
        (side, times): int(box_filtered_ramp(ramp, side, times).argmax())
        for side, times in ((50, 5), (50, 4), (50, 6), (44, 5), (56, 5))
    }
    here = at.pop((50, 5))
    others = [abs(place - here) for place in at.values()]
    assert abs(x - here) < min(others) / 2 + 1


@pytest.mark.parametrize(("apart", "peaks"), [(515, 1), (535, 2)])
def test_a_peak_is_the_highest_within_500_pixels(apart, peaks):
    # smoothed, the higher spot falls to the height of the lower one after some 24 pixels
    rows, cols = np.mgrid[:700, :1600]

    def spot(x, height):
        return height * np.exp(-((cols - x) ** 2 + (rows - 350) ** 2) / (2 * 40**2))

    prob = np.floor(255 * np.maximum(spot(500, 1.0), spot(500 + apart, 0.9))) / 255
    assert len(candidate_peaks(prob)) == peaks


def test_a_map_that_is_zero_outside_divides_by_a_ten_millionth():
    prob = np.zeros((1000, 1000))
    prob[500, 500] = 1 / 255
    # all but the 21 pixels of one corner
    region = [[0, 0], [999, 0], [999, 999], [6, 999], [0, 993]]
    ratio = (1 / 255) / 1e-7 * 21 / (1_000_000 - 21)
    assert selo_metrics(prob, [region]).rsu == pytest.approx(1 - math.exp(-0.707 * ratio))
