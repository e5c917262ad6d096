"""Evaluations on files, for the commands and for Python callers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError, MissingColumnError, SourceError
from terraseek.progress import Progress, silent
from terraseek.text_files import read_csv_rows, read_text
from terraseek_benchmarks import benchmarks
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
    "LabelledVectors",
    "encode_labelled",
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
    rerank: int = 0,
) -> Retrieved:
    """Search a captioned set with its own images and captions.

    Args:
        images: folder, tar or RS5M shards.
        captions: JSON of RSICD's or NWPU-Captions' layout, or CSV with filename,title.
        encoder: the encoder to measure.
        split: split of a JSON file to use; None uses all.
        progress: called while images and sentences are encoded.
        rerank: number of answers to re-rank with the set of queries, see `retrieve`.

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
    return retrieve(vectors, encoder.encode_texts(texts, progress), image_of, rerank)


@dataclass(frozen=True)
class LabelledVectors:
    """Image vectors of a labelled set, which can be classified with several lists of names."""

    vectors: Float32[np.ndarray, "n dim"]
    """Unit vectors of the images."""
    truth: Int64[np.ndarray, " n"]
    """Class of each image, an index into `classes`."""
    classes: list[str]
    """Labels as the set writes them, sorted."""

    @property
    def folder_names(self) -> list[str]:
        """Names of the classes by the published rule, see `class_name`."""
        return [class_name(label) for label in self.classes]

    def score(self, encoder: Encoder, names: list[str], kind: str = "rs105") -> ZeroShotScore:
        """Classify the images.

        Args:
            encoder: the one that made the vectors.
            names: names of the classes in their order.
            kind: prompt set.

        Raises:
            AnnotationError: not one name per class, or two classes of one name.
        """
        if len(names) != len(self.classes):
            raise AnnotationError(
                f"{len(names)} class names for {len(self.classes)} classes; give one line for each "
                f"of: {', '.join(self.classes)}"
            )
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise AnnotationError(
                f"two classes are called {duplicate!r}, so prompts cannot separate them; give each "
                "its own name with --classnames"
            )
        return zeroshot_score(self.vectors, class_weights(encoder, names, kind), self.truth)


def encode_labelled(
    images: Path, encoder: Encoder, labels: Path | None = None, progress: Progress = silent
) -> LabelledVectors:
    """Encode class folders or labelled images.

    Args:
        images: folder or tar of class folders; with `labels` any source of images.
        encoder: the encoder to measure.
        labels: CSV with a label per image, for sources without class folders.
        progress: called while images are encoded.

    Raises:
        AnnotationError: fewer than two classes.
    """
    source = open_images(images, keep_folders=labels is None)
    label_of = read_labels(labels, source) if labels else {n: source.folder(n) for n in source}
    label_of = {name: label for name, label in label_of.items() if label}
    classes = sorted(set(label_of.values()))
    if len(classes) < 2:
        raise AnnotationError(
            f"{images} has {len(classes)} class(es); expected one folder per class, or --labels CSV"
        )
    stored = list(label_of)
    truth = np.array([classes.index(label_of[name]) for name in stored])
    return LabelledVectors(encode_named(encoder, source, stored, progress), truth, classes)


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
        images: see `encode_labelled`.
        encoder: the encoder to measure.
        names: names of the classes, in the order of the sorted labels; None uses the labels.
        kind: prompt set.
        labels: see `encode_labelled`.
        progress: called while images are encoded.

    Raises:
        AnnotationError: not one name per class, two classes of one name, or fewer than two
            classes.
    """
    labelled = encode_labelled(images, encoder, labels, progress)
    used = labelled.folder_names if names is None else names
    return labelled.score(encoder, used, kind), used


def read_class_names(path: Path) -> list[str]:
    """Read one class name per line; blank lines are skipped.

    Without such a file, the hand-written names of the benchmark of that name (`eurosat`).

    Raises:
        AnnotationError: the file is neither UTF-8 nor UTF-16, or has no name.
    """
    shipped = benchmarks().get(str(path))
    if not path.exists() and shipped is not None and shipped.described:
        return list(shipped.described)
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
