"""Sentences of the benchmark, and for which catalogues and scenes they are true.

`sentences.csv` holds the sentences with their half and kind, `truth.json` what the classes of each
data set show for certain, and what they may show. A sentence is present where a class shows its
concept, absent where no class may show it and no caption has a word of it, and otherwise unknown:
unknown pairs are left out.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

__all__ = [
    "HALVES",
    "KINDS",
    "BenchmarkSentence",
    "Half",
    "image_truth",
    "pair_kind",
    "read_sentences",
    "read_truth",
]

Half = Literal["choose", "report"]
HALVES: tuple[Half, ...] = ("choose", "report")
KINDS = ("present", "absent", "absurd", "script", "empty")
"""Kinds of pairs of a sentence and a catalogue; all but the first have no right answer."""
MIN_IMAGES = 5
"""Images that certainly show a concept, from which it counts as present in a catalogue."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class BenchmarkSentence:
    """A sentence, the half it belongs to, and what it is about."""

    half: Half
    """`choose` for fitting and choosing, `report` for the figures."""
    kind: str
    """`thing`, `absurd`, `script` (no Latin letters) or `empty` (without meaning)."""
    concept: str
    """Concept of `truth.json`; empty except for things."""
    text: str


@cache
def read_sentences() -> tuple[BenchmarkSentence, ...]:
    """Read the sentences of both halves."""
    with (_FOLDER / "sentences.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            BenchmarkSentence(
                "choose" if row["half"] == "choose" else "report",
                row["kind"],
                row["concept"],
                row["sentence"],
            )
            for row in csv.DictReader(file)
        )


@cache
def read_truth() -> Mapping[str, Any]:
    """Read `truth.json`."""
    found: Mapping[str, Any] = json.loads((_FOLDER / "truth.json").read_text(encoding="utf-8"))
    return found


def image_truth(
    data: str, labels: Sequence[str], captions: Sequence[Sequence[str]], concept: str
) -> Float64[np.ndarray, " n"]:
    """Whether each image shows a concept: 1 certainly, 0 certainly not, NaN unknown.

    Args:
        data: name of the data set in `truth.json`.
        labels: class of each image.
        captions: captions of each image, empty where there are none.
        concept: see `BenchmarkSentence.concept`.
    """
    truth = read_truth()
    by_label = {
        label: 1.0 if concept in shows["shows"] else np.nan if concept in shows["may_show"] else 0.0
        for label, shows in truth["labels"][data].items()
    }
    found = np.array([by_label[label] for label in labels])
    words = re.compile(truth["captions_may_show"][concept], re.IGNORECASE)
    mentioned = np.array([any(words.search(text) for text in texts) for texts in captions], bool)
    found[(found == 0) & mentioned] = np.nan
    return found


def pair_kind(sentence: BenchmarkSentence, shown: Float64[np.ndarray, " n"]) -> str | None:
    """Kind of a sentence in a catalogue, one of `KINDS`; None if unknown.

    Args:
        sentence: the sentence.
        shown: `image_truth` of its concept for the images of the catalogue.
    """
    if sentence.kind != "thing":
        return sentence.kind
    if (shown == 1).sum() >= MIN_IMAGES:
        return "present"
    return "absent" if (shown == 0).all() else None
