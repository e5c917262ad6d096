"""Encode the windows of a scene: one thread reads, another encodes; finished chunks are kept.

Whoever watches gets answers before all windows are encoded: windows of all sides but the smallest
are then encoded first, which are about a quarter of a half-stride lattice.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Int32, Int64, UInt8

from terraseek.encoders.base import Encoder
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.reader import WindowReader
from terraseek.localization.windows.vector_files import CHUNKS_SUFFIX, load_arrays, save_arrays
from terraseek.progress import Progress
from terraseek.scenes import Scene

__all__ = ["PARTIAL_STEP", "Encoded", "OnPartial", "coarse_first", "encode_windows"]

_BATCHES_PER_CHUNK = 8
_BATCHES_AHEAD = 2
PARTIAL_STEP = 0.25
"""Part of the windows after which those encoded so far are handed out, and again after each."""

Encoded = tuple[Float16[np.ndarray, "n dim"], Bool[np.ndarray, " n"]]
"""Unit vectors of windows, and which windows had enough valid pixels to get one."""
OnPartial = Callable[[Encoded], None]
"""Receives the windows encoded so far, the others as if they had too few valid pixels; it must not
keep the arrays, which are filled further."""


def encode_windows(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    store: Path | None,
    progress: Progress,
    on_partial: OnPartial | None = None,
) -> Encoded:
    """Encode all windows; chunks of an interrupted run are loaded instead.

    The vectors do not depend on `on_partial`.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: encodes the windows.
        store: file the vectors will be stored in; chunks are kept beside it. None: keep none.
        progress: called with the number of windows done; it may raise `Cancelled`.
        on_partial: called about once for each quarter of the windows, but not for the last.

    Raises:
        TruncatedImageError: the pixels could not be decoded.
    """
    count = len(lattice)
    batches = _FullBatches(encoder, count, pad=scene.has_mask and count >= encoder.batch_size)
    vectors, encoded = batches.vectors, batches.encoded
    order, n_first = np.arange(count), 0
    if on_partial is not None:
        order, n_first = coarse_first(lattice, encoder.batch_size)
    name = "coarse-{}.npz" if n_first else "{}.npz"  # chunks of one order are none of the other
    size = encoder.batch_size * _BATCHES_PER_CHUNK
    folder = store.with_suffix(CHUNKS_SUFFIX) if store else None
    todo = []
    for start in range(0, count, size):
        end = min(start + size, count)
        chunk = load_arrays(folder / name.format(start)) if folder else None
        if chunk is not None:
            span = order[start:end]
            vectors[span], encoded[span] = chunk["vectors"], chunk["known"]
        else:
            todo.append((start, end))
    n_done = count - sum(end - start for start, end in todo)
    next_partial = max(n_first, count * PARTIAL_STEP)
    progress("encode windows", n_done, count)  # the first batch takes a while: say how many
    for batch in _read_batches(scene, lattice.windows[order], encoder, todo):
        batches.add(order[batch.start : batch.end][batch.enough_valid], batch.squares)
        if batch.chunk_start is not None:
            batches.finish()
        n_done += batch.end - batch.start
        progress("encode windows", n_done, count)
        if folder and batch.chunk_start is not None:
            span = order[batch.chunk_start : batch.end]
            arrays = {"vectors": vectors[span], "known": encoded[span]}
            save_arrays(folder / name.format(batch.chunk_start), arrays)
        if on_partial is not None and next_partial <= n_done - batches.n_waiting < count:
            next_partial = n_done + count * PARTIAL_STEP
            on_partial((vectors, encoded))
    return vectors, encoded


def coarse_first(lattice: Lattice, batch_size: int) -> tuple[Int64[np.ndarray, " n"], int]:
    """Windows of all sides but the smallest first, then the others, each in file order.

    The windows of the last, incomplete batch stay where they are: an encoder may round a small
    batch differently, and so the vectors are the same bit for bit as in file order.

    Args:
        lattice: the windows.
        batch_size: of the encoder.

    Returns:
        The order, and how many windows come first; 0 for windows of a single side.
    """
    last = len(lattice) - len(lattice) % batch_size
    is_coarse = lattice.scale[:last] > lattice.scales[0]
    head = np.concatenate([np.flatnonzero(is_coarse), np.flatnonzero(~is_coarse)])
    return np.concatenate([head, np.arange(last, len(lattice))]), int(is_coarse.sum())


class _FullBatches:
    """Encodes windows in batches of equal size, whichever of them have too few valid pixels.

    An encoder may round a small batch differently. In a scene with invalid pixels the windows that
    share a batch depend on the order, so that there incomplete batches are filled up.
    """

    def __init__(self, encoder: Encoder, count: int, pad: bool) -> None:
        """Prepare for `count` windows; `pad`: fill up incomplete batches."""
        self._encoder, self._pad = encoder, pad
        self.vectors: Float16[np.ndarray, "n dim"] = np.zeros((count, encoder.dim), np.float16)
        """Unit vectors of the windows encoded so far, zero for the others."""
        self.encoded: Bool[np.ndarray, " n"] = np.zeros(count, bool)
        """Which windows have a vector."""
        self._rows = np.empty(0, np.int64)
        side = encoder.image_size
        self._squares = np.empty((0, side, side, 3), np.uint8)

    @property
    def n_waiting(self) -> int:
        """Windows that wait for their batch to be full."""
        return len(self._rows)

    def add(
        self, rows: Int64[np.ndarray, " m"], squares: UInt8[np.ndarray, "m side side 3"]
    ) -> None:
        """Encode windows, those of an incomplete batch later."""
        self._rows = np.concatenate([self._rows, rows])
        self._squares = np.concatenate([self._squares, squares])
        while len(self._rows) >= self._encoder.batch_size:
            self._encode(self._encoder.batch_size)

    def finish(self) -> None:
        """Encode the windows that wait."""
        if len(self._rows):
            self._encode(len(self._rows))

    def _encode(self, count: int) -> None:
        rows, squares = self._rows[:count], self._squares[:count]
        self._rows, self._squares = self._rows[count:], self._squares[count:]
        if self._pad and count < self._encoder.batch_size:
            fill = [(0, self._encoder.batch_size - count), (0, 0), (0, 0), (0, 0)]
            squares = np.pad(squares, fill)
        self.vectors[rows] = self._encoder.encode_squares(squares)[:count].astype(np.float16)
        self.encoded[rows] = True


@dataclass(frozen=True, eq=False)
class _Batch:
    """Windows `start` up to `end`, read and resized."""

    start: int
    end: int
    chunk_start: int | None
    """First window of the chunk that this batch completes; None if it completes none."""
    enough_valid: Bool[np.ndarray, " n"]
    """Which of the windows have enough valid pixels."""
    squares: UInt8[np.ndarray, "m side side 3"]
    """Pixels of these windows."""


def _read_batches(
    scene: Scene,
    windows: Int32[np.ndarray, "n 4"],
    encoder: Encoder,
    chunks: list[tuple[int, int]],
) -> Iterator[_Batch]:
    """Batches in the order of the windows; the next two are read while one is encoded."""
    spans = []
    for first, last in chunks:
        for start in range(first, last, encoder.batch_size):
            end = min(start + encoder.batch_size, last)
            spans.append((start, end, first if end == last else None))
    reader = WindowReader(scene, encoder.image_size)

    def read(span: tuple[int, int, int | None]) -> _Batch:
        start, end, chunk_start = span
        enough_valid, squares = reader.squares(windows[start:end])
        return _Batch(start, end, chunk_start, enough_valid, squares)

    with ThreadPoolExecutor(1, thread_name_prefix="scene-reader") as pool:
        pending = [pool.submit(read, span) for span in spans[:_BATCHES_AHEAD]]
        for position in range(len(spans)):
            batch = pending.pop(0).result()
            if position + _BATCHES_AHEAD < len(spans):
                pending.append(pool.submit(read, spans[position + _BATCHES_AHEAD]))
            yield batch
