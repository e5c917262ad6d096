"""The windows of a scene as vectors: computed once, kept, and asked with any later sentence."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, UInt8

from terraseek.encoders.base import Encoder
from terraseek.errors import EncoderMismatchError, NoValidPixelsError
from terraseek.files import home
from terraseek.localization.windows.cache import Arrays, Recent, limit_bytes, prune, touch
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.reader import MIN_VALID, WindowReader
from terraseek.localization.windows.vector_files import load_arrays, save_arrays
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["Encoded", "SceneEmbedding", "embed_windows", "embedding_of"]

_CACHE_VERSION = 2
"""Raised when windows are cut or filled differently, so that old vectors are not mixed in."""
_BATCHES_A_PART = 8
_recent = Recent(512 << 20)
_SINGLE_BYTES = 256 << 20
"""Vectors are kept in memory in single precision up to this size: a product with half precision
spends its time on converting."""
_ROWS_AT_ONCE = 4096

Encoded = tuple[Float16[np.ndarray, "n dim"], Bool[np.ndarray, " n"]]
"""Vectors of windows, and which of them held enough valid pixels."""


@dataclass(frozen=True, eq=False)
class SceneEmbedding:
    """Unit vectors of a lattice's windows in one encoder's space."""

    lattice: Lattice
    encoder_id: str
    vectors: Float16[np.ndarray, "n dim"]
    """One row a window; zero where the window was skipped. Large ones lie in their file."""
    known: Bool[np.ndarray, " n"]
    """Which windows held enough valid pixels to be encoded."""
    valid: Bool[np.ndarray, "h w"] | None
    """Valid pixels of the scene on the heat map's grid, None where all are."""
    seconds: float
    """Wall time this call spent on it; near zero when it came from the cache."""
    stored: bool = False
    """Whether all of it came from the cache."""
    single: Float32[np.ndarray, "n dim"] | None = None
    """`vectors` in single precision, where they are kept so."""

    def scores(
        self, query: Float32[np.ndarray, " dim"], encoder_id: str
    ) -> Float32[np.ndarray, " n"]:
        """Cosine of each window with a unit query vector; NaN for skipped windows.

        Raises:
            EncoderMismatchError: the query comes from another encoder.
        """
        if encoder_id != self.encoder_id:
            raise EncoderMismatchError(
                f"the scene was encoded with {self.encoder_id}, the query with {encoder_id}; "
                "encode both with one model"
            )
        scores = np.empty(len(self.vectors), np.float32)
        if self.single is not None:
            np.matmul(self.single, query, out=scores)
        else:  # in parts, so that a copy of all is never needed
            for start in range(0, len(scores), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                np.matmul(self.vectors[part].astype(np.float32), query, out=scores[part])
        scores[~self.known] = np.nan
        return scores


def embed_windows(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    grid: tuple[int, int],
    cache: bool = True,
    progress: Progress = silent,
) -> SceneEmbedding:
    """Vectors of all windows, from the cache in `home()/scenes` or computed and put there.

    An interrupted run goes on where it stopped: every few hundred windows are written beside.
    The cache is kept within a limit, see `cache`.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: whose space the vectors live in.
        grid: (height, width) of the heat map, on which valid pixels are noted.
        cache: whether disk is used at all.
        progress: called per part; it may raise `Cancelled`.

    Raises:
        NoValidPixelsError: no window holds enough valid pixels.
        TruncatedImageError: the pixels could not be decoded.
        ConfigError: the setting of the cache's size is no number.
    """
    return embedding_of(
        scene,
        lattice,
        encoder,
        grid,
        lambda store: _encode(scene, lattice, encoder, store, progress),
        cache,
    )


def embedding_of(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    grid: tuple[int, int],
    encode: Callable[[Path | None], Encoded],
    cache: bool = True,
    kind: str = "",
) -> SceneEmbedding:
    """Vectors from the cache, or made by `encode` and put there; see `embed_windows`.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: whose space the vectors live in.
        grid: (height, width) of the heat map, on which valid pixels are noted.
        encode: gives vectors and which are known; told the file they will be kept in, beside which
            it may keep parts in a folder with the suffix `.parts`.
        cache: whether disk is used at all.
        kind: where the same windows get other vectors, a word for the way they are made.
    """
    began = time.perf_counter()
    key = (
        f"{scene.scene_hash}-{encoder.encoder_id.replace('/', '_')}-{kind}{lattice.digest}"
        f"-{grid[0]}x{grid[1]}-v{_CACHE_VERSION}"
    )
    # a limit of nothing means no cache; a wrong setting is told before the work, not after it
    store = home() / "scenes" / f"{key}.npz" if cache and limit_bytes() > 0 else None
    found = _recent.get(store, _with_single) if store else None
    stored = found is not None
    if found is None:
        vectors, known = encode(store)
        valid = scene.read(0, 0, scene.height, scene.width, grid)[1] if scene.has_mask else None
        found = {"vectors": vectors, "known": known}
        if valid is not None and not np.all(valid):
            found |= {"valid": np.packbits(valid, axis=1)}
        if store:
            save_arrays(store, found)
            prune(store.parent, keep=store)
    elif store:
        touch(store)
    if not np.any(found["known"]):
        raise NoValidPixelsError(
            f"no window of {scene.name} has {MIN_VALID:.0%} valid pixels; take smaller windows"
        )
    bits = found.get("valid")
    return SceneEmbedding(
        lattice=lattice,
        encoder_id=encoder.encoder_id,
        vectors=found["vectors"],
        known=found["known"],
        valid=None if bits is None else np.unpackbits(bits, axis=1, count=grid[1]).astype(bool),
        seconds=time.perf_counter() - began,
        stored=stored,
        single=found.get("single"),
    )


def _with_single(store: Path) -> Arrays | None:
    found = load_arrays(store)
    if found is not None and 2 * found["vectors"].nbytes <= _SINGLE_BYTES:
        found["single"] = found["vectors"].astype(np.float32)
    return found


def _encode(
    scene: Scene, lattice: Lattice, encoder: Encoder, store: Path | None, progress: Progress
) -> Encoded:
    """Read on a second thread, encode on this one, note finished parts beside `store`."""
    count = len(lattice)
    vectors = np.zeros((count, encoder.dim), np.float16)
    known = np.zeros(count, bool)
    size = encoder.batch_size * _BATCHES_A_PART
    parts = [(start, min(start + size, count)) for start in range(0, count, size)]
    folder = store.with_suffix(".parts") if store else None
    todo = []
    for start, end in parts:
        done = load_arrays(folder / f"{start}.npz") if folder else None
        if done is not None:
            vectors[start:end], known[start:end] = done["vectors"], done["known"]
        else:
            todo.append((start, end))
    finished = count - sum(end - start for start, end in todo)
    progress("encode windows", finished, count)  # the first batch takes a while: say how many
    for batch in _read_ahead(scene, lattice, encoder, todo):
        kept, squares = batch.known, batch.squares
        known[batch.start : batch.end] = kept
        rows = np.flatnonzero(kept) + batch.start
        vectors[rows] = encoder.encode_squares(squares).astype(np.float16)
        finished += batch.end - batch.start
        progress("encode windows", finished, count)
        if folder and batch.last_of is not None:
            start = batch.last_of
            part = {"vectors": vectors[start : batch.end], "known": known[start : batch.end]}
            save_arrays(folder / f"{start}.npz", part)
    return vectors, known


@dataclass(frozen=True, eq=False)
class _Batch:
    start: int
    end: int
    last_of: int | None
    """First window of the part this batch completes."""
    known: Bool[np.ndarray, " n"]
    squares: UInt8[np.ndarray, "m side side 3"]


def _read_ahead(
    scene: Scene, lattice: Lattice, encoder: Encoder, todo: list[tuple[int, int]]
) -> Iterator[_Batch]:
    """Batches in file order, the next two being read while one is encoded."""
    spans = []
    for first, last in todo:
        for start in range(first, last, encoder.batch_size):
            end = min(start + encoder.batch_size, last)
            spans.append((start, end, first if end == last else None))

    reader = WindowReader(scene, encoder.image_size)

    def read(span: tuple[int, int, int | None]) -> _Batch:
        start, end, last_of = span
        known, squares = reader.squares(lattice.windows[start:end])
        return _Batch(start, end, last_of, known, squares)

    with ThreadPoolExecutor(1, thread_name_prefix="scene-reader") as pool:
        waiting = [pool.submit(read, span) for span in spans[:2]]
        for position in range(len(spans)):
            batch = waiting.pop(0).result()
            if position + 2 < len(spans):
                waiting.append(pool.submit(read, spans[position + 2]))
            yield batch
