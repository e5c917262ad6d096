"""SeLo's measures on the vectors computed with the released evaluation."""

import numpy as np
import pytest

from terraseek.errors import AnnotationError
from terraseek.localization.metrics import candidate_peaks, mean_score, selo_metrics


def blob(height, width, *spots):
    rows, cols = np.mgrid[0:height, 0:width]
    best = np.zeros((height, width))
    for cx, cy, s, a in spots:
        away = (cols - cx) ** 2 + (rows - cy) ** 2
        best = np.maximum(best, a * np.exp(-away / (2 * s * s)))
    return np.floor(255 * best).astype(np.uint8) / 255


def flat(level):
    return np.full((1200, 1600), level, np.uint8) / 255


def square(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


HERE = square(400, 300, 800, 700)
TWO = [HERE, square(2400, 300, 2800, 700)]
B = blob(1200, 1600, (600, 500, 120, 1))
VECTORS = {
    "A": (flat(128), [HERE], [(799, 599)], 0.5068786553, 1, 0.2001162274, 0.7327107826),
    "A2": (flat(127), [HERE], [], 0.5068786553, 0, 1, 0.2027514621),
    "B": (B, [HERE], [(602, 502)], 1, 1, 0.0010591291, 0.9996293048),
    "C": (
        blob(1200, 1600, (700, 500, 120, 1)),
        [HERE],
        [(702, 502)],
        0.9999999985,
        1,
        0.0554456674,
        0.9805940158,
    ),
    "D": (blob(1200, 1600, (1400, 1000, 100, 1)), [HERE], [(1402, 1002)], 0, 0, 1, 0),
    "E": (
        blob(1200, 3200, (600, 500, 120, 1)),
        TWO,
        [(602, 502)],
        1,
        0.5,
        0.1847869935,
        0.8103245523,
    ),
    "F": (
        blob(1200, 3200, (600, 500, 120, 1), (2600, 500, 120, 0.9)),
        TWO,
        [(602, 502), (2602, 502)],
        1,
        1,
        0.0010591291,
        0.9996293048,
    ),
    "G": (
        blob(1200, 1600, (600, 500, 60, 0.4)),
        [HERE, square(900, 300, 1300, 700)],
        [],
        1,
        0,
        1,
        0.4,
    ),
    "H": (
        blob(1400, 3200, (1000, 700, 150, 1), (2200, 700, 150, 0.95)),
        [square(400, 100, 2800, 1300)],
        [(1002, 702), (2202, 702)],
        1,
        0.4862299154,
        0.0757876504,
        0.8450318012,
    ),
    "I": (
        B,
        [HERE, square(600, 300, 1000, 700)],
        [(602, 502)],
        0.9985119285,
        1,
        0.0542314482,
        0.9804237645,
    ),
    "J": (flat(0), [HERE], [], 0, 0, 1, 0),
}


@pytest.mark.parametrize("case", VECTORS)
def test_published_vectors(case):
    prob, regions, peaks, rsu, rda, ras, rmi = VECTORS[case]
    found = candidate_peaks(prob)
    assert len(found) == len(peaks)
    # the 8-bit rounding of the box filter differs by a pixel between OpenCV versions
    np.testing.assert_allclose(found, np.array(peaks, float).reshape(-1, 2), atol=1)
    score = selo_metrics(prob, regions)
    assert score.rsu == pytest.approx(rsu, abs=1e-6)
    assert score.rda == pytest.approx(rda, abs=2e-3)
    assert score.ras == pytest.approx(ras, abs=2e-3)
    assert score.rmi == pytest.approx(rmi, abs=2e-3)
    assert score.constant == (case in {"A", "A2", "J"})


def test_the_mean_over_samples_is_plain():
    scores = [selo_metrics(flat(128), [HERE]), selo_metrics(flat(127), [HERE])]
    mean = mean_score(scores)
    assert mean.rda == pytest.approx(0.5)
    assert mean.rmi == pytest.approx((scores[0].rmi + scores[1].rmi) / 2)
    assert set(mean.as_dict) == {"Rsu", "Rda", "Ras", "Rmi"}


@pytest.mark.parametrize(
    ("regions", "match"),
    [
        ([], "no region"),
        ([[[0, 0], [5, 5]]], "three or more"),
        ([square(10, 10, 10.2, 10.2)], "smaller than a pixel"),
        ([square(5000, 5000, 6000, 6000)], "inside the map"),
    ],
)
def test_regions_that_cannot_be_measured(regions, match):
    with pytest.raises(AnnotationError, match=match):
        selo_metrics(flat(100), regions)


def test_real_annotations_are_measurable(shared_data):
    import json

    samples = json.loads((shared_data / "selo" / "anno.json").read_text())
    assert len(samples) == 59
    for sample in samples[:3]:
        corner = np.ceil(np.max([np.max(region, axis=0) for region in sample["points"]], axis=0))
        prob = np.full((int(corner[1]) + 50, int(corner[0]) + 50), 128 / 255)
        if prob.size < 20_000_000:
            assert 0 < selo_metrics(prob, sample["points"]).rmi < 1
