"""Decode images of a catalogue ahead of the encoder, in threads."""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.decoding import TimeLimit
from terraseek.encoders.base import Encoder
from terraseek.errors import CatalogueError, SceneError

__all__ = ["decode_images", "log_unusable"]

_log = logging.getLogger(__name__)
_AHEAD = 4


def log_unusable(item: str, reason: str) -> None:
    """Report an item whose image cannot be encoded."""
    _log.warning("item %s has no vector: %s", item, reason)


def decode_images(
    catalogue: Catalogue,
    encoder: Encoder,
    rows: Int64[np.ndarray, " m"],
    workers: int | None,
    report: Callable[[str, str], None] = log_unusable,
) -> Generator[UInt8[np.ndarray, "side side 3"] | None]:
    """Yield the images of rows as input squares of the encoder, in order.

    An item without a usable image yields None. Decoding runs a few batches ahead of the consumer,
    also while chunks are written.

    Args:
        catalogue: of the images.
        encoder: whose squares are made.
        rows: of the catalogue.
        workers: number of threads; by default one per core, at least two.
        report: called with the id of each item whose image cannot be used, and the reason.
    """
    ids, has_image = catalogue.item_ids, catalogue.has_image

    def square(row: int, unchecked: bool) -> UInt8[np.ndarray, "side side 3"] | None:
        if not has_image[row]:
            return None
        key = ids[row].decode()
        try:
            with TimeLimit(f"the image of item {key}"):
                image = catalogue.read_image(key, verify=unchecked)
            return encoder.fit(image)
        except (SceneError, CatalogueError, OSError, MemoryError) as error:
            report(key, str(error) or type(error).__name__)
            return None

    pool = ThreadPoolExecutor(workers or max(2, os.cpu_count() or 2), "decode")
    try:
        waiting: deque[Future[UInt8[np.ndarray, "side side 3"] | None]] = deque()
        unchecked = _unchecked(catalogue, rows)
        for row, one in zip(rows.tolist(), unchecked.tolist(), strict=True):
            waiting.append(pool.submit(square, row, one))
            if len(waiting) > _AHEAD * encoder.batch_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _unchecked(catalogue: Catalogue, rows: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
    """Whether the import did not decode an image (`--no-check`), so that its size is unknown."""
    if "width" not in catalogue.columns:
        return np.ones(len(rows), bool)
    widths = catalogue.items_at(rows, ["width"])["width"]
    unknown: Bool[np.ndarray, " m"] = widths.isna().to_numpy()
    return unknown
