"""Encode a catalogue; images are decoded ahead in threads while the encoder works.

Encoded rows are written in chunks of some thousand rows; a killed job continues after the last
chunk. The store itself changes only at the end.
"""

import logging
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.decoding import TimeLimit
from terraseek.embeddings.compact import finish_killed_compaction
from terraseek.embeddings.store import EmbeddingStore, store_folder
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.base import Encoder
from terraseek.errors import CatalogueError, SceneError
from terraseek.progress import Progress, silent

__all__ = ["decode_images", "embed_catalogue"]

_log = logging.getLogger(__name__)
_AHEAD = 4


def embed_catalogue(
    catalogue: Catalogue,
    encoder: Encoder,
    progress: Progress = silent,
    *,
    chunk_rows: int = 2048,
    workers: int | None = None,
) -> EmbeddingStore:
    """Create or complete the store of an encoder; existing vectors are kept.

    Images, captions, and metadata parts of captions (`Catalogue.metadata_texts`) have separate
    vectors. Items without an image have those of their texts, until an image is attached. Images
    that cannot be decoded get a zero row without `HAS_IMAGE`, are reported in the log and tried
    again the next time.

    Args:
        catalogue: to encode.
        encoder: to use.
        progress: called with the stage `embed`.
        chunk_rows: number of rows per chunk.
        workers: number of decoding threads; by default one per core, at least two.

    Raises:
        CatalogueError: another process is changing the same store.
        OutputError: the disk has no room; finished chunks are kept.
        Cancelled: the callback asked to stop; finished chunks are kept.
    """
    finish_killed_compaction(catalogue)
    folder = store_folder(catalogue, encoder.name)
    with exclusive(folder):
        job = StoreJob(catalogue, encoder, folder, progress)
        missing = job.missing()
        progress("embed", catalogue.count - len(missing), catalogue.count)
        with closing(decode_images(catalogue, encoder, missing, workers)) as squares:
            for start in range(0, len(missing), chunk_rows):
                job.encode(missing[start : start + chunk_rows], squares)
        uncaptioned = job.rows_missing_captions()
        for start in range(0, len(uncaptioned), chunk_rows):
            job.encode_captions(uncaptioned[start : start + chunk_rows])
        job.finish()
    # includes images that failed
    progress("embed", catalogue.count, catalogue.count)
    return EmbeddingStore.open(catalogue, encoder.encoder_id)


def decode_images(
    catalogue: Catalogue, encoder: Encoder, rows: Int64[np.ndarray, " m"], workers: int | None
) -> Generator[UInt8[np.ndarray, "side side 3"] | None]:
    """Yield the images of rows as input squares of the encoder, in order.

    An item without a usable image yields None. Decoding runs a few batches ahead of the consumer,
    also while chunks are written.
    """
    ids, has_image = catalogue.item_ids, catalogue.has_image
    unchecked = _unchecked(catalogue)

    def square(row: int) -> UInt8[np.ndarray, "side side 3"] | None:
        if not has_image[row]:
            return None
        key = ids[row].decode()
        try:
            with TimeLimit(f"the image of item {key}"):
                image = catalogue.read_image(key, verify=bool(unchecked[row]))
            return encoder.fit(image)
        except (SceneError, CatalogueError, OSError, MemoryError) as error:
            _log.warning("item %s has no vector: %s", key, error or type(error).__name__)
            return None

    pool = ThreadPoolExecutor(workers or max(2, os.cpu_count() or 2), "decode")
    try:
        waiting: deque[Future[UInt8[np.ndarray, "side side 3"] | None]] = deque()
        for row in rows.tolist():
            waiting.append(pool.submit(square, row))
            if len(waiting) > _AHEAD * encoder.batch_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _unchecked(catalogue: Catalogue) -> Bool[np.ndarray, " rows"]:
    """Rows whose image the import did not decode (`--no-check`), so that their size is unknown."""
    if "width" not in catalogue.columns:
        return np.ones(catalogue.row_count, bool)
    widths = catalogue.items(["width"], deleted=True)["width"]
    unknown: Bool[np.ndarray, " rows"] = widths.isna().to_numpy()
    return unknown
