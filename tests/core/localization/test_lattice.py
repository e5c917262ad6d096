"""The lattices, and the mean of windows, against a literal slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.errors import LatticeError
from terraseek.localization.windows.fields import NodeField, mean_field, mean_of_windows, node_field
from terraseek.localization.windows.lattice import half_stride_lattice, selo_v1_lattice

SETS = ((256, 512, 768), (128, 256), (512, 768), (128, 256, 512, 768))


@pytest.mark.parametrize(
    ("rows", "cols", "counts"),
    [
        (3000, 2000, (261, 942, 70, 1012)),
        (2048, 2048, (175, 638, 48, 686)),
        (10000, 10001, (4283, 15444, 1163, 16607)),
    ],
)
def test_published_window_counts(rows, cols, counts):
    assert tuple(len(selo_v1_lattice(cols, rows, scales)) for scales in SETS) == counts


def reference_windows(rows, cols, scales):
    """The published double loop, with clipping for scenes smaller than a window."""
    found = set()
    for s in scales:
        for gap in (s, s // 2):
            r = s - gap
            while r < rows:
                c = s - gap
                while c < cols:
                    r0 = r if r + s < rows else rows - s
                    c0 = c if c + s < cols else cols - s
                    r0, c0 = max(r0, 0), max(c0, 0)
                    found.add((r0, c0, min(r0 + s, rows), min(c0 + s, cols)))
                    c += s
                r += s
    return found


def reference_mean(rows, cols, windows, scores):
    """Mean score over the windows that cover each pixel, pixel by pixel."""
    total, count = np.zeros((rows, cols)), np.zeros((rows, cols))
    for (r0, c0, r1, c1), score in zip(windows.tolist(), scores.tolist(), strict=True):
        for r in range(r0, r1):
            for c in range(c0, c1):
                total[r, c] += score
                count[r, c] += 1
    return total / count


sizes = st.integers(1, 90)
sides = st.lists(st.integers(2, 40), min_size=1, max_size=3).map(tuple)


@settings(deadline=None, max_examples=40)
@given(rows=sizes, cols=sizes, scales=sides)
def test_lattice_equals_the_published_loop(rows, cols, scales):
    lattice = selo_v1_lattice(cols, rows, scales)
    assert {tuple(w) for w in lattice.windows.tolist()} == reference_windows(rows, cols, scales)
    assert (np.diff(lattice.windows[:, 0]) >= 0).all()


@settings(deadline=None, max_examples=25)
@given(rows=sizes, cols=sizes, scales=sides, seed=st.integers(0, 99))
def test_fast_mean_equals_the_pixel_loop(rows, cols, scales, seed):
    lattice = selo_v1_lattice(cols, rows, scales)
    scores = np.random.default_rng(seed).uniform(-1, 1, len(lattice)).astype(np.float32)
    drawn = mean_of_windows(lattice, scores).sample(np.arange(rows) + 0.5, np.arange(cols) + 0.5)
    slow = reference_mean(rows, cols, lattice.windows, scores)
    np.testing.assert_allclose(drawn, slow, atol=1e-5)


def test_windows_without_a_score_are_left_out():
    lattice = selo_v1_lattice(64, 64, (32,))
    scores = np.arange(len(lattice), dtype=np.float32)
    gone = lattice.windows[:, 0] < 16
    drawn = mean_of_windows(lattice, np.where(gone, np.float32(np.nan), scores))
    values = drawn.sample(np.array([1.0, 40.0]), np.array([1.0, 40.0]))
    assert np.isnan(values[0, 0])
    assert np.isfinite(values[1, 1])


@settings(deadline=None, max_examples=40)
@given(rows=sizes, cols=sizes, scales=sides)
def test_half_stride_windows_cover_every_pixel_and_stay_inside(rows, cols, scales):
    lattice = half_stride_lattice(cols, rows, scales)
    covered = np.zeros((rows, cols), bool)
    for r0, c0, r1, c1 in lattice.windows.tolist():
        assert 0 <= r0 < r1 <= rows
        assert 0 <= c0 < c1 <= cols
        covered[r0:r1, c0:c1] = True
    assert covered.all()
    assert len(np.unique(lattice.windows, axis=0)) == len(lattice)


def test_half_stride_count():
    assert len(half_stride_lattice(512, 512, (256,))) == 9
    assert len(half_stride_lattice(600, 256, (256,))) == 4  # starts 0, 128, 256, 344


@pytest.mark.parametrize(
    ("scales", "match"), [((), "no window side"), ((1, 64), "below 2"), ((2,), "larger sides")]
)
def test_invalid_scales(scales, match):
    with pytest.raises(LatticeError, match=match):
        half_stride_lattice(20_000, 20_000, scales)


def test_digest_differs_between_lattices():
    one, other = selo_v1_lattice(100, 90, (32,)), selo_v1_lattice(90, 100, (32,))
    assert one.digest == selo_v1_lattice(100, 90, (32,)).digest
    assert one.digest != other.digest


def slow_bilinear(field, row, col):
    """Tent weights around each node with a score, computed literally."""

    def weights(nodes, x):
        x = min(max(x, nodes[0]), nodes[-1])
        return [max(0.0, np.interp(x, nodes, np.eye(len(nodes))[i])) for i in range(len(nodes))]

    total = weight = 0.0
    for i, wr in enumerate(weights(field.node_rows, row)):
        for j, wc in enumerate(weights(field.node_cols, col)):
            if np.isfinite(field.values[i, j]):
                total += wr * wc * field.values[i, j]
                weight += wr * wc
    return total / weight if weight > 1e-3 else np.nan


def some_field(seed, rows=4, cols=5, holes=True):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (rows, cols)).astype(np.float32)
    if holes:
        values[rng.random((rows, cols)) < 0.3] = np.nan
    return NodeField(
        np.sort(rng.choice(100, rows, replace=False)).astype(float),
        np.sort(rng.choice(100, cols, replace=False)).astype(float),
        values,
    )


@pytest.mark.parametrize("seed", range(4))
def test_node_field_is_bilinear_around_holes(seed):
    field = some_field(seed)
    rows, cols = np.arange(0.5, 100, 9.7), np.arange(0.5, 100, 7.3)
    slow = [[slow_bilinear(field, r, c) for c in cols] for r in rows]
    np.testing.assert_allclose(field.sample(rows, cols), slow, atol=1e-5)


def test_mean_field_is_the_mean_of_its_parts():
    parts = [some_field(seed, holes=False) for seed in (1, 2, 3)]
    rows, cols = np.arange(0.5, 100, 3.1), np.arange(0.5, 100, 4.7)
    weights = [1.0, 2.0, 0.5]
    apart = np.average([part.sample(rows, cols) for part in parts], axis=0, weights=weights)
    np.testing.assert_allclose(mean_field(parts, weights).sample(rows, cols), apart, atol=1e-5)


def test_scores_sit_at_window_centres():
    lattice = half_stride_lattice(200, 128, (64,))
    scores = np.arange(len(lattice), dtype=np.float32)
    field = node_field(lattice, scores, 64)
    for (r0, c0, r1, c1), score in zip(lattice.windows.tolist(), scores, strict=True):
        drawn = field.sample(np.array([(r0 + r1) / 2]), np.array([(c0 + c1) / 2]))
        assert drawn[0, 0] == pytest.approx(score, abs=1e-4)


def test_one_window_is_a_constant_map():
    lattice = half_stride_lattice(50, 40, (64,))
    field = node_field(lattice, np.array([0.25], np.float32), 64)
    assert (field.sample(np.arange(40) + 0.5, np.arange(50) + 0.5) == np.float32(0.25)).all()
