"""How reliable significance in search is: `python benchmarks/significance.py IMAGES CAPTIONS.json`.

Each scene class of a captioned data set is searched by its name twice: with its images present, and
without them and without all images whose captions contain a word of the query. So it is known
whether a hit that is marked significant is correct, for any encoder.

`found_percent`           queries with images present whose best hit is significant
`false_positive_percent`  queries without such images that have a significant hit
`recall_percent`          of the correct images among the twenty best hits, those significant
`precision_percent`       of the significant hits among the twenty best, those correct

A data set on which the encoder's card was calibrated is not independent: state this beside the
figures.
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
RATES = (0.05, 0.1, 0.15, 0.25, 0.5)
MIN_IMAGES = 5
"""Images that a class must have to be searched for."""


@dataclass(frozen=True)
class SignificanceFigures:
    """Percentages at one allowed false discovery rate; see the module docstring."""

    false_discovery_rate: float
    found_percent: float
    false_positive_percent: float
    recall_percent: float
    precision_percent: float
    queries: int


def class_query(label: str) -> str:
    """Name of a class as a person would type it."""
    return CONCEPTS[label][0] if label in CONCEPTS else label.replace("-", " ")


def best_hits(
    calibration: Calibration, cosines: np.ndarray, rate: float
) -> tuple[np.ndarray, float]:
    """Rows of the best hits, and the cosine from which hits are significant."""
    best = np.argsort(-cosines, kind="stable")[:HITS]
    hits = cosines[best].astype(np.float64)
    return best, fdr_threshold(calibration, cosines, hits, len(cosines), rate)


def measure(
    calibration: Calibration,
    scores: dict[str, np.ndarray],
    labels: np.ndarray,
    caption_words: list[set[str]],
    rate: float,
) -> SignificanceFigures:
    """Figures of all queries at one false discovery rate."""
    found: list[bool] = []
    false_positive: list[bool] = []
    recalled: list[bool] = []
    correct: list[bool] = []
    for label, cosines in scores.items():
        best, threshold = best_hits(calibration, cosines, rate)
        significant, of_class = cosines[best] >= threshold, labels[best] == label
        found.append(bool(significant[0]))
        recalled += significant[of_class].tolist()
        correct += of_class[significant].tolist()
        query_words = content_words([class_query(label)])
        unrelated = (labels != label) & np.array([not query_words & w for w in caption_words])
        best, threshold = best_hits(calibration, cosines[unrelated], rate)
        false_positive.append(bool((cosines[unrelated][best] >= threshold).any()))
    return SignificanceFigures(
        rate,
        percent(found),
        percent(false_positive),
        percent(recalled),
        percent(correct),
        len(scores),
    )


def percent(answers: list[bool]) -> float:
    """Share of true values in percent; 0 without values."""
    return round(100 * float(np.mean(answers)), 1) if answers else 0.0


def main(
    images: Path,
    captions: Path,
    split: str = typer.Option("", help="Split of the captions; all of them if not given."),
    model: str = typer.Option(DEFAULT_MODEL),
    json: bool = typer.Option(False, "--json"),
) -> None:
    """Search for every class with its images present and without them."""
    encoder = load_encoder(model, "cpu")
    source = open_images(images)
    pairs = pair_images(read_captions(captions, split or None), source)
    vectors = encode_named(encoder, source, [name for _, name in pairs])
    labels = np.array([sample.label or "" for sample, _ in pairs])
    caption_words = [content_words(sample.captions) for sample, _ in pairs]
    classes = [x for x in sorted(set(labels)) if x and (labels == x).sum() >= MIN_IMAGES]
    texts = encoder.encode_texts([class_query(label) for label in classes])
    scores = {label: vectors @ text for label, text in zip(classes, texts, strict=True)}
    calibration = Calibration.read(get_card(model).calibration or {})
    rows = [measure(calibration, scores, labels, caption_words, rate) for rate in RATES]
    console = Console()
    if json:
        console.print_json(
            data={
                "machine": machine(),
                "images": len(labels),
                "significance": [asdict(row) for row in rows],
            }
        )
        return
    table = Table(title=f"{len(classes)} queries over {len(labels)} images, percent")
    for name in asdict(rows[0]):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(value) for value in asdict(row).values()))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
