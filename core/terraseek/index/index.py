"""An index over a store's vectors: asked for likely rows, which are then scored exactly."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from terraseek.embeddings.store import EmbeddingStore
from terraseek.errors import StoreCorruptError, StoreError
from terraseek.index.manifest import IndexManifest, again, index_folder, scale_file
from terraseek.index.plan import AXES
from terraseek.index.scan import CodeScan, certain_best, faiss_module

__all__ = ["ExactIndex", "FaissIndex", "Index", "open_index", "share_lists", "usable_index"]

_log = logging.getLogger(__name__)
_MOST_EFFORT = 8
_BY_LIST = 14  # FAISS' number of the search that is parallel over pairs of query and list
_FLOAT16_ERROR = 4e-6
"""float16 products are added in float32: of unit vectors the sum is off by less than this."""

Exact = Callable[[Int64[np.ndarray, " m"]], Float64[np.ndarray, " m"]]
"""Exact scores of rows."""


class Index(ABC):
    """Likely rows for a query; which of them are best is decided by exact scores."""

    count: int
    """Rows it covers, which are the first of the store."""

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether no better row is ever missed."""

    @abstractmethod
    def likely(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact: Exact,
        wanted: UInt8[np.ndarray, " bytes"] | None = None,
        share: float = 1.0,
    ) -> Int64[np.ndarray, " m"] | None:
        """Rows among which the `k` best are looked for.

        Args:
            query: unit vector.
            k: how many hits are wanted.
            exact: scores of rows, for kinds that prove their answer.
            wanted: bits of the rows that may be found (`scan.packed`); all without it.
            share: which part of the rows that is.

        Returns:
            The rows, perhaps fewer than `k`, or None if the index cannot tell.
        """


class ExactIndex(Index):
    """Codes that are scanned whole, with a bound on what they can be off."""

    def __init__(
        self,
        codes: np.ndarray,
        scale: float | Float32[np.ndarray, " dim"] = 1.0,
        error: float = 0.0,
    ) -> None:
        """Wrap codes as `CodeScan` takes them; `error`: the furthest of a vector from its."""
        self.count = len(codes)
        self._scan = CodeScan(codes, scale)
        self._error = error

    @property
    def is_exact(self) -> bool:
        """True: a scan that cannot tell says so."""
        return True

    def likely(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact: Exact,
        wanted: UInt8[np.ndarray, " bytes"] | None = None,
        share: float = 1.0,
    ) -> Int64[np.ndarray, " m"] | None:
        """Rows that certainly include the `k` best."""
        error = (self._error + _FLOAT16_ERROR) * float(np.linalg.norm(query))
        return certain_best(self._scan, query, k, error, exact, wanted)


class FaissIndex(Index):
    """A FAISS index; a filter is obeyed while it searches, not afterwards."""

    def __init__(self, manifest: IndexManifest, index: Any) -> None:  # noqa: ANN401
        self.count = manifest.count
        self.manifest = manifest
        """What it is."""
        self._index = index

    @property
    def is_exact(self) -> bool:
        """False: see `recall_at_10` of the manifest."""
        return False

    def likely(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact: Exact,
        wanted: UInt8[np.ndarray, " bytes"] | None = None,
        share: float = 1.0,
    ) -> Int64[np.ndarray, " m"] | None:
        """The `shortlist` likeliest rows, more where more hits are wanted."""
        take = min(max(self.manifest.shortlist, 10 * k), self.manifest.count)
        # where few rows pass, their neighbours lie further apart
        effort = round(self.manifest.effort * min(_MOST_EFFORT, 1 / max(share, 1e-9)))
        _, found = self._index.search(query[None], take, params=self._parameters(effort, wanted))
        rows: Int64[np.ndarray, " m"] = found[0][found[0] >= 0].astype(np.int64)
        return rows

    def _parameters(self, effort: int, wanted: UInt8[np.ndarray, " bytes"] | None) -> Any:  # noqa: ANN401
        faiss = faiss_module()
        chosen = {} if wanted is None else {"sel": faiss.IDSelectorBitmap(wanted)}
        if self.manifest.kind == "hnsw":
            return faiss.SearchParametersHNSW(efSearch=effort, **chosen)
        lists = faiss.extract_index_ivf(self._index).nlist
        inner = faiss.SearchParametersIVF(nprobe=min(effort, lists), **chosen)
        if self.manifest.factory.startswith(AXES):
            return faiss.SearchParametersPreTransform(index_params=inner)
        return inner


def open_index(store: EmbeddingStore) -> Index | None:
    """The index of a store, mapped where its kind allows; None if it has or needs none.

    Raises:
        EncoderMismatchError: it is of another encoder.
        StoreCorruptError: it is damaged, or of other rows.
    """
    manifest = IndexManifest.read(store)
    if manifest is None or manifest.kind == "flat":
        return None
    if manifest.kind == "fp16":
        return ExactIndex(store.vectors[: manifest.count])
    path = index_folder(store) / manifest.file
    try:
        if manifest.kind == "int8":
            codes = np.load(path, mmap_mode="r")
            _check_shape(codes.shape, manifest)
            return ExactIndex(codes, np.load(scale_file(path)), manifest.error)
        return FaissIndex(manifest, _read(str(path), manifest))
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreCorruptError(f"{path} cannot be read ({error}); {again(store)}") from error


def usable_index(store: EmbeddingStore) -> Index | None:
    """The index of a store; None, with a warning, where it cannot be used."""
    try:
        return open_index(store)
    except StoreError as error:
        _log.warning("searching without an index: %s", error)
        return None


def _read(path: str, manifest: IndexManifest) -> Any:  # noqa: ANN401
    faiss = faiss_module()
    index = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    _check_shape((index.ntotal, index.d), manifest)
    share_lists(index)
    return index


def share_lists(index: Any) -> None:  # noqa: ANN401
    """Let threads share the lists one query looks into; left alone, fast scan shares queries."""
    faiss = faiss_module()
    lists = faiss.try_extract_index_ivf(index)
    inner = None if lists is None else faiss.downcast_index(lists)
    if isinstance(inner, faiss.IndexIVFPQFastScan) and faiss.omp_get_max_threads() > 1:
        inner.implem = _BY_LIST


def _check_shape(shape: tuple[int, ...], manifest: IndexManifest) -> None:
    if shape != (manifest.count, manifest.dim):
        raise ValueError(f"it holds {shape}, not {(manifest.count, manifest.dim)}")
