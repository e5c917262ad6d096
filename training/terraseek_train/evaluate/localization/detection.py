"""Is it there at all? The verdict on scenes that hold a thing and on scenes that do not.

Present: the sentences of a scene's own list. Absent: sentences of the other scenes' lists that
share no noun with this scene's, and sentences about nothing a satellite sees.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
    "Asked",
    "Detection",
    "absent_of",
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
_PLAIN = (
    "a an and around at between by four full gray green red blue white yellow brown dark black "
    "in large long many meet near next of on over parked rows row several six eight small sparse "
    "tall the through to two with surrounded curved round dense rectangular colours stacks "
    "colourful light area"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One sentence on one scene."""

    image: str
    sentence: str
    kind: str
    """present, absent or nonsense."""
    best: float
    """Highest cosine of a window."""
    convincing: bool | None
    """The verdict; None without a calibration."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the verdict is worth."""

    roc_auc: float
    """Chance that a present sentence's best cosine is above an absent one's, 0-1."""
    found: float
    """Share of present sentences that are convincing, 0-1."""
    absent_alarms: float
    """Share of absent sentences that are."""
    nonsense_alarms: float
    """Share of nonsense that is."""
    curve: tuple[tuple[float, float], ...]
    """(share of alarms on absent and nonsense sentences, share found) at other bars."""
    counts: tuple[int, int, int]
    """Present, absent and nonsense questions."""


def _nouns(sentence: str) -> set[str]:
    words = re.findall("[a-z]+", sentence.lower())
    return {word.removesuffix("s") for word in words if word not in _PLAIN.split()}


def absent_of(data: StudySet, image: str) -> list[str]:
    """Sentences of other scenes that share no noun with this one's."""
    mine = [note.caption for note in data.annotations if note.image == image]
    here = set().union(*map(_nouns, mine))
    others = dict.fromkeys(n.caption for n in data.annotations if n.image != image)
    return [sentence for sentence in others if not _nouns(sentence) & here]


def measure_detection(
    data: StudySet,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress = silent,
) -> list[Asked]:
    """Ask every scene for what it holds, for what only others hold, and for nonsense."""
    found = []
    for image in dict.fromkeys(note.image for note in data.annotations):
        present = dict.fromkeys(n.caption for n in data.annotations if n.image == image)
        sentences = [(s, "present") for s in present]
        sentences += [(s, "absent") for s in absent_of(data, image)]
        sentences += [(s, "nonsense") for s in NONSENSE]
        with Scene.open(data.folder / image) as scene:
            localizer = Localizer(scene, encoder, options, progress)
            for sentence, kind in sentences:
                query = encode_query(sentence, encoder, options)
                scores = localizer.embedding.scores(query.vector, encoder.encoder_id)
                verdict = localizer.heat_map(query).significant
                found.append(Asked(image, sentence, kind, float(np.nanmax(scores)), verdict))
    return found


def detection(asked: Sequence[Asked], alarms: Sequence[float] = (0.05, 0.1, 0.2)) -> Detection:
    """Rates of the verdict, and what other bars would give.

    Args:
        asked: questions of each kind.
        alarms: shares of alarms at which the share found is told.

    Raises:
        AnnotationError: nothing of a kind was asked.
    """
    by_kind = {
        kind: [one for one in asked if one.kind == kind]
        for kind in ("present", "absent", "nonsense")
    }
    if empty := [kind for kind, ones in by_kind.items() if not ones]:
        raise AnnotationError(
            f"no {' and no '.join(empty)} sentence to ask; give a set of scenes with unlike things"
        )
    good = np.array([one.best for one in by_kind["present"]])
    bad = np.array([one.best for one in by_kind["absent"] + by_kind["nonsense"]])
    wins = (good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2
    curve = [(a, float((good > np.quantile(bad, 1 - a)).mean())) for a in alarms]
    rates = {kind: _rate(ones) for kind, ones in by_kind.items()}
    return Detection(
        roc_auc=float(wins),
        found=rates["present"],
        absent_alarms=rates["absent"],
        nonsense_alarms=rates["nonsense"],
        curve=tuple(curve),
        counts=(len(good), len(by_kind["absent"]), len(by_kind["nonsense"])),
    )


def _rate(asked: Sequence[Asked]) -> float:
    judged = [one.convincing for one in asked if one.convincing is not None]
    return sum(judged) / len(judged) if judged else float("nan")


def detection_table(judged: Sequence[tuple[str, Detection]]) -> str:
    """A row per set, as Markdown; empty without sets."""
    if not judged:
        return ""
    shares = [share for share, _ in judged[0][1].curve]
    heads = ["set", "present / absent / nonsense", "ROC-AUC of the best window"]
    heads += [f"found at {share:.0%} alarms" for share in shares]
    heads += ["verdict: found", "alarms, absent", "alarms, nonsense"]
    lines = ["**Verdict**, default method.", "", _row(heads), _row(["---"] * len(heads))]
    for name, one in judged:
        cells = [name, " / ".join(map(str, one.counts)), f"{one.roc_auc:.3f}"]
        cells += [f"{found:.0%}" for _, found in one.curve]
        cells += [f"{x:.0%}" for x in (one.found, one.absent_alarms, one.nonsense_alarms)]
        lines.append(_row(cells))
    return "\n" + "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
