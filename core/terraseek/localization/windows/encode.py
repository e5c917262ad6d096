"""Encode the windows of a scene: one thread reads, another encodes; finished chunks are kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, UInt8

from terraseek.encoders.base import Encoder
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.reader import WindowReader
from terraseek.localization.windows.vector_files import CHUNKS_SUFFIX, load_arrays, save_arrays
from terraseek.progress import Progress
from terraseek.scenes import Scene

__all__ = ["Encoded", "encode_windows"]

_BATCHES_PER_CHUNK = 8
_BATCHES_AHEAD = 2

Encoded = tuple[Float16[np.ndarray, "n dim"], Bool[np.ndarray, " n"]]
"""Unit vectors of windows, and which windows had enough valid pixels to get one."""


def encode_windows(
    scene: Scene, lattice: Lattice, encoder: Encoder, store: Path | None, progress: Progress
) -> Encoded:
    """Encode all windows; chunks of an interrupted run are loaded instead.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: encodes the windows.
        store: file the vectors will be stored in; chunks are kept beside it. None: keep none.
        progress: called with the number of windows done; it may raise `Cancelled`.

    Raises:
        TruncatedImageError: the pixels could not be decoded.
    """
    count = len(lattice)
    vectors = np.zeros((count, encoder.dim), np.float16)
    encoded = np.zeros(count, bool)
    size = encoder.batch_size * _BATCHES_PER_CHUNK
    folder = store.with_suffix(CHUNKS_SUFFIX) if store else None
    todo = []
    for start in range(0, count, size):
        end = min(start + size, count)
        chunk = load_arrays(folder / f"{start}.npz") if folder else None
        if chunk is not None:
            vectors[start:end], encoded[start:end] = chunk["vectors"], chunk["known"]
        else:
            todo.append((start, end))
    n_done = count - sum(end - start for start, end in todo)
    progress("encode windows", n_done, count)  # the first batch takes a while: say how many
    for batch in _read_batches(scene, lattice, encoder, todo):
        encoded[batch.start : batch.end] = batch.enough_valid
        rows = np.flatnonzero(batch.enough_valid) + batch.start
        vectors[rows] = encoder.encode_squares(batch.squares).astype(np.float16)
        n_done += batch.end - batch.start
        progress("encode windows", n_done, count)
        if folder and batch.chunk_start is not None:
            span = slice(batch.chunk_start, batch.end)
            arrays = {"vectors": vectors[span], "known": encoded[span]}
            save_arrays(folder / f"{batch.chunk_start}.npz", arrays)
    return vectors, encoded


@dataclass(frozen=True, eq=False)
class _Batch:
    """Windows `start` up to `end` of a lattice, read and resized."""

    start: int
    end: int
    chunk_start: int | None
    """First window of the chunk that this batch completes; None if it completes none."""
    enough_valid: Bool[np.ndarray, " n"]
    """Which of the windows have enough valid pixels."""
    squares: UInt8[np.ndarray, "m side side 3"]
    """Pixels of these windows."""


def _read_batches(
    scene: Scene, lattice: Lattice, encoder: Encoder, chunks: list[tuple[int, int]]
) -> Iterator[_Batch]:
    """Batches in file order; the next two are read while one is encoded."""
    spans = []
    for first, last in chunks:
        for start in range(first, last, encoder.batch_size):
            end = min(start + encoder.batch_size, last)
            spans.append((start, end, first if end == last else None))
    reader = WindowReader(scene, encoder.image_size)

    def read(span: tuple[int, int, int | None]) -> _Batch:
        start, end, chunk_start = span
        enough_valid, squares = reader.squares(lattice.windows[start:end])
        return _Batch(start, end, chunk_start, enough_valid, squares)

    with ThreadPoolExecutor(1, thread_name_prefix="scene-reader") as pool:
        pending = [pool.submit(read, span) for span in spans[:_BATCHES_AHEAD]]
        for position in range(len(spans)):
            batch = pending.pop(0).result()
            if position + _BATCHES_AHEAD < len(spans):
                pending.append(pool.submit(read, spans[position + _BATCHES_AHEAD]))
            yield batch
