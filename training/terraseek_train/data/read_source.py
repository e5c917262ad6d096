"""Read the samples and images of a data source: encoded, streamed, or decoded to squares."""

import hashlib
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from terraseek.encoders.base import fit_square
from terraseek.errors import ConfigError, MissingColumnError
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek.text_files import read_csv_rows
from terraseek_train.config import DataSource
from terraseek_train.data.sources import ImageBytes, Sample, open_images, read_captions
from terraseek_train.data.sources.images import decode
from terraseek_train.data.stream import StreamedImages, index_images

__all__ = ["chosen", "decode_source", "listed_samples", "read_source", "read_streamed"]

_ORDER_SEED = 20_000  # of the order in which `skip` and `limit` count, the same in every run
_T = TypeVar("_T")


def read_source(
    source: DataSource, left_out: Set[str] = frozenset()
) -> tuple[list[Sample], dict[str, bytes]]:
    """Read the samples of a source, and their encoded images by name.

    Args:
        source: the source.
        left_out: names of images to leave out.

    Raises:
        ConfigError: a caption names an image that is absent and the source is not `partial`.
    """
    images = open_images(Path(source.images))
    samples = listed_samples(source)
    if samples is None:
        samples = [images.sample(name) for name in images]
    pairs = _without(left_out, _paired(source, samples, images))
    return [s for s, _ in pairs], {s.image: images.read(name) for s, name in pairs}


def read_streamed(
    source: DataSource, side: int, left_out: Set[str] = frozenset()
) -> tuple[list[Sample], StreamedImages]:
    """Read the samples of a source, and locate its images, which stay in their files.

    Args:
        source: the source.
        side: pixels of the decoded squares.
        left_out: names of images to leave out.

    Raises:
        ConfigError: a caption names an image that is absent and the source is not `partial`.
        SourceError: there is no image at all.
    """
    samples = listed_samples(source)
    index = index_images(Path(source.images), keep_folders=samples is None)
    if samples is None:
        samples = [sample for sample, _ in index.values()]
    names = ImageBytes(Path(source.images), {k: ("", ref.file) for k, (_, ref) in index.items()})
    pairs = _without(left_out, _paired(source, samples, names))
    return [s for s, _ in pairs], StreamedImages([index[name][1] for _, name in pairs], side)


def listed_samples(source: DataSource) -> list[Sample] | None:
    """Read the samples of a source's caption or label file; None where it has neither."""
    if source.captions:
        return read_captions(Path(source.captions), source.split)
    if source.labels:
        rows = read_csv_rows(Path(source.labels))
        if not rows or not {"filename", "label"} <= rows[0].keys():
            columns = ", ".join(rows[0]) if rows else "no row"
            raise MissingColumnError(
                f"{source.labels} needs the columns filename and label; has {columns}"
            )
        return [Sample(row["filename"], (), row["label"]) for row in rows]
    return None


def _paired(
    source: DataSource, samples: Sequence[Sample], images: ImageBytes
) -> list[tuple[Sample, str]]:
    """Pair samples with the stored name of their image; absent images are refused or skipped."""
    found = [(sample, images.find(sample.image)) for sample in samples]
    missing = [sample.image for sample, name in found if name is None]
    if missing and not source.partial:
        raise ConfigError(
            f"source {source.name}: {len(missing)} images are missing, first {missing[0]}; "
            'add them, or set "partial" to true to skip their captions'
        )
    return chosen(source, [(sample, name) for sample, name in found if name is not None])


def _without(left_out: Set[str], pairs: list[tuple[Sample, str]]) -> list[tuple[Sample, str]]:
    return [(s, name) for s, name in pairs if not left_out & {s.image, name}]


def chosen(source: DataSource, images: list[_T]) -> list[_T]:
    """Select what `skip` and `limit` of a source leave of its images."""
    if not source.skip and not source.limit:
        return images
    order = np.random.default_rng(_ORDER_SEED).permutation(len(images))[source.skip :]
    return [images[row] for row in order[: source.limit or None]]


def decode_source(
    source: DataSource,
    samples: Sequence[Sample],
    content: dict[str, bytes],
    side: int,
    cache: Path,
    progress: Progress = silent,
) -> UInt8[np.ndarray, "n side side 3"]:
    """Decode all images of a source to squares, or map the file that an earlier run stored.

    Args:
        source: names the stored file.
        samples: images in the order of the rows.
        content: encoded images by name.
        side: pixels of a square.
        cache: folder of the stored file; its name holds a hash of the images.
        progress: called while images are decoded.
    """
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(sample.image.encode() + hashlib.sha256(content[sample.image]).digest())
    stored = cache / f"{source.name}-{side}-{digest.hexdigest()[:12]}.npy"
    if not stored.exists():
        squares = np.empty((len(samples), side, side, 3), np.uint8)
        for row, sample in enumerate(samples):
            squares[row] = fit_square(decode(content[sample.image], sample.image), side)
            if row % 200 == 0:
                progress(f"decode {source.name}", row, len(samples))
        with atomic_path(stored) as part, part.open("wb") as file:
            np.save(file, squares)
    array: UInt8[np.ndarray, "n side side 3"] = np.load(stored, mmap_mode="r")
    return array
