"""Retrieval and zero-shot scores: by hand, by brute force, and their rule for ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.encoders.base import unit
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import QueryError
from terraseek_train.evaluate.retrieval import recalls, retrieval_score
from terraseek_train.evaluate.zeroshot import class_name, class_weights, prompts, zeroshot_score


def brute(scores: np.ndarray, truth: list[np.ndarray], k: int) -> float:
    """A query is recalled if a true answer is in its sorted list's first k."""
    hits = 0
    for row, right in zip(scores.tolist(), truth, strict=True):
        ordered = sorted(range(len(row)), key=lambda j: (-row[j], j))
        hits += bool(set(ordered[:k]) & set(right.tolist()))
    return 100 * hits / len(truth)


def test_recalls_by_hand() -> None:
    scores = np.array([[0.9, 0.1, 0.2], [0.3, 0.2, 0.1], [0.5, 0.6, 0.4]])
    truth = [np.array([0]), np.array([1]), np.array([2])]
    assert recalls(scores, truth, (1, 2, 3)) == pytest.approx([100 / 3, 200 / 3, 100])


def test_ties_keep_their_order_so_that_a_constant_model_recalls_chance() -> None:
    scores = np.ones((4, 4))
    truth = [np.array([row]) for row in range(4)]
    assert recalls(scores, truth, (1, 3, 4)) == [25, 75, 100]


def test_equal_scores_among_true_answers_are_no_tie() -> None:
    assert recalls(np.array([[0.5, 0.5, 0.1]]), [np.array([0, 1])], (1,)) == [100]


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))
def test_recalls_equal_brute_force(seed: int, queries: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (queries, 7)) / 4  # coarse, so that ties are common
    truth = [rng.choice(7, rng.integers(1, 4), replace=False) for _ in range(queries)]
    assert recalls(scores, truth, (k,)) == pytest.approx([brute(scores, truth, k)])


@given(st.integers(0, 10_000))
def test_without_ties_recalls_do_not_depend_on_the_order_of_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(8.0), (5, 1)), axis=1)  # no ties
    truth = [rng.choice(8, 2, replace=False) for _ in range(5)]
    order = rng.permutation(8)
    back = np.argsort(order)
    moved = [back[right] for right in truth]
    assert recalls(scores[:, order], moved) == recalls(scores, truth)


def test_retrieval_score_of_a_perfect_and_of_a_shuffled_model() -> None:
    images = np.eye(12, dtype=np.float32)
    image_of = np.repeat(np.arange(12), 5)
    perfect = retrieval_score(images, images[image_of], image_of)
    assert (perfect.i2t_r1, perfect.t2i_r10, perfect.mR) == (100, 100, 100)
    assert (perfect.n_images, perfect.n_captions) == (12, 60)
    wrong = retrieval_score(images, images[(image_of + 1) % 12], image_of)
    assert (wrong.i2t_r1, wrong.t2i_r1) == (0, 0)


def test_mean_recall_is_the_mean_before_rounding() -> None:
    rng = np.random.default_rng(3)
    images = unit(rng.normal(size=(7, 4)).astype(np.float32))
    texts = unit(rng.normal(size=(21, 4)).astype(np.float32))
    image_of = np.repeat(np.arange(7), 3)
    score = retrieval_score(images, texts, image_of)
    there = recalls(images @ texts.T, [np.flatnonzero(image_of == i) for i in range(7)])
    back = recalls((images @ texts.T).T, [np.array([i]) for i in image_of])
    assert score.mR == round(float(np.mean(there + back)), 2)


def test_the_105_prompts_follow_their_rule() -> None:
    found = prompts("rs105")
    assert len(found) == len(set(found)) == 105
    assert all(frame.count("{}") == 1 for frame in found)
    assert "a remote sensing image of many {}." in found
    assert "an aerial image of the hard to see {}." in found
    assert "a black and white satellite image of a {}." in found
    assert "an aerial image of a weird {}." in found
    assert sum("aerial image" in frame for frame in found) == 35


def test_an_unknown_prompt_set_is_refused() -> None:
    with pytest.raises(QueryError, match="no prompt set 'imagenet'"):
        prompts("imagenet")


def test_class_names_keep_camel_case_together() -> None:
    assert class_name("AnnualCrop") == "annualcrop"
    assert class_name("river_lake/x") == "river lake x"


class LongRed(FakeEncoder):
    """Says "bad" sentences ten times as loud, so that normalising first would show."""

    def _encode_text_batch(self, texts):
        features = super()._encode_text_batch(texts)
        loud = np.array([10.0 if " bad " in text else 1.0 for text in texts], np.float32)
        return features * loud[:, None]


def test_class_weights_average_before_they_normalise() -> None:
    encoder = LongRed()
    names = ["red roof", "green field"]
    got = class_weights(encoder, names)
    for row, name in enumerate(names):
        features = encoder.encode_text_features([frame.format(name) for frame in prompts()])
        mean = features.mean(axis=0)
        np.testing.assert_allclose(got[row], mean / np.linalg.norm(mean), rtol=1e-5)
        normalised = unit(features).mean(axis=0)
        assert not np.allclose(got[row], normalised / np.linalg.norm(normalised), atol=1e-3)


def test_zeroshot_by_hand() -> None:
    weights = np.eye(3)
    images = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0], [0.7, 0.7, 0]])
    score = zeroshot_score(images, weights, np.array([0, 0, 1, 0]))
    assert score.top1 == 50  # the second is wrong, the fourth is a tie
    assert score.confusion.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert score.per_class[:2] == pytest.approx([100 / 3, 100])
    assert np.isnan(score.per_class[2])


def test_a_constant_model_is_right_about_nothing() -> None:
    score = zeroshot_score(np.ones((5, 2)), np.ones((2, 2)), np.array([0, 1, 0, 1, 1]))
    assert score.top1 == 0


def test_reversed_retrieval_reorders_the_first_answers():
    from terraseek_train.evaluate.retrieval import retrieve, sorted_after_reversed_retrieval

    scores = np.array([[0.9, 0.8, 0.1], [0.95, 0.2, 0.3], [0.0, 0.1, 0.2]])
    # answer 0 finds query 1 first and query 0 second; answer 1 finds query 0 first
    ranked = sorted_after_reversed_retrieval(scores, 2)
    assert np.argsort(-ranked, axis=1).tolist() == [[1, 0, 2], [0, 2, 1], [2, 1, 0]]
    same = sorted_after_reversed_retrieval(scores, 1)
    assert np.argsort(-same, axis=1).tolist() == np.argsort(-scores, axis=1).tolist()
    rng = np.random.default_rng(3)
    images = rng.normal(size=(9, 5))
    texts = np.repeat(images, 2, axis=0) + rng.normal(scale=0.8, size=(18, 5))
    images, texts = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (images, texts))
    image_of = np.repeat(np.arange(9), 2)
    plain, both = retrieve(images, texts, image_of), retrieve(images, texts, image_of, 5)
    assert plain.reranked is None
    assert both.score() == plain.score()
    # brute force: rank of the query among all queries, for each of the first five answers
    table = np.float32(images) @ np.float32(texts).T
    for row in range(9):
        first = np.argsort(-table[row], kind="stable")[:5]
        keys = [
            ((table[:, answer] > table[row, answer]).sum(), -table[row, answer], answer)
            for answer in first
        ]
        order = [answer for _, _, answer in sorted(keys)]
        hits = [place for place, answer in enumerate(order) if image_of[answer] == row]
        if hits:
            assert both.reranked.image_rank[row] == hits[0]
