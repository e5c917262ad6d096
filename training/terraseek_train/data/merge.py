"""Merge data sets that share images: what an earlier one or a validation set holds is left out."""

from pathlib import Path

import numpy as np

from terraseek.imagehash import near_pairs
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig
from terraseek_train.data.leakage import fingerprints

__all__ = ["repeated_images"]


def repeated_images(config: TrainConfig, progress: Progress = silent) -> list[frozenset[str]]:
    """List the images of each training source to leave out of a merge; none without `merge_bits`.

    An image is left out if its perceptual hash differs in at most `merge_bits` bits from that of an
    image of a validation set or of an earlier source (RET-2 of GeoRSCLIP and EBAKER's merge: 2).
    Images of one source are not compared with each other.
    """
    if config.merge_bits < 0:
        return [frozenset()] * len(config.data)
    cache = Path(config.cache)
    val_sets = [source for source in (config.val, *config.val_extra) if source is not None]
    known = [fingerprints(source, cache, progress).hashes for source in val_sets]
    left_out = []
    for source in config.data:
        prints = fingerprints(source, cache, progress)
        repeated: set[int] = set()
        for hashes in known:
            rows, _, _ = near_pairs(prints.hashes, hashes.copy(), config.merge_bits)
            repeated |= set(rows.tolist())
        kept = np.setdiff1d(np.arange(len(prints.names)), np.array(sorted(repeated), np.int64))
        known.append(prints.hashes[kept])
        left_out.append(frozenset(prints.names[row] for row in repeated))
    return left_out
