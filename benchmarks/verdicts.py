"""Are search verdicts right? `python benchmarks/verdicts.py IMAGES CAPTIONS.json [--split S]`.

Every scene class of a captioned set is asked for by its name twice: with its images there, and
with all of them left out, and those whose captions name a thing of the question too. So it is known
when "convincing" is right, whatever the encoder.

`found`      questions with images there whose best hit convinces
`alarms`     questions with none there that find something convincing all the same
`kept`       of the right images among the twenty best, those that convince
`right`      of the convincing hits among the twenty best, images of the class

A set the encoder's card was calibrated on is not held out: say so beside the figures.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import typer
from common import machine
from rich.console import Console
from rich.table import Table

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL, get_card
from terraseek.search.significance import fdr_threshold
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.data.sources.templates import CONCEPTS
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.release.background import content_words

HITS = 20
SHARES = (0.05, 0.1, 0.15, 0.25, 0.5)
LEAST = 5
"""Images a class must have to be asked for."""


@dataclass(frozen=True)
class Verdicts:
    """Percentages for one share of unrelated images allowed; see above."""

    false_share: float
    found: float
    alarms: float
    kept: float
    right: float
    questions: int


def question(label: str) -> str:
    """A class's name as a person would type it."""
    return CONCEPTS[label][0] if label in CONCEPTS else label.replace("-", " ")


def judge(calibration: Calibration, cosines: np.ndarray, share: float) -> tuple[np.ndarray, float]:
    """Rows of the best hits and the cosine from which they convince."""
    best = np.argsort(-cosines, kind="stable")[:HITS]
    found = cosines[best].astype(np.float64)
    return best, fdr_threshold(calibration, cosines, found, len(cosines), share)


def measure(
    calibration: Calibration,
    scores: dict[str, np.ndarray],
    labels: np.ndarray,
    said: list[set[str]],
    share: float,
) -> Verdicts:
    """All questions at one share."""
    found: list[bool] = []
    alarms: list[bool] = []
    kept: list[bool] = []
    right: list[bool] = []
    for label, cosines in scores.items():
        best, lowest = judge(calibration, cosines, share)
        convincing, own = cosines[best] >= lowest, labels[best] == label
        found.append(bool(convincing[0]))
        kept += convincing[own].tolist()
        right += own[convincing].tolist()
        words = content_words([question(label)])
        rest = (labels != label) & np.array([not words & theirs for theirs in said])
        best, lowest = judge(calibration, cosines[rest], share)
        alarms.append(bool((cosines[rest][best] >= lowest).any()))
    return Verdicts(
        share, percent(found), percent(alarms), percent(kept), percent(right), len(scores)
    )


def percent(answers: list[bool]) -> float:
    """Share of yes; 0 where nothing was asked."""
    return round(100 * float(np.mean(answers)), 1) if answers else 0.0


def main(
    images: Path,
    captions: Path,
    split: str = typer.Option("", help="Split of the captions; all without it."),
    model: str = typer.Option(DEFAULT_MODEL),
    json: bool = typer.Option(False, "--json"),
) -> None:
    """Ask for every class with its images there and without them."""
    encoder = load_encoder(model, "cpu")
    packed = open_images(images)
    pairs = pair_images(read_captions(captions, split or None), packed)
    vectors = encode_named(encoder, packed, [name for _, name in pairs])
    labels = np.array([sample.label or "" for sample, _ in pairs])
    said = [content_words(sample.captions) for sample, _ in pairs]
    asked = [label for label in sorted(set(labels)) if label and (labels == label).sum() >= LEAST]
    texts = encoder.encode_texts([question(label) for label in asked])
    scores = {label: vectors @ text for label, text in zip(asked, texts, strict=True)}
    calibration = Calibration.read(get_card(model).calibration or {})
    rows = [measure(calibration, scores, labels, said, share) for share in SHARES]
    console = Console()
    if json:
        console.print_json(
            data={
                "machine": machine(),
                "pictures": len(labels),
                "verdicts": [asdict(row) for row in rows],
            }
        )
        return
    table = Table(title=f"{len(asked)} questions to {len(labels)} pictures, percent")
    for name in asdict(rows[0]):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(value) for value in asdict(row).values()))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
