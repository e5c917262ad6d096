"""Images of an evaluation set that training sees too, found by perceptual hash.

Two images are taken for the same when their hashes (`terraseek.imagehash`, eight orientations)
differ in few bits *and* their grey thumbnails correlate in one of the orientations. The hash alone
is not enough: half sea, half beach looks alike in 64 bits wherever it is. Thresholds were chosen on
real sets; docs/evaluation.md says how and what is missed.
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
from terraseek_train.data.corpus import listed, stream_source
from terraseek_train.data.sources import open_images
from terraseek_train.data.stream import decode_fast

__all__ = [
    "LEAST_CORRELATION",
    "MOST_BITS",
    "Fingerprints",
    "Leak",
    "config_leaks",
    "find_leaks",
    "fingerprints",
    "refuse_leakage",
    "sources_leaks",
]

MOST_BITS = 10
LEAST_CORRELATION = 0.92
_SIDE = 32
_BLOCK = 4096
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of a set's images to find their copies; 1.1 kB each."""

    source: str
    names: tuple[str, ...]
    hashes: UInt64[np.ndarray, "n 8"]
    thumbs: UInt8[np.ndarray, "n 32 32"]
    """The whole image in 32 x 32 grey pixels, aspect ratio lost."""


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
    """Of the thumbnails, at most 1, in the orientation that fits best."""


def fingerprints(source: DataSource, cache: Path, progress: Progress = silent) -> Fingerprints:
    """Hashes and thumbnails of the images a source uses, kept in `cache` between calls.

    An image that cannot be decoded is left out with a warning: nobody can learn it either. Files
    are told apart by path, size and time, so that a set of any size is read only once.

    Raises:
        SourceError: no such path, or no image inside.
        AnnotationError: a caption file that does not follow its layout.
    """
    stored = cache / f"fingerprints-{_digest(source)}.npz"
    if stored.exists():
        with np.load(stored) as kept:
            names = tuple(kept["names"].tolist())
            return Fingerprints(source.name, names, kept["hashes"], kept["thumbs"])
    found = _compute(source, progress)
    with atomic_path(stored) as part, part.open("wb") as file:
        np.savez(file, names=np.array(found.names), hashes=found.hashes, thumbs=found.thumbs)
    return found


def _compute(source: DataSource, progress: Progress) -> Fingerprints:
    names, read = _encoded(source)
    kept, hashes, thumbs = [], [], []
    for row, name in enumerate(names):
        try:
            rgb = decode_fast(read(row), name, 4 * _SIDE)
        except NotAnImageError as error:
            _log.warning("%s; left out of the leakage check", error)
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
    """Names of the images a source uses, and their bytes by row."""
    if source.stream:
        found, pictures = stream_source(source, _SIDE)
        return [sample.image for sample in found], pictures.encoded
    samples = listed(source)
    images = open_images(Path(source.images), keep_folders=samples is None)
    wanted = list(images) if samples is None else [images.find(s.image) for s in samples]
    names = [name for name in dict.fromkeys(wanted) if name is not None]
    return names, lambda row: images.read(names[row])


def _digest(source: DataSource) -> str:
    digest = hashlib.sha256(f"1 {source.split} {source.labels is None}".encode())
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
    held: Fingerprints,
    most_bits: int = MOST_BITS,
    least_correlation: float = LEAST_CORRELATION,
) -> list[Leak]:
    """Pairs that show the same image, the surest first.

    Every pair of hashes is compared (20,000 against 11,000 images: 1.8 billion counts of bits);
    thumbnails only where hashes are near. Images without structure are in no pair.
    """
    # of one array with itself near_pairs leaves out an image's pair with itself; a copy is another
    rows, others, bits = near_pairs(train.hashes, held.hashes.copy(), most_bits)
    alike = _correlations(train.thumbs, held.thumbs, rows, others)
    pairs = zip(rows.tolist(), others.tolist(), bits.tolist(), alike.tolist(), strict=True)
    found = [
        Leak(train.source, train.names[i], held.source, held.names[j], bit, round(value, 4))
        for i, j, bit, value in pairs
        if value >= least_correlation
    ]
    return sorted(found, key=lambda leak: (-leak.correlation, leak.train, leak.eval))


def _correlations(
    left: UInt8[np.ndarray, "n side side"],
    right: UInt8[np.ndarray, "m side side"],
    rows: Int64[np.ndarray, " p"],
    others: Int64[np.ndarray, " p"],
) -> Float64[np.ndarray, " p"]:
    """Largest correlation of two thumbnails over the eight orientations, pair by pair."""
    best = np.full(len(rows), -1.0)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        ours, theirs = _centred(left[rows[part]]), _centred(right[others[part]])
        for plane in (theirs, theirs.swapaxes(1, 2)):
            for down in (1, -1):
                for across in (1, -1):
                    turned = plane[:, ::down, ::across]
                    best[part] = np.maximum(best[part], np.einsum("pij,pij->p", ours, turned))
    return best


def _centred(grey: UInt8[np.ndarray, "p side side"]) -> Float32[np.ndarray, "p side side"]:
    centred = grey.astype(np.float32) - grey.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    length = np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)


def refuse_leakage(config: TrainConfig, progress: Progress = silent) -> None:
    """Compare every training source with every validation split before anything is learnt.

    With `allow_leakage` a warning says how many images are in both.

    Raises:
        ConfigError: images of a validation split are in the training data.
    """
    found = config_leaks(config, progress)
    if not found:
        return
    first = found[0]
    told = (
        f"{len({(leak.eval_source, leak.eval) for leak in found})} validation pictures are in the "
        f"training data, first {first.eval} of {first.eval_source} = {first.train} of "
        f"{first.train_source} (hashes differ in {first.bits} bits, correlation "
        f"{first.correlation:.3f})"
    )
    if not config.allow_leakage:
        raise ConfigError(
            f"{told}; remove them, or set allow_leakage to true. The command `terraseek evaluate "
            "leakage --config` lists all"
        )
    _log.warning("%s; allowed by the config", told)


def config_leaks(config: TrainConfig, progress: Progress = silent) -> list[Leak]:
    """Leaks between a config's training sources and its validation splits."""
    held = [source for source in (config.val, *config.val_extra) if source is not None]
    if not held:
        return []
    return sources_leaks(config.data, held, Path(config.cache), progress)


def sources_leaks(
    train: Sequence[DataSource],
    held: Sequence[DataSource],
    cache: Path,
    progress: Progress = silent,
) -> list[Leak]:
    """Leaks between any sources; see `fingerprints` and `find_leaks`."""
    watched = [fingerprints(source, cache, progress) for source in held]
    return [
        leak
        for source in train
        for ours in [fingerprints(source, cache, progress)]
        for theirs in watched
        for leak in find_leaks(ours, theirs)
    ]
