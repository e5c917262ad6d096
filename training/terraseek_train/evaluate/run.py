"""Evaluations on files, for the commands and for Python callers."""

from pathlib import Path

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError, MissingColumnError, SourceError
from terraseek.progress import Progress, silent
from terraseek.text_files import read_csv_rows, read_text
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.data.sources.images import ImageBytes
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.evaluate.retrieval import RetrievalScore, Retrieved, retrieve
from terraseek_train.evaluate.zeroshot import (
    ZeroShotScore,
    class_name,
    class_weights,
    zeroshot_score,
)

__all__ = [
    "evaluate_retrieval",
    "evaluate_zeroshot",
    "measure_retrieval",
    "read_class_names",
    "read_labels",
]


def evaluate_retrieval(
    images: Path,
    captions: Path,
    encoder: Encoder,
    split: str | None = None,
    progress: Progress = silent,
) -> RetrievalScore:
    """Compute the recalls of a captioned set; arguments and errors as in `measure_retrieval`."""
    return measure_retrieval(images, captions, encoder, split, progress).score()


def measure_retrieval(
    images: Path,
    captions: Path,
    encoder: Encoder,
    split: str | None = None,
    progress: Progress = silent,
) -> Retrieved:
    """Search a captioned set with its own images and captions.

    Args:
        images: folder, tar or RS5M shards.
        captions: JSON of RSICD's or NWPU-Captions' layout, or CSV with filename,title.
        encoder: the encoder to measure.
        split: split of a JSON file to use; None uses all.
        progress: called while images and sentences are encoded.

    Raises:
        AnnotationError: the caption file does not follow its layout.
        SourceError: images are missing or cannot be read.
    """
    pairs = pair_images(read_captions(captions, split), open_images(images))
    texts = [text for sample, _ in pairs for text in sample.captions]
    image_of = np.repeat(np.arange(len(pairs)), [len(sample.captions) for sample, _ in pairs])
    if not texts:
        raise AnnotationError(f"{captions} has images but no caption; nothing to measure")
    vectors = encode_named(encoder, open_images(images), [name for _, name in pairs], progress)
    return retrieve(vectors, encoder.encode_texts(texts, progress), image_of)


def evaluate_zeroshot(
    images: Path,
    encoder: Encoder,
    names: list[str] | None = None,
    kind: str = "rs105",
    labels: Path | None = None,
    progress: Progress = silent,
) -> tuple[ZeroShotScore, list[str]]:
    """Classify class folders or labelled images; returns the score and the class names used.

    Args:
        images: folder or tar of class folders; with `labels` any source of images.
        encoder: the encoder to measure.
        names: names of the classes, in the order of the sorted labels; None uses the labels.
        kind: prompt set.
        labels: CSV with a label per image, for sources without class folders.
        progress: called while images are encoded.

    Raises:
        AnnotationError: not one name per class, two classes of one name, or fewer than two
            classes.
    """
    source = open_images(images, keep_folders=labels is None)
    label_of = read_labels(labels, source) if labels else {n: source.folder(n) for n in source}
    label_of = {name: label for name, label in label_of.items() if label}
    classes = sorted(set(label_of.values()))
    if len(classes) < 2:
        raise AnnotationError(
            f"{images} has {len(classes)} class(es); expected one folder per class, or --labels CSV"
        )
    class_names = [class_name(label) for label in classes] if names is None else names
    if len(class_names) != len(classes):
        raise AnnotationError(
            f"{len(class_names)} class names for {len(classes)} classes; give one line for each "
            f"of: {', '.join(classes)}"
        )
    duplicate = next((name for name in class_names if class_names.count(name) > 1), None)
    if duplicate is not None:
        raise AnnotationError(
            f"two classes are called {duplicate!r}, so prompts cannot separate them; give each its "
            "own name with --classnames"
        )
    stored = list(label_of)
    truth = np.array([classes.index(label_of[name]) for name in stored])
    vectors = encode_named(encoder, source, stored, progress)
    return zeroshot_score(vectors, class_weights(encoder, class_names, kind), truth), class_names


def read_class_names(path: Path) -> list[str]:
    """Read one class name per line; blank lines are skipped.

    Raises:
        AnnotationError: the file is neither UTF-8 nor UTF-16, or has no name.
    """
    try:
        lines = read_text(path).splitlines()
    except SourceError as error:
        raise AnnotationError(str(error)) from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise AnnotationError(f"{path} holds no class name; write one per line")
    return names


def read_labels(path: Path, source: ImageBytes) -> dict[str, str]:
    """Read labels by stored image name, from a CSV with `img_name` or `filename`, and `label`.

    Raises:
        MissingColumnError: a column is missing.
        SourceError: the file is neither UTF-8 nor UTF-16.
        AnnotationError: no labelled image is in the source.
    """
    rows = read_csv_rows(path)
    columns = list(rows[0]) if rows else []
    name_column = next((column for column in ("img_name", "filename") if column in columns), None)
    if name_column is None or "label" not in columns:
        raise MissingColumnError(
            f"{path} needs the columns img_name (or filename) and label; has {', '.join(columns)}"
        )
    found = {source.find(row[name_column]): row["label"] for row in rows}
    labels = {name: label for name, label in found.items() if name is not None}
    if not labels:
        raise AnnotationError(f"{path} labels no image of {source.path}")
    return labels
