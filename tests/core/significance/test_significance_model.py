"""Significance: evidence from vectors, levels from evidence, and the promised error rate."""

import dataclasses
import json

import numpy as np
import pytest

from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import ConfigError
from terraseek.significance import reference
from terraseek.significance.assess import assess
from terraseek.significance.evidence import Evidence, PairCosines, QueryVectors, evidence
from terraseek.significance.fit import KnownQuery, conformal_threshold, fit_model
from terraseek.significance.model import DEFAULTS, LEVELS, SignificanceModel, model_of
from terraseek.significance.readable import readable
from terraseek.significance.reference import ReferenceTexts, reference_texts

DIM = 24


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def world() -> tuple[np.ndarray, ReferenceTexts]:
    """Images in six clusters around the first axes, captions of all of them, and other texts."""
    rng = np.random.default_rng(0)
    axes = np.eye(DIM)
    images = np.concatenate([axes[i] + 0.12 * rng.normal(size=(40, DIM)) for i in range(6)])
    captions = np.concatenate([axes[i] + 0.15 * rng.normal(size=(12, DIM)) for i in range(10)])
    other = np.concatenate([axes[12 + i] + 0.15 * rng.normal(size=(12, DIM)) for i in range(6)])
    return unit(images), ReferenceTexts(unit(captions), unit(other))


def found(images: np.ndarray, references: ReferenceTexts, query: QueryVectors) -> Evidence:
    scores = images @ query.combined(query.text[None])[0]
    hits = images[np.argsort(-scores, kind="stable")[:20]]
    return evidence(query, hits, references, PairCosines.of(images))


def test_evidence_of_what_is_there_exceeds_that_of_what_is_not(world):
    images, references = world
    rng = np.random.default_rng(1)
    axes = np.eye(DIM, dtype=np.float32)
    present = [found(images, references, QueryVectors(axes[i])) for i in range(6)]
    absent = [found(images, references, QueryVectors(axes[i])) for i in range(6, 10)]
    other = [found(images, references, QueryVectors(axes[i])) for i in range(12, 18)]
    noise = [found(images, references, QueryVectors(v)) for v in unit(rng.normal(size=(20, DIM)))]
    assert min(e.fit for e in present) > max(e.fit for e in absent + other + noise)
    assert min(e.agreement for e in present) > max(e.agreement for e in absent + other)
    assert min(e.wording for e in present + absent) > 0.7 > 0.3 > max(e.wording for e in other)


def test_evidence_does_not_depend_on_the_scale_of_cosines(world):
    images, references = world
    query = np.eye(DIM, dtype=np.float32)[0]
    plain = found(images, references, QueryVectors(query))
    # a constant direction, as CLIP's text vectors have, raises all cosines alike
    lifted = [
        unit(np.concatenate([rows, np.ones((len(rows), 1))], axis=1))
        for rows in (images, references.overhead, references.other, query[None])
    ]
    other = found(lifted[0], ReferenceTexts(lifted[1], lifted[2]), QueryVectors(lifted[3][0]))
    assert other.fit == pytest.approx(plain.fit, rel=0.05)
    assert other.agreement == pytest.approx(plain.agreement, rel=0.1)
    assert other.wording == pytest.approx(plain.wording, abs=0.25)


def test_a_subtracted_part_is_subtracted_from_the_reference_sentences_too(world):
    images, references = world
    axes = np.eye(DIM, dtype=np.float32)
    same = QueryVectors(axes[0], 1.0, -0.5 * axes[1])
    assert found(images, references, same).fit > 2
    # the wanted sentence is absent: what remains is only the subtraction
    absent = QueryVectors(axes[8], 1.0, -0.5 * axes[1])
    assert found(images, references, absent).fit < 1


def test_a_single_image_and_identical_images_have_finite_evidence(world):
    images, references = world
    query = QueryVectors(np.eye(DIM, dtype=np.float32)[0])
    alone = evidence(query, images[:1], references, PairCosines.of(images[:1]))
    assert alone.agreement == 0
    assert np.isfinite([alone.fit, *alone.hit_fit, *alone.hit_agreement]).all()
    equal = np.repeat(images[:1], 30, axis=0)
    assert np.isfinite(evidence(query, equal, references, PairCosines.of(equal)).agreement)


def known(kind: str, shift: float, rng: np.random.Generator) -> KnownQuery:
    values = rng.normal(shift, 1.0, 3)
    hits = Evidence(*map(float, values), rng.normal(shift, 1, 12), rng.normal(shift, 1, 12))
    right = np.full(12, 1.0 if kind == "present" else 0.0)
    right[9:] = 0
    return KnownQuery(hits, kind, right)


def test_likely_is_reached_by_at_most_the_promised_share_of_further_queries():
    rng = np.random.default_rng(3)
    kinds = [("present", 2.0), *[("absent", 0.0)] * 2, ("absurd", -1.0)]
    learnt = [known(kind, shift, rng) for kind, shift in kinds * 100]
    model = fit_model(learnt)
    further = [known("absent", 0.0, rng) for _ in range(1500)]
    further += [known("absurd", -1.0, rng) for _ in range(750)]
    levels = [model.assess(query.evidence).level for query in further]
    assert 0.02 < levels.count("likely") / len(levels) < 0.09
    assert 0.12 < (len(levels) - levels.count("none")) / len(levels) < 0.28
    present = [model.assess(known("present", 2.0, rng).evidence).level for _ in range(400)]
    assert present.count("likely") > 300
    assert SignificanceModel.read(json.loads(json.dumps(model.to_json()))).likely_from == (
        pytest.approx(model.likely_from, abs=1e-4)
    )


def test_probabilities_of_hits_add_up_to_the_number_of_right_ones():
    rng = np.random.default_rng(4)
    kinds = [("present", 2.0), ("absent", 0.0)]
    model = fit_model([known(kind, shift, rng) for kind, shift in kinds * 150])
    further = [known("present", 2.0, rng) for _ in range(200)]
    expected = sum(model.assess(query.evidence).probabilities.sum() for query in further)
    assert expected == pytest.approx(sum(query.right.sum() for query in further), rel=0.2)


def test_no_hit_is_above_its_query():
    rng = np.random.default_rng(5)
    model = dataclasses.replace(
        DEFAULTS["search"], likely_from=2.0, possible_from=1.0, hit_intercept=3.0
    )
    for _ in range(200):
        assessed = model.assess(known("present", 1.5, rng).evidence)
        lowest = LEVELS.index(assessed.level)
        assert all(LEVELS.index(level) >= lowest for level in assessed.levels)
    unread = model.assess(known("present", 9.0, rng).evidence, readable=False)
    assert (unread.level, set(unread.levels), unread.probabilities.max()) == ("none", {"none"}, 0)


def test_conformal_thresholds_by_hand():
    assert conformal_threshold(np.arange(19.0), 0.05) == pytest.approx(18)
    assert conformal_threshold(np.arange(99.0), 0.2) == pytest.approx(79)
    with pytest.raises(ConfigError, match="20 are needed"):
        conformal_threshold(np.arange(10.0), 0.05)


def test_too_few_queries_are_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(ConfigError, match="at least 10 of each"):
        fit_model([known("present", 1.0, rng), known("absent", 0.0, rng)])


def test_cards_decide_whether_and_how_significance_is_known():
    card = get_card("terraseek-tiny")
    assert model_of(None, "search") is None
    assert model_of(dataclasses.replace(card, calibration=None), "search") is None
    background = {"mean": 0.1, "std": 0.05}
    plain = dataclasses.replace(card, calibration=background)
    assert model_of(plain, "search") == DEFAULTS["search"]
    assert model_of(plain, "scene") == DEFAULTS["scene"]
    model = dataclasses.replace(DEFAULTS["search"], fit=7.0)
    own = dataclasses.replace(
        card, calibration=background | {"significance": {"search": model.to_json()}}
    )
    assert model_of(own, "search") == model
    assert model_of(own, "scene") == DEFAULTS["scene"]
    values = model.to_json()
    for wrong in ({"fit": 1.0}, values | {"fit": "x"}, values | {"fit": float("nan")}, []):
        calibration = background | {"significance": {"search": wrong}}
        with pytest.raises(ConfigError, match="significance in the model card"):
            model_of(dataclasses.replace(card, calibration=calibration), "search")


@pytest.mark.parametrize(
    ("text", "languages", "expected"),
    [
        ("an airport", ("en",), True),
        ("aéroport à Lyon", ("en",), True),
        ("مطار", ("en",), False),
        ("🏖️🌊", ("en",), False),
        ("机场", ("en",), False),
        ("机场", ("en", "zh"), True),
        ("аэропорт", ("ru",), True),
        ("аэропорт", (), False),
        ("12345", ("en",), False),
        ("!!!", ("en",), False),
        ("ships 🚢", ("en",), True),
        ("a 机场机场机场", ("en",), False),
    ],
)
def test_scripts_of_the_languages_of_a_model_can_be_read(text, languages, expected):
    card = dataclasses.replace(get_card("terraseek-tiny"), languages=languages)
    assert readable([text], card) is expected


def test_reference_vectors_are_kept_and_damaged_files_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path))
    first = reference_texts(FakeEncoder())
    (file,) = (tmp_path / "significance").iterdir()
    stored = np.load(file)
    assert np.array_equal(stored, np.concatenate([first.overhead, first.other]))
    file.write_bytes(b"damaged")
    again = reference_texts(FakeEncoder())
    assert np.array_equal(again.overhead, first.overhead)
    assert np.load(file).shape == stored.shape
    texts = reference._sentences()
    assert len(texts[0]) >= 150
    assert len(texts[1]) >= 100
    assert not set(texts[0]) & set(texts[1])


def test_an_encoder_without_calibration_has_no_significance():
    encoder = FakeEncoder()
    vectors = encoder.encode_texts(["red", "green"])
    query = QueryVectors(vectors[0])
    assert assess(["red"], query, vectors, PairCosines.of(vectors), encoder) is None
