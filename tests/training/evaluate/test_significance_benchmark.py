"""Benchmark of significance: truth of sentences, kinds of pairs, figures of known scores."""

import numpy as np
import pytest

from terraseek.encoders.fake import FakeEncoder
from terraseek.significance.model import DEFAULTS
from terraseek_train.evaluate.significance.catalogues import BenchmarkSet
from terraseek_train.evaluate.significance.measure import candidate_table, figures, known_queries
from terraseek_train.evaluate.significance.report import table_lines
from terraseek_train.evaluate.significance.truth import (
    HALVES,
    image_truth,
    read_sentences,
    read_truth,
)


def test_sentences_are_split_and_consistent_with_the_truth() -> None:
    sentences = read_sentences()
    assert len(sentences) >= 150
    assert len({one.text for one in sentences}) == len(sentences)
    concepts = set(read_truth()["captions_may_show"])
    assert {one.concept for one in sentences if one.kind == "thing"} == concepts
    for half in HALVES:
        kinds = {one.kind for one in sentences if one.half == half}
        assert kinds == {"thing", "absurd", "script", "empty"}
        sets = [one for one in read_truth()["catalogues"].values() if one["half"] == half]
        assert len({one["data"] for one in sets}) >= 3
        scenes = [one for one in read_truth()["scenes"].values() if one["half"] == half]
        assert len(scenes) >= 6


def test_truth_of_images_comes_from_classes_and_captions() -> None:
    labels = ["airport", "pond", "park", "park"]
    captions = [("planes",), ("water",), ("a lake in a park",), ("trees",)]
    assert image_truth("rsicd", labels, captions, "airport").tolist() == [1, 0, 0, 0]
    lake = image_truth("rsicd", labels, captions, "lake")
    assert lake[0] == lake[3] == 0
    assert np.isnan(lake[[1, 2]]).all()  # a pond may be a lake, and a caption names one


@pytest.fixture
def sets() -> list[BenchmarkSet]:
    """A catalogue of each half with the vectors of its classes' names."""
    encoder = FakeEncoder()
    rng = np.random.default_rng(0)
    found = []
    for half in HALVES:
        labels = ["Forest"] * 30 + ["River"] * 30
        rows = encoder.encode_texts(["forest", "river"])[[0] * 30 + [1] * 30]
        rows = rows + rng.normal(0, 0.05, rows.shape).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        found.append(BenchmarkSet(half, half, rows, "eurosat", tuple(labels), ((),) * 60))
    return found


def test_figures_count_what_the_model_decides(sets: list[BenchmarkSet]) -> None:
    encoder = FakeEncoder()
    pairs = known_queries(sets, encoder)
    assert {pair.query.kind for pair in pairs} == {"present", "absent", "absurd", "script", "empty"}
    assert not any(pair.query.readable for pair in pairs if pair.query.kind == "script")
    assert all(pair.half == pair.set_name for pair in pairs)
    model = DEFAULTS["search"]
    found = figures(pairs, model)
    for half in HALVES:
        own = [pair for pair in pairs if pair.half == half and pair.query.kind == "present"]
        likely = [model.assess(pair.query.evidence).level == "likely" for pair in own]
        assert found[half]["pairs"]["present"] == len(own) > 0
        assert found[half]["likely"]["present"]["share"] == np.mean(likely)
        assert found[half]["likely"]["script"]["share"] == 0
        low, high = found[half]["found_at_5_interval"]
        assert 0 <= low <= found[half]["found_at_5"] <= high <= 1
    table = candidate_table(pairs, model, "choose")
    assert {"fit", "agreement", "wording", "best cosine"} <= {row["statistic"] for row in table}
    results = {
        "model": "fake",
        "search": {"figures": found, "candidates": {"choose": table}},
    }
    lines = list(table_lines(results))
    assert sum(line.startswith("| fit ") for line in lines) == 1
    assert sum(line.startswith("| report ") for line in lines) == 1
