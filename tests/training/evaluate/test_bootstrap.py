"""Intervals and paired differences: by hand, by slow loops, and against the theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek_train.evaluate.bootstrap import UnitSums, intervals, paired
from terraseek_train.evaluate.report import Result, comparison, comparison_lines, figure
from terraseek_train.evaluate.retrieval import retrieve
from terraseek_train.evaluate.zeroshot import zeroshot_score


def unit_sums(values: np.ndarray) -> UnitSums:
    return UnitSums.means(("x",), np.asarray(values, np.float64).reshape(-1, 1))


def test_the_interval_of_a_mean_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = intervals(unit_sums(values), resamples=4000)["x"]
    assert found is not None
    error = values.std() / np.sqrt(400)
    expected = (values.mean() - 1.96 * error, values.mean() + 1.96 * error)
    assert found == pytest.approx(expected, abs=0.1 * error)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        ends = intervals(unit_sums(rng.random(150) < 0.3), resamples=400, seed=trial)["x"]
        assert ends is not None
        inside += ends[0] <= 0.3 <= ends[1]
    assert 0.9 < inside / 200 < 0.99


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    values = unit_sums(np.random.default_rng(2).random(50))
    assert intervals(values, seed=3) == intervals(values, seed=3) != intervals(values, seed=4)


def test_blocks_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = unit_sums(np.random.default_rng(2).random(50))
    whole = intervals(values, resamples=300)
    monkeypatch.setattr("terraseek_train.evaluate.bootstrap._BLOCK_COUNTS", 50 * 7)
    assert intervals(values, resamples=300) == whole


def test_nothing_can_be_drawn_from_one_unit() -> None:
    one = unit_sums(np.array([0.5]))
    assert intervals(one) == {"x": None}
    assert paired(one, one)["x"].interval is None


def test_grouped_rows_are_drawn_together() -> None:
    """Ten copies of a row in a group say no more than one, so the interval must not shrink."""
    values = np.random.default_rng(4).random(20)
    names = [str(k) for k in range(20)]
    once = UnitSums.grouped(("x",), values[:, None], names)
    often = UnitSums.grouped(("x",), np.repeat(values, 10)[:, None], list(np.repeat(names, 10)))
    assert intervals(once)["x"] == pytest.approx(intervals(often)["x"])
    assert often.numbers() == pytest.approx([values.mean()])


def test_ratios_of_sums_are_resampled_as_ratios() -> None:
    """Against a loop over the same kind of draws; units weigh differently."""
    rng = np.random.default_rng(5)
    bottom = rng.integers(1, 6, 30).astype(float)
    top = bottom * rng.random(30)
    found = intervals(UnitSums(("x",), top[:, None], bottom[:, None], np.eye(1)), resamples=4000)[
        "x"
    ]
    loop = []
    for _ in range(4000):
        drawn = rng.integers(0, 30, 30)
        loop.append(top[drawn].sum() / bottom[drawn].sum())
    assert found == pytest.approx(np.percentile(loop, [2.5, 97.5]), abs=0.015)


@given(st.integers(0, 10_000), st.integers(2, 7))
def test_few_units_try_all_signs(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (2, units)) / 4
    gaps, reached = (b - a).tolist(), abs((b - a).sum()) - 1e-12
    worlds = 0
    for pattern in range(1 << units):
        total = sum(-gap if pattern >> k & 1 else gap for k, gap in enumerate(gaps))
        worlds += abs(total) >= reached
    found = paired(unit_sums(a), unit_sums(b))["x"]
    assert found.p == pytest.approx(worlds / (1 << units))
    assert found.value == pytest.approx((b - a).mean())


def test_pairing_sees_what_two_intervals_cannot() -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(0, 10, 300)
    b = a + rng.normal(0.3, 0.5, 300)  # hard and easy units are shared, so the gap is certain
    found = paired(unit_sums(a), unit_sums(b))["x"]
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p < 0.01
    ends = intervals(unit_sums(a))["x"]
    assert ends is not None
    assert ends[0] < b.mean() < ends[1]


def test_p_is_even_when_the_models_are_exchangeable() -> None:
    rng = np.random.default_rng(7)
    found = [
        paired(*(unit_sums(rng.random(40)) for _ in "ab"), resamples=2, seed=k)["x"].p
        for k in range(60)
    ]
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) < 0.1) < 0.3


def test_swapping_the_models_mirrors_the_difference() -> None:
    a, b = (unit_sums(v) for v in np.random.default_rng(8).random((2, 60)))
    there, back = paired(a, b)["x"], paired(b, a)["x"]
    assert there.value == -back.value
    assert there.p == back.p
    assert there.interval is not None
    assert there.interval == pytest.approx([-end for end in reversed(back.interval or (0, 0))])


def test_different_units_are_not_paired() -> None:
    with pytest.raises(ValueError, match="not measured on the same units"):
        paired(unit_sums(np.zeros(3)), unit_sums(np.zeros(4)))


def vectors(seed: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images and captions that lie `noise` away from their image, 1 to 5 an image."""
    rng = np.random.default_rng(seed)
    images = np.random.default_rng(0).normal(size=(60, 16))
    image_of = np.repeat(np.arange(60), rng.permutation(60) % 5 + 1)
    texts = images[image_of] + rng.normal(0, noise, (len(image_of), 16))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts)]
    return unit[0].astype(np.float32), unit[1].astype(np.float32), image_of


def test_retrieval_intervals_hold_their_numbers() -> None:
    found = retrieve(*vectors(1, 1.5))
    score = found.score()
    for name, ends in intervals(found.unit_sums()).items():
        assert ends is not None
        assert ends[0] < getattr(score, name) < ends[1], name


def test_an_image_is_drawn_with_its_captions() -> None:
    """A resample by hand, through the images and captions themselves, equals the unit sums."""
    images, texts, image_of = vectors(2, 1.5)
    found = retrieve(images, texts, image_of)
    drawn = np.random.default_rng(3).integers(0, 60, 60)
    rows = found.unit_sums()
    top = rows.numerators[drawn].sum(axis=0)
    bottom = rows.denominators[drawn].sum(axis=0)
    place = np.concatenate([found.caption_rank[image_of == k] for k in drawn])
    assert (top / bottom)[:3] == pytest.approx(
        [100 * np.mean(found.image_rank[drawn] < k) for k in (1, 5, 10)]
    )
    assert (top / bottom)[3:] == pytest.approx([100 * np.mean(place < k) for k in (1, 5, 10)])
    assert ((top / bottom) @ rows.combine)[6] == pytest.approx(np.mean(top / bottom))


def test_an_image_without_captions_is_a_candidate_but_no_query() -> None:
    images = np.eye(3, dtype=np.float32)
    texts = images[[0, 0, 2]]
    found = retrieve(images, texts, np.array([0, 0, 2]))
    assert found.image_rank.tolist() == [0, -1, 0]
    assert found.score().i2t_r1 == found.score().t2i_r1 == 100
    assert found.score().n_images == 3
    found = retrieve(images, images[[1, 1, 2]], np.array([0, 0, 2]))
    assert found.score().t2i_r1 == pytest.approx(33.33)


def test_two_models_side_by_side() -> None:
    images, texts, image_of = vectors(4, 0.8)
    worse = texts + np.random.default_rng(5).normal(0, 0.4, texts.shape).astype(np.float32)
    results = []
    for name, vectors_of_texts in (("good", texts), ("worse", worse)):
        found = retrieve(images, vectors_of_texts, image_of)
        results.append(Result(name, {"mR": found.score().mR}, (found.unit_sums(),)))
    whole = comparison(*results, digits=2)
    assert whole["models"] == ["good", "worse"]
    gap = whole["difference"]["mR"]
    assert gap["value"] == pytest.approx(whole["b"]["mR"] - whole["a"]["mR"], abs=0.02)
    assert gap["interval"][0] <= gap["value"] <= gap["interval"][1] < 0
    assert gap["p"] < 0.01
    only = UnitSums.means(("mR",), np.zeros((4, 1)))
    lines = comparison_lines(
        *(Result(name, {"mR": 0.0}, (only,)) for name in ("m1", "m2")), {"mR": "mean"}
    )
    assert lines[0].split() == ["A", "m1", "B", "m2", "B", "-", "A", "p"]
    assert lines[1].split() == [
        "mean", *("0.00", "[0.0,", "0.0]") * 2, "+0.00", "[0.0,", "0.0]", "1.0000"
    ]  # fmt: skip


def test_zeroshot_images_are_the_units() -> None:
    images = np.eye(3)[[0, 1, 2, 0]]
    score = zeroshot_score(images, np.eye(3), np.array([0, 1, 0, 1]))
    assert score.right.tolist() == [True, True, False, False]
    assert score.unit_sums().numbers() == pytest.approx([score.top1])


def test_a_number_is_written_with_its_interval() -> None:
    assert figure(11.111, (10.2345, 12.04)) == "11.11 [10.2, 12.0]"
    assert figure(0.76543, (0.7, 0.8), 4) == "0.7654 [0.700, 0.800]"
    assert figure(5, None) == "5.00"
