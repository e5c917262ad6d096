"""Encode a catalogue: images are decoded ahead by threads of their own while the encoder works.

Work is kept in parts of some thousand rows, each written whole; a job that was killed goes on after
the last part. The store itself changes only at the end.
"""

import logging
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
from jaxtyping import Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.store import EmbeddingStore, store_folder
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.base import Encoder
from terraseek.errors import CatalogueError, SceneError
from terraseek.progress import Progress, silent

__all__ = ["decoded", "embed_catalogue"]

_log = logging.getLogger(__name__)
_AHEAD = 4


def embed_catalogue(
    catalogue: Catalogue,
    encoder: Encoder,
    progress: Progress = silent,
    *,
    part_rows: int = 2048,
    workers: int | None = None,
) -> EmbeddingStore:
    """Make or complete the store of an encoder; only what has no vector yet is encoded.

    Images, captions, and the metadata part of captions that have one (`Catalogue.texts`) get
    vectors of their own.

    Images that cannot be decoded get a zero row without `HAS_IMAGE`, are named in the log and
    tried again next time.

    Args:
        catalogue: whose items.
        encoder: what encodes them.
        progress: called with the stage `embed`.
        part_rows: rows after which work is kept.
        workers: threads that decode; one a core without it, two at least.

    Raises:
        CatalogueError: another process is embedding the same.
        Cancelled: the callback asked to stop; finished parts are kept.
    """
    folder = store_folder(catalogue, encoder.name)
    with exclusive(folder):
        job = StoreJob(catalogue, encoder, folder, progress)
        missing = job.missing()
        progress("embed", catalogue.count - len(missing), catalogue.count)
        with closing(decoded(catalogue, encoder, missing, workers)) as squares:
            for start in range(0, len(missing), part_rows):
                job.encode(missing[start : start + part_rows], squares)
        untold = job.untold()
        for start in range(0, len(untold), part_rows):
            job.encode_words(untold[start : start + part_rows])
        job.finish()
    # an image that failed is counted here, too
    progress("embed", catalogue.count, catalogue.count)
    return EmbeddingStore.open(catalogue, encoder.encoder_id)


def decoded(
    catalogue: Catalogue, encoder: Encoder, rows: Int64[np.ndarray, " m"], workers: int | None
) -> Generator[UInt8[np.ndarray, "side side 3"] | None]:
    """Images of some rows as the encoder's squares, in order; None for one that is damaged.

    Decoding runs ahead of whoever takes them, by a few batches, and never waits for a part to be
    written.
    """
    ids = catalogue.item_ids

    def square(row: int) -> UInt8[np.ndarray, "side side 3"] | None:
        key = ids[row].decode()
        try:
            return encoder.fit(catalogue.read_image(key))
        except (SceneError, CatalogueError, OSError) as error:
            _log.warning("item %s has no vector: %s", key, error)
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
