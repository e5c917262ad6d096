"""Detection: rates of significance on present, absent and nonsense sentences, by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import AnnotationError
from terraseek.localization import LocalizeOptions
from terraseek_train.evaluate.localization.detection import (
    NONSENSE,
    SceneQuery,
    absent_sentences,
    detection,
    detection_table,
    measure_detection,
)
from terraseek_train.evaluate.localization.study import StudySet

RING = [[40, 40], [80, 40], [80, 80], [40, 80]]
CAPTIONS = {
    "a.png": ("a red stadium", "two blue lakes"),
    "b.png": ("a lake", "the green stadium", "ships at a quay"),
}


@pytest.fixture
def data(tmp_path: Path) -> StudySet:
    """A scene with a red spot, one with a green spot."""
    entries = []
    for name, colour in (("a.png", (230, 20, 20)), ("b.png", (20, 230, 20))):
        pixels = np.random.default_rng(0).integers(90, 150, (128, 128, 3)).astype(np.uint8)
        pixels[40:80, 40:80] = colour
        Image.fromarray(pixels).save(tmp_path / name)
        entries += [
            {"jpg_name": name, "caption": text, "points": [RING]} for text in CAPTIONS[name]
        ]
    (tmp_path / "anno.json").write_text(json.dumps(entries))
    return StudySet.open(tmp_path)


def test_absent_sentences_share_no_noun(data: StudySet) -> None:
    assert absent_sentences(data, "a.png") == ["ships at a quay"]
    assert absent_sentences(data, "b.png") == []


def test_every_scene_gets_every_kind_of_sentence(data: StudySet) -> None:
    found = measure_detection(data, FakeEncoder(), LocalizeOptions(scales=(32,)))
    kinds = [one.kind for one in found if one.image == "a.png"]
    assert kinds == ["present"] * 2 + ["absent"] + ["nonsense"] * len(NONSENSE)
    highest = {(one.image, one.sentence): one.max_cosine for one in found}
    assert highest["a.png", "a red stadium"] > highest["a.png", "ships at a quay"]
    assert all(one.significant is None for one in found)
    # without a calibration nothing is assessed
    assert np.isnan(detection(found).true_positive_rate)


def queries(kind: str, *cosines: float) -> list[SceneQuery]:
    return [SceneQuery("a.png", f"{kind} {x}", kind, x, x > 0.5) for x in cosines]


def test_rates_by_hand() -> None:
    found_queries = queries("present", 0.4, 0.6, 0.8, 0.9) + queries("absent", 0.1, 0.55)
    found = detection(
        found_queries + queries("nonsense", 0.0, 0.2), false_positive_rates=(0.0, 0.5)
    )
    assert found.counts == (4, 2, 2)
    assert found.roc_auc == 15 / 16
    assert found.true_positive_rate == 0.75
    assert (found.absent_false_positive_rate, found.nonsense_false_positive_rate) == (0.5, 0)
    assert found.to_json()["absent_alarms"] == 0.5
    assert found.curve == ((0.0, 0.75), (0.5, 1.0))
    table = detection_table([("made", found)])
    assert "| made | 4 / 2 / 2 | 0.938 | 75% | 100% | 75% | 50% | 0% |" in table
    assert detection_table([]) == ""


def test_a_missing_kind_is_named() -> None:
    with pytest.raises(AnnotationError, match="no absent and no nonsense sentence"):
        detection(queries("present", 0.4))
