"""The windows of a scene as unit vectors: encoded once, cached, and compared with any query."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int32

from terraseek.encoders.base import Encoder
from terraseek.errors import EncoderMismatchError, NoValidPixelsError
from terraseek.files import home
from terraseek.localization.windows.cache import MemoryCache, limit_bytes, mark_used, prune
from terraseek.localization.windows.encode import Encoded, OnPartial, encode_windows
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.reader import MIN_VALID
from terraseek.localization.windows.vector_files import Arrays, load_arrays, save_arrays
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["SceneEmbedding", "embed_windows", "load_or_encode", "partial_embeddings"]

_CACHE_VERSION = 2
"""Increased when windows are cut or filled differently, so that old vectors are not mixed in."""
_memory_cache = MemoryCache(512 << 20)
_MAX_FLOAT32_BYTES = 256 << 20
"""Vectors are kept in memory in single precision up to this size: a product with half precision
spends its time on converting."""
_ROWS_PER_PRODUCT = 4096


@dataclass(frozen=True, eq=False)
class SceneEmbedding:
    """Unit vectors of a lattice's windows in the embedding space of one encoder."""

    lattice: Lattice
    encoder_id: str
    vectors: Float16[np.ndarray, "n dim"]
    """One row per window; zero where the window was skipped. Memory-mapped where large."""
    encoded: Bool[np.ndarray, " n"]
    """Which windows had enough valid pixels to be encoded."""
    valid: Bool[np.ndarray, "h w"] | None
    """Valid pixels of the scene on the grid of the heat map; None where all are."""
    seconds: float
    """Wall time of this call; near zero when the vectors came from the cache."""
    from_cache: bool = False
    """Whether all vectors came from the cache."""
    float32_vectors: Float32[np.ndarray, "n dim"] | None = None
    """`vectors` in single precision, where they are kept like this."""

    @cached_property
    def windows(self) -> Int32[np.ndarray, "m 4"]:
        """row0, col0, row1, col1 of the windows that were encoded; ends are exclusive."""
        return self.lattice.windows if self.encoded.all() else self.lattice.windows[self.encoded]

    @cached_property
    def window_sides(self) -> Int32[np.ndarray, " m"]:
        """Side in pixels of each of these windows."""
        sides: Int32[np.ndarray, " m"] = self.lattice.scale[self.encoded]
        return sides

    def scores(
        self, query: Float32[np.ndarray, " dim"], encoder_id: str
    ) -> Float32[np.ndarray, " n"]:
        """Cosine of each window with a unit query vector; NaN for skipped windows.

        Args:
            query: unit vector.
            encoder_id: encoder of the query.

        Raises:
            EncoderMismatchError: the query comes from another encoder.
        """
        if encoder_id != self.encoder_id:
            raise EncoderMismatchError(
                f"the scene was encoded with {self.encoder_id}, the query with {encoder_id}; "
                "encode both with one model"
            )
        scores = np.empty(len(self.vectors), np.float32)
        if self.float32_vectors is not None:
            np.matmul(self.float32_vectors, query, out=scores)
        else:  # in chunks, so that no copy of all vectors is needed
            for start in range(0, len(scores), _ROWS_PER_PRODUCT):
                chunk = slice(start, start + _ROWS_PER_PRODUCT)
                np.matmul(self.vectors[chunk].astype(np.float32), query, out=scores[chunk])
        scores[~self.encoded] = np.nan
        return scores


def embed_windows(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    grid: tuple[int, int],
    progress: Progress = silent,
    cache: bool = True,
    on_partial: Callable[[SceneEmbedding], None] | None = None,
) -> SceneEmbedding:
    """Vectors of all windows, from the cache in `home()/scenes` or encoded and stored there.

    An interrupted run continues where it stopped, because every few hundred windows are stored.
    The size of the cache is limited, see `cache`.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: encodes the windows.
        grid: (height, width) of the heat map, on which the valid mask is kept.
        progress: called after each batch; it may raise `Cancelled`.
        cache: whether vectors are read from and written to the disk.
        on_partial: called with the windows encoded so far, larger ones first, about once for each
            quarter of them; the embedding must not be kept after the call.

    Raises:
        NoValidPixelsError: no window holds enough valid pixels.
        TruncatedImageError: the pixels could not be decoded.
        ConfigError: the setting of the cache's size is not a number.
    """

    def encode(store: Path | None) -> Encoded:
        show = partial_embeddings(scene, lattice, encoder, grid, on_partial)
        return encode_windows(scene, lattice, encoder, store, progress, show)

    return load_or_encode(scene, lattice, encoder, grid, encode, cache)


def partial_embeddings(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    grid: tuple[int, int],
    on_partial: Callable[[SceneEmbedding], None] | None,
) -> OnPartial | None:
    """A receiver of the windows encoded so far, which hands them on as an embedding.

    Args:
        scene: open scene, which is read now: later another thread may be reading its windows.
        lattice: its windows.
        encoder: encodes the windows.
        grid: (height, width) of the heat map, on which the valid mask is kept.
        on_partial: called with the embedding, which must not be kept after the call; None: nobody
            watches.
    """
    if on_partial is None:
        return None
    began = time.perf_counter()
    valid = _unpacked_valid_mask(_packed_valid_mask(scene, grid), grid)

    def show(so_far: Encoded) -> None:
        if np.any(so_far[1]):
            seconds = time.perf_counter() - began
            on_partial(SceneEmbedding(lattice, encoder.encoder_id, *so_far, valid, seconds))

    return show


def load_or_encode(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    grid: tuple[int, int],
    encode: Callable[[Path | None], Encoded],
    cache: bool = True,
    kind: str = "",
) -> SceneEmbedding:
    """Vectors from the cache, or computed by `encode` and stored there; see `embed_windows`.

    Args:
        scene: open scene.
        lattice: its windows.
        encoder: encodes the windows.
        grid: (height, width) of the heat map, on which the valid mask is kept.
        encode: computes vectors and which windows have one. It gets the file they will be stored
            in, beside which it may keep chunks in a folder with the suffix `CHUNKS_SUFFIX`.
        cache: whether vectors are read from and written to the disk.
        kind: part of the file name, for vectors of the same windows that are computed differently.
    """
    began = time.perf_counter()
    key = (
        f"{scene.scene_hash}-{encoder.encoder_id.replace('/', '_')}-{kind}{lattice.digest}"
        f"-{grid[0]}x{grid[1]}-v{_CACHE_VERSION}"
    )
    # a limit of 0 switches the cache off; a wrong setting is reported before the work, not after
    store = home() / "scenes" / f"{key}.npz" if cache and limit_bytes() > 0 else None
    arrays = _memory_cache.get(store, _load_with_float32) if store else None
    from_cache = arrays is not None
    if arrays is None:
        vectors, encoded = encode(store)
        arrays = {"vectors": vectors, "known": encoded} | _packed_valid_mask(scene, grid)
        if store:
            save_arrays(store, arrays)
            prune(store.parent, keep=store)
    elif store:
        mark_used(store)
    if not np.any(arrays["known"]):
        raise NoValidPixelsError(
            f"no window of {scene.name} has {MIN_VALID:.0%} valid pixels; take smaller windows"
        )
    return SceneEmbedding(
        lattice=lattice,
        encoder_id=encoder.encoder_id,
        vectors=arrays["vectors"],
        encoded=arrays["known"],
        valid=_unpacked_valid_mask(arrays, grid),
        seconds=time.perf_counter() - began,
        from_cache=from_cache,
        float32_vectors=arrays.get("float32"),
    )


def _packed_valid_mask(scene: Scene, grid: tuple[int, int]) -> Arrays:
    """Valid pixels on a grid, 8 to a byte, under `valid`; empty where all pixels are valid."""
    if not scene.has_mask:
        return {}
    valid = scene.window(0, 0, scene.height, scene.width, grid)[1]
    return {} if np.all(valid) else {"valid": np.packbits(valid, axis=1)}


def _unpacked_valid_mask(arrays: Arrays, grid: tuple[int, int]) -> Bool[np.ndarray, "h w"] | None:
    bits = arrays.get("valid")
    return None if bits is None else np.unpackbits(bits, axis=1, count=grid[1]).astype(bool)


def _load_with_float32(store: Path) -> Arrays | None:
    arrays = load_arrays(store)
    if arrays is not None and 2 * arrays["vectors"].nbytes <= _MAX_FLOAT32_BYTES:
        arrays["float32"] = arrays["vectors"].astype(np.float32)
    return arrays
