import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.files import write_json
from terraseek.review import (
    Review,
    ReviewLog,
    gwet_ac2,
    krippendorff_alpha,
    quadratic_kappa,
    review_stats,
)
from terraseek.review.agreement import _gwet

NAN = np.nan
# four observers, twelve units, from Krippendorff, "Computing Krippendorff's Alpha-Reliability"
# (2011), section C; published: nominal 0.743, ordinal 0.815, interval 0.849
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def test_alpha_equals_the_published_value() -> None:
    assert krippendorff_alpha(OBSERVERS) == pytest.approx(0.815, abs=5e-4)


def test_gwet_with_identity_weights_equals_the_published_ac1() -> None:
    # the same table in Gwet's Handbook (2014) and irrCAC's `cac.raw4raters`: AC1 0.77544
    assert _gwet(OBSERVERS, np.eye(5)) == pytest.approx(0.77544, abs=1e-5)


def test_kappa_by_hand() -> None:
    # differences 0, 0, 1, 1: mean square 0.5; all pairs of 1 1 2 2 with 1 1 3 1 are
    # 0 0 4 0 | 0 0 4 0 | 1 1 1 1 | 1 1 1 1, mean 16/16 = 1; kappa = 1 - 0.5/1
    table = np.array([[1.0, 1, 2, 2], [1, 1, 3, 1]])
    assert quadratic_kappa(table) == pytest.approx(0.5)


def test_ac2_by_hand() -> None:
    # items (5,5), (5,5), (5,4): observed (1 + 1 + 15/16) / 3 = 47/48; use of 5 is 5/6, of 4 1/6;
    # weights sum to 5 + 8*15/16 + 6*3/4 + 4*7/16 = 18.75; chance 18.75/20 * 2 * 5/36 = 0.2604166...
    chance = 18.75 / 20 * 2 * 5 / 36
    expected = (47 / 48 - chance) / (1 - chance)
    assert gwet_ac2(np.array([[5.0, 5, 5], [5, 5, 4]])) == pytest.approx(expected)


def test_only_ac2_stays_high_when_nearly_all_scores_are_five() -> None:
    one, other = np.full(50, 5.0), np.full(50, 5.0)
    one[0], other[1] = 4, 4
    table = np.stack([one, other])
    assert gwet_ac2(table) > 0.99
    assert quadratic_kappa(table) < 0.01
    assert krippendorff_alpha(table) < 0.01


@given(st.lists(st.integers(1, 5), min_size=2, max_size=30).filter(lambda s: len(set(s)) > 1))
def test_perfect_agreement_gives_one(scores: list[int]) -> None:
    table = np.array([scores, scores], float)
    for coefficient in (krippendorff_alpha, quadratic_kappa, gwet_ac2):
        assert coefficient(table) == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=20))
def test_the_order_of_raters_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    table = np.array(pairs, float).T
    for coefficient in (krippendorff_alpha, quadratic_kappa, gwet_ac2):
        assert coefficient(table) == pytest.approx(coefficient(table[::-1]), nan_ok=True)


@pytest.mark.parametrize("coefficient", [krippendorff_alpha, quadratic_kappa, gwet_ac2])
def test_without_common_items_agreement_is_undefined(coefficient) -> None:
    assert np.isnan(coefficient(np.array([[1.0, NAN], [NAN, 2.0]])))
    assert np.isnan(coefficient(np.empty((0, 0))))


def test_statistics_of_a_log(tmp_path: Path) -> None:
    write_json(tmp_path / "catalogue.json", {})
    log = ReviewLog.open(tmp_path)
    for rater, scores in (("Ana", (1, 1, 2, 2)), ("Bea", (1, 1, 3, 1))):
        for number, value in enumerate(scores):
            item = {"item_id": f"i{number}", "rater": rater, "scores": {"fluency": value}}
            times = {"started_at": "2026-01-01T00:00:00", "submitted_at": "2026-01-01T00:00:04"}
            log.append(Review(action="rate", flags=("lost_degree",), **item, **times))
    stats = review_stats(log)
    assert stats["reviews"] == 8
    assert stats["items"] == 4
    assert stats["flags"] == {"lost_degree": 8}
    fluency = stats["criteria"]["fluency"]
    assert fluency["levels"] == {"1": 5, "2": 2, "3": 1, "4": 0, "5": 0}
    assert fluency["mean"] == 1.5
    assert fluency["quadratic_kappa"] == 0.5
    assert fluency["items_with_two_raters"] == 4
    assert stats["criteria"]["hallucination"]["mean"] is None
    assert [r["median_seconds"] for r in stats["raters"]] == [4.0, 4.0]
    assert stats["not_in_catalogue"] == 0
    log.append(Review(action="rate", item_id="x", rater="Cem", scores={"fluency": 5}))
    within = review_stats(log, ["i0", "i1", "i2", "i3"])
    assert (within["reviews"], within["not_in_catalogue"]) == (8, 1)
    assert [r["rater"] for r in within["raters"]] == ["Ana", "Bea"]
    assert within["criteria"]["fluency"] == fluency
    json.dumps(stats, allow_nan=False)
