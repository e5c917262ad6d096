"""`terraseek models calibrate`: background and significance of an encoder, from labelled images.

Images are taken from class folders, or from a tar or shards with a caption file whose samples have
classes. Random halves of the classes are catalogues in which the other classes are absent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
from jaxtyping import Float32, Shaped

from terraseek.commands.console import bar, note
from terraseek.encoders.base import Encoder
from terraseek.encoders.registry import get_card, is_user_model, save_card
from terraseek.errors import ConfigError
from terraseek.files import write_json
from terraseek.progress import Progress, silent
from terraseek.significance.evidence import PairCosines, QueryVectors, evidence
from terraseek.significance.fit import KnownQuery, fit_model
from terraseek.significance.model import KEY
from terraseek.significance.readable import readable
from terraseek.significance.reference import reference_texts
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.data.sources.templates import concept_of, concept_texts
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.evaluate.significance.truth import read_sentences
from terraseek_train.release.background import background

__all__ = ["calibrate", "calibration_of"]

_HALVES = 8
"""Random halves of the classes."""
_SENTENCES_PER_CLASS = 3
_MIN_CLASSES = 4
_MIN_IMAGES = 5
_HITS = 24


def calibrate(
    name: str = typer.Argument(help="Name of the model."),
    images: Path = typer.Option(
        ..., "--images", help="Folder or tar with class folders, or RS5M shards."
    ),
    captions: Path | None = typer.Option(
        None, "--captions", help="Caption file with classes, instead of class folders."
    ),
    split: str | None = typer.Option(None, "--split", help="Split of the captions; default all."),
    out: Path | None = typer.Option(
        None, "--out", help="Write the calibration to this JSON file instead of the model's card."
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
) -> None:
    """Measure how the cosines of unrelated images look, so that significance is known.

    The card of a model that you added gets the background, and with four classes or more the
    weights and thresholds of significance in searches. Use images that the model was not trained
    on. `terraseek evaluate significance --refit` also fits scenes.
    """
    from terraseek.encoders.load import load_encoder

    card = get_card(name)
    if out is None and not is_user_model(name):
        raise ConfigError(f"{name} is a shipped model; write its calibration with --out FILE")
    with bar() as progress:
        found = calibration_of(load_encoder(name, device), images, captions, split, progress)
    if out is not None:
        write_json(out, found)
        note(f"calibration written to {out}")
        return
    kept = {key: value for key, value in (card.calibration or {}).items() if key == "words"}
    save_card(replace(card, calibration=kept | found), replace=True)
    fitted = "with" if KEY in found else "without"
    note(f"{name}: background of {found['pairs']:,} pairs, {fitted} fitted significance")


def calibration_of(
    encoder: Encoder,
    images: Path,
    captions: Path | None = None,
    split: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure the calibration of an encoder.

    Args:
        encoder: the encoder.
        images: see `open_images`.
        captions: see `read_captions`; None takes the class folders.
        split: of the captions.
        progress: called while images are encoded.

    Returns:
        Values for a card; `significance` is missing with fewer than four classes.

    Raises:
        ConfigError: no image has a class.
    """
    source = open_images(images, keep_folders=True)
    if captions is None:
        samples = [source.sample(name) for name in source]
        pairs = [(sample, sample.image) for sample in samples]
    else:
        pairs = list(pair_images(read_captions(captions, split), source))
    if not any(sample.label for sample, _ in pairs):
        raise ConfigError(f"no image of {images} has a class; give class folders or --captions")
    vectors = encode_named(encoder, source, [name for _, name in pairs], progress)
    labels = [sample.label for sample, _ in pairs]
    texts = [sample.captions for sample, _ in pairs]
    found = background(encoder, vectors, labels, texts if captions is not None else None)
    classes = _classes(labels)
    if len(classes) >= _MIN_CLASSES:
        queries = list(_queries(encoder, vectors, np.array([x or "" for x in labels]), classes))
        found[KEY] = {"search": fit_model(queries).to_json()}
    return found


def _classes(labels: Sequence[str | None]) -> list[str]:
    counts = {label: labels.count(label) for label in set(labels) if label}
    return sorted(label for label, count in counts.items() if count >= _MIN_IMAGES)


def _sentences(label: str) -> Sequence[str]:
    concept = concept_of(label)
    if concept is None:
        return [label.replace("_", " ").replace("-", " ")]
    texts = concept_texts(concept)
    return texts[:: max(1, len(texts) // _SENTENCES_PER_CLASS)][:_SENTENCES_PER_CLASS]


def _queries(
    encoder: Encoder,
    vectors: Float32[np.ndarray, "n dim"],
    labels: Shaped[np.ndarray, " n"],
    classes: list[str],
) -> Iterator[KnownQuery]:
    """Sentences of all classes, and absurd ones, on random halves of the classes."""
    rows = [(text, label) for label in classes for text in _sentences(label)]
    rows += [(s.text, "") for s in read_sentences() if s.half == "choose" and s.kind == "absurd"]
    texts = encoder.encode_texts([text for text, _ in rows])
    references, rng = reference_texts(encoder), np.random.default_rng(0)
    for _ in range(_HALVES):
        half = set(rng.permutation(classes)[: len(classes) // 2].tolist())
        searched = np.flatnonzero(np.isin(labels, list(half)))
        images = vectors[searched]
        pair_cosines = PairCosines.of(images)
        for (text, label), vector in zip(rows, texts, strict=True):
            best = np.argsort(-(images @ vector), kind="stable")[:_HITS]
            right = (labels[searched[best]] == label).astype(np.float64)
            kind = "absurd" if not label else "present" if label in half else "absent"
            yield KnownQuery(
                evidence(QueryVectors(vector), images[best], references, pair_cosines),
                kind,
                right,
                readable([text], encoder.card),
            )
