"""Leakage: images of an evaluation set that are in the training data, found by perceptual hash.

Two images count as the same when their hashes (`terraseek.imagehash`, eight orientations) differ
in few bits *and* their grey thumbnails correlate in one of the orientations. The hash alone is not
enough: images that are half sea, half beach have similar 64 bits wherever they are. The thresholds
were chosen on real data sets; docs/evaluation.md tells how, and what is missed.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8, UInt64

from terraseek.errors import ConfigError, NotAnImageError
from terraseek.files import atomic_path
from terraseek.imagehash import ORIENTATIONS, image_hashes, near_pairs
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.read_source import chosen, listed_samples, read_streamed
from terraseek_train.data.sources import open_images
from terraseek_train.data.stream import decode_fast

__all__ = [
    "MAX_BITS",
    "MIN_CORRELATION",
    "Fingerprints",
    "Leak",
    "check_leakage",
    "find_config_leaks",
    "find_leaks",
    "find_source_leaks",
    "fingerprints",
]

MAX_BITS = 10
"""Largest difference of two hashes of one image, of 64 bits."""
MIN_CORRELATION = 0.92
"""Smallest correlation of two thumbnails of one image."""
_SIDE = 32
_BLOCK = 4096
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fingerprints:
    """Hashes and thumbnails of the images of a source, 1.1 kB each."""

    source: str
    names: tuple[str, ...]
    hashes: UInt64[np.ndarray, "n 8"]
    thumbs: UInt8[np.ndarray, "n 32 32"]
    """The whole image in 32 x 32 grey pixels; the aspect ratio is lost."""


@dataclass(frozen=True)
class Leak:
    """An image of an evaluation set and its copy in training."""

    train_source: str
    train: str
    eval_source: str
    eval: str
    bits: int
    """Bits of 64 in which the hashes differ."""
    correlation: float
    """Correlation of the thumbnails in the orientation that fits best, at most 1."""


def fingerprints(source: DataSource, cache: Path, progress: Progress = silent) -> Fingerprints:
    """Compute hashes and thumbnails of the images that a source uses; kept in `cache`.

    An image that cannot be decoded is skipped with a warning; it cannot be trained on either. The
    cache knows files by path, size and time, so that images are read only once.

    Raises:
        SourceError: no such path, or no image inside.
        AnnotationError: a caption file that does not follow its layout.
    """
    stored = cache / f"fingerprints-{_digest(source)}.npz"
    if stored.exists():
        with np.load(stored) as kept:
            names = tuple(kept["names"].tolist())
            return Fingerprints(source.name, names, kept["hashes"], kept["thumbs"])
    computed = _compute(source, progress)
    with atomic_path(stored) as part, part.open("wb") as file:
        np.savez(
            file, names=np.array(computed.names), hashes=computed.hashes, thumbs=computed.thumbs
        )
    return computed


def _compute(source: DataSource, progress: Progress) -> Fingerprints:
    names, read = _encoded(source)
    kept, hashes, thumbs = [], [], []
    for row, name in enumerate(names):
        try:
            rgb = decode_fast(read(row), name, 4 * _SIDE)
        except NotAnImageError as error:
            _log.warning("%s; skipped in the leakage check", error)
            continue
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        kept.append(name)
        hashes.append(image_hashes(rgb))
        thumbs.append(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
        if row % 200 == 0:
            progress(f"fingerprint {source.name}", row, len(names))
    progress(f"fingerprint {source.name}", len(names), len(names))
    return Fingerprints(
        source.name,
        tuple(kept),
        np.array(hashes, np.uint64).reshape(-1, len(ORIENTATIONS)),
        np.array(thumbs, np.uint8).reshape(-1, _SIDE, _SIDE),
    )


def _encoded(source: DataSource) -> tuple[list[str], Callable[[int], bytes]]:
    """List the images that a source uses, with a function from row to encoded bytes."""
    if source.stream:
        streamed_samples, streamed = read_streamed(source, _SIDE)
        return [sample.image for sample in streamed_samples], streamed.encoded
    samples = listed_samples(source)
    images = open_images(Path(source.images), keep_folders=samples is None)
    wanted = list(images) if samples is None else [images.find(s.image) for s in samples]
    used = chosen(source, [name for name in wanted if name is not None])
    names = list(dict.fromkeys(used))
    return names, lambda row: images.read(names[row])


def _digest(source: DataSource) -> str:
    digest = hashlib.sha256(f"1 {source.split} {source.labels is None}".encode())
    if source.skip or source.limit:
        digest.update(f"{source.skip} {source.limit}".encode())
    for path in filter(None, (source.images, source.captions, source.labels)):
        root = Path(path).resolve()
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_file():
                state = file.stat()
                digest.update(f"{file} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def find_leaks(
    train: Fingerprints,
    evaluation: Fingerprints,
    max_bits: int = MAX_BITS,
    min_correlation: float = MIN_CORRELATION,
) -> list[Leak]:
    """Find pairs that show the same image, highest correlation first.

    Every pair of hashes is compared (20,000 against 11,000 images: 1.8 billion bit counts),
    thumbnails only where hashes are near. Images without structure are in no pair.

    Args:
        train: images of the training data.
        evaluation: images of the evaluation set.
        max_bits: largest difference of two hashes, of 64 bits.
        min_correlation: smallest correlation of two thumbnails, at most 1.
    """
    # for one array with itself near_pairs skips the pair of an image with itself; a copy avoids it
    rows, others, bits = near_pairs(train.hashes, evaluation.hashes.copy(), max_bits)
    correlations = _correlations(train.thumbs, evaluation.thumbs, rows, others)
    pairs = zip(rows.tolist(), others.tolist(), bits.tolist(), correlations.tolist(), strict=True)
    leaks = [
        Leak(
            train_source=train.source,
            train=train.names[i],
            eval_source=evaluation.source,
            eval=evaluation.names[j],
            bits=differing,
            correlation=round(correlation, 4),
        )
        for i, j, differing, correlation in pairs
        if correlation >= min_correlation
    ]
    return sorted(leaks, key=lambda leak: (-leak.correlation, leak.train, leak.eval))


def _correlations(
    left: UInt8[np.ndarray, "n side side"],
    right: UInt8[np.ndarray, "m side side"],
    rows: Int64[np.ndarray, " p"],
    others: Int64[np.ndarray, " p"],
) -> Float64[np.ndarray, " p"]:
    """Compute the largest correlation of two thumbnails over eight orientations, per pair."""
    best = np.full(len(rows), -1.0)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        first, second = _standardized(left[rows[block]]), _standardized(right[others[block]])
        for plane in (second, second.swapaxes(1, 2)):
            for down in (1, -1):
                for across in (1, -1):
                    turned = plane[:, ::down, ::across]
                    best[block] = np.maximum(best[block], np.einsum("pij,pij->p", first, turned))
    return best


def _standardized(grey: UInt8[np.ndarray, "p side side"]) -> Float32[np.ndarray, "p side side"]:
    centred = grey.astype(np.float32) - grey.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    length = np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)


def check_leakage(config: TrainConfig, progress: Progress = silent) -> None:
    """Refuse a training whose validation images are in its training data.

    With `allow_leakage` a warning tells how many images are in both.

    Raises:
        ConfigError: images of a validation set are in the training data.
    """
    found = find_config_leaks(config, progress)
    leaks = [leak for leak in found if leak.bits > config.merge_bits]  # the others are left out
    if not leaks:
        return
    first = leaks[0]
    message = (
        f"{len({(leak.eval_source, leak.eval) for leak in leaks})} validation images are in the "
        f"training data, first {first.eval} of {first.eval_source} = {first.train} of "
        f"{first.train_source} (hashes differ in {first.bits} bits, correlation "
        f"{first.correlation:.3f})"
    )
    if not config.allow_leakage:
        raise ConfigError(
            f"{message}; remove them, or set allow_leakage to true. The command `terraseek "
            "evaluate leakage --config` lists all"
        )
    _log.warning("%s; allowed by the config", message)


def find_config_leaks(config: TrainConfig, progress: Progress = silent) -> list[Leak]:
    """Find leaks between the training sources and the validation sets of a config."""
    val_sets = [source for source in (config.val, *config.val_extra) if source is not None]
    if not val_sets:
        return []
    return find_source_leaks(config.data, val_sets, Path(config.cache), progress)


def find_source_leaks(
    train: Sequence[DataSource],
    evaluation: Sequence[DataSource],
    cache: Path,
    progress: Progress = silent,
) -> list[Leak]:
    """Find leaks between any sources; see `fingerprints` and `find_leaks`."""
    evaluation_prints = [fingerprints(source, cache, progress) for source in evaluation]
    return [
        leak
        for source in train
        for train_prints in [fingerprints(source, cache, progress)]
        for prints in evaluation_prints
        for leak in find_leaks(train_prints, prints)
    ]
