"""Detection: does the significance of a heat map tell scenes with an object from scenes without?

Present sentences are those of a scene's own annotations. Absent sentences are those of other
scenes that share no noun with this scene's. Nonsense sentences are about nothing visible from
above.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError
from terraseek.localization import LocalizeOptions
from terraseek.localization.localizer import Localizer
from terraseek.localization.query import encode_query
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek_train.evaluate.localization.study import StudySet

__all__ = [
    "NONSENSE",
    "Detection",
    "SceneQuery",
    "absent_sentences",
    "detection",
    "detection_table",
    "measure_detection",
]

NONSENSE = (
    "purple elephants dancing at a wedding",
    "a cup of coffee beside a newspaper",
    "the stock market fell on Tuesday",
    "a portrait of a smiling woman",
    "sushi on a wooden plate",
    "quick brown foxes write poems",
    "an orchestra tunes its violins",
    "a goldfish in a glass bowl",
)
_NOT_NOUNS = (
    "a an and around at between by four full gray green red blue white yellow brown dark black "
    "in large long many meet near next of on over parked rows row several six eight small sparse "
    "tall the through to two with surrounded curved round dense rectangular colours stacks "
    "colourful light area"
)
_KINDS = ("present", "absent", "nonsense")


@dataclass(frozen=True, slots=True)
class SceneQuery:
    """The result of one sentence on one scene."""

    image: str
    sentence: str
    kind: str
    """present, absent or nonsense."""
    max_cosine: float
    """Highest cosine of a window."""
    significant: bool | None
    """Whether the heat map is significant; None without a calibration."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How well significance, and the highest cosine, separate present from other sentences."""

    roc_auc: float
    """Probability that the highest cosine of a present sentence is above that of another, 0-1."""
    true_positive_rate: float
    """Share of present sentences that are significant, 0-1."""
    absent_false_positive_rate: float
    """Share of absent sentences that are significant, 0-1."""
    nonsense_false_positive_rate: float
    """Share of nonsense sentences that are significant, 0-1."""
    curve: tuple[tuple[float, float], ...]
    """(false positive rate on absent and nonsense sentences, true positive rate) of thresholds on
    the highest cosine."""
    counts: tuple[int, int, int]
    """Number of present, absent and nonsense queries."""

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON, with the keys that records have had from the beginning."""
        return {
            "roc_auc": self.roc_auc,
            "found": self.true_positive_rate,
            "absent_alarms": self.absent_false_positive_rate,
            "nonsense_alarms": self.nonsense_false_positive_rate,
            "curve": self.curve,
            "counts": self.counts,
        }


def _nouns(sentence: str) -> set[str]:
    words = re.findall("[a-z]+", sentence.lower())
    return {word.removesuffix("s") for word in words if word not in _NOT_NOUNS.split()}


def absent_sentences(data: StudySet, image: str) -> list[str]:
    """List the sentences of other scenes that share no noun with those of a scene."""
    own = [entry.caption for entry in data.annotations if entry.image == image]
    own_nouns = set().union(*map(_nouns, own))
    others = dict.fromkeys(entry.caption for entry in data.annotations if entry.image != image)
    return [sentence for sentence in others if not _nouns(sentence) & own_nouns]


def measure_detection(
    data: StudySet,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress = silent,
) -> list[SceneQuery]:
    """Localize present, absent and nonsense sentences on every scene of a set."""
    queries = []
    for image in dict.fromkeys(entry.image for entry in data.annotations):
        present = dict.fromkeys(e.caption for e in data.annotations if e.image == image)
        sentences = [(s, "present") for s in present]
        sentences += [(s, "absent") for s in absent_sentences(data, image)]
        sentences += [(s, "nonsense") for s in NONSENSE]
        with Scene.open(data.folder / image) as scene:
            localizer = Localizer(scene, encoder, options, progress)
            for sentence, kind in sentences:
                query = encode_query(sentence, encoder, options)
                cosines = localizer.embedding.scores(query.vector, encoder.encoder_id)
                significant = localizer.heat_map(query).significant
                highest = float(np.nanmax(cosines))
                queries.append(SceneQuery(image, sentence, kind, highest, significant))
    return queries


def detection(
    queries: Sequence[SceneQuery], false_positive_rates: Sequence[float] = (0.05, 0.1, 0.2)
) -> Detection:
    """Compute rates of significance, and those of thresholds on the highest cosine.

    Args:
        queries: results of each kind.
        false_positive_rates: at which the curve gives the true positive rate, 0-1.

    Raises:
        AnnotationError: there is no query of a kind.
    """
    by_kind = {kind: [query for query in queries if query.kind == kind] for kind in _KINDS}
    if empty := [kind for kind, found in by_kind.items() if not found]:
        raise AnnotationError(
            f"no {' and no '.join(empty)} sentence; give a set whose scenes show different things"
        )
    positive = np.array([query.max_cosine for query in by_kind["present"]])
    negative = np.array([query.max_cosine for query in by_kind["absent"] + by_kind["nonsense"]])
    above, tied = (positive[:, None] > negative).mean(), (positive[:, None] == negative).mean()
    curve = [
        (rate, float((positive > np.quantile(negative, 1 - rate)).mean()))
        for rate in false_positive_rates
    ]
    rates = {kind: _significant_share(found) for kind, found in by_kind.items()}
    return Detection(
        roc_auc=float(above + tied / 2),
        true_positive_rate=rates["present"],
        absent_false_positive_rate=rates["absent"],
        nonsense_false_positive_rate=rates["nonsense"],
        curve=tuple(curve),
        counts=(len(positive), len(by_kind["absent"]), len(by_kind["nonsense"])),
    )


def _significant_share(queries: Sequence[SceneQuery]) -> float:
    """Compute the share of significant queries; NaN without a calibration."""
    assessed = [query.significant for query in queries if query.significant is not None]
    return sum(assessed) / len(assessed) if assessed else float("nan")


def detection_table(results: Sequence[tuple[str, Detection]]) -> str:
    """Format a Markdown table with one row per set; empty without sets."""
    if not results:
        return ""
    rates = [rate for rate, _ in results[0][1].curve]
    heads = ["set", "present / absent / nonsense", "ROC-AUC of the highest cosine"]
    heads += [f"found at {rate:.0%} false positives" for rate in rates]
    heads += ["significant: present", "absent", "nonsense"]
    lines = ["**Significance**, default method.", "", _row(heads), _row(["---"] * len(heads))]
    for name, one in results:
        cells = [name, " / ".join(map(str, one.counts)), f"{one.roc_auc:.3f}"]
        cells += [f"{found:.0%}" for _, found in one.curve]
        cells += [
            f"{rate:.0%}"
            for rate in (
                one.true_positive_rate,
                one.absent_false_positive_rate,
                one.nonsense_false_positive_rate,
            )
        ]
        lines.append(_row(cells))
    return "\n" + "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
