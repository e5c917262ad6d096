"""Index types: exhaustive scan and FAISS index; they select candidates for exact scoring."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from terraseek.catalogue.filters.filter import Filter
from terraseek.checksums import BlockCheck
from terraseek.embeddings.store import EmbeddingStore
from terraseek.errors import StoreCorruptError
from terraseek.files import ARRAY_ERRORS
from terraseek.index.manifest import IndexManifest, index_folder, rebuild_hint, scale_file
from terraseek.index.plan import AXES
from terraseek.index.scan import CodeScan, certified_top_k, faiss_module

__all__ = ["ExactIndex", "FaissIndex", "Index", "open_index", "parallelize_lists"]

_MAX_EFFORT_FACTOR = 8
"""Maximum factor of the search effort under a filter."""
_PARALLEL_LISTS = 14  # FAISS' number of the search that is parallel over query-list pairs
_FLOAT16_ERROR = 4e-6
"""Bound of the error of float32 sums of float16 products of unit vectors."""

ExactScores = Callable[[Int64[np.ndarray, " m"]], Float64[np.ndarray, " m"]]
"""Compute exact scores of rows."""


class Index(ABC):
    """Selects candidate rows for a query; exact scores then rank them."""

    count: int
    """Number of rows it covers, which are the first of the store."""
    checks: Sequence[BlockCheck] = ()
    """Checks of its large files, in the background."""

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether the candidates always include the best rows."""

    @abstractmethod
    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact_scores: ExactScores,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
        selectivity: float = 1.0,
        where: Filter | None = None,
    ) -> Int64[np.ndarray, " m"] | None:
        """Select candidate rows for the `k` best.

        Args:
            query: unit vector.
            k: number of hits wanted.
            exact_scores: computes exact scores of rows, for types that prove their result.
            allowed: bitmap of the rows that may be found (`scan.row_bitmap`); None for all.
            selectivity: fraction of rows that are allowed.
            where: filter of the allowed rows, for types that apply filters themselves.

        Returns:
            The rows, perhaps fewer than `k`, or None if the index cannot answer.
        """

    def uncovered(
        self, rows: Int64[np.ndarray, " m"], where: Filter | None = None
    ) -> Int64[np.ndarray, " u"]:
        """Select those of some ascending rows that the index cannot find; `where` allows all."""
        return rows[np.searchsorted(rows, self.count) :]


class ExactIndex(Index):
    """Exhaustive scan of codes with a known maximum quantization error."""

    def __init__(
        self,
        codes: np.ndarray,
        scale: float | Float32[np.ndarray, " dim"] = 1.0,
        error: float = 0.0,
    ) -> None:
        """Wrap codes of `CodeScan`; `error` is the largest distance of a vector from its code."""
        self.count = len(codes)
        self._scan = CodeScan(codes, scale)
        self._error = error

    @property
    def is_exact(self) -> bool:
        """True: a scan that cannot prove its result returns None."""
        return True

    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact_scores: ExactScores,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
        selectivity: float = 1.0,
        where: Filter | None = None,
    ) -> Int64[np.ndarray, " m"] | None:
        """Select rows that provably include the `k` best."""
        error = (self._error + _FLOAT16_ERROR) * float(np.linalg.norm(query))
        return certified_top_k(self._scan, query, k, error, exact_scores, allowed)


class FaissIndex(Index):
    """A FAISS index; a filter is applied during the search, not afterwards."""

    def __init__(self, manifest: IndexManifest, index: Any) -> None:  # noqa: ANN401
        """Wrap a FAISS index."""
        self.count = manifest.count
        self.manifest = manifest
        """Description of the index."""
        self._index = index

    @property
    def is_exact(self) -> bool:
        """False: the recall is `recall_at_10` of the manifest."""
        return False

    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact_scores: ExactScores,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
        selectivity: float = 1.0,
        where: Filter | None = None,
    ) -> Int64[np.ndarray, " m"] | None:
        """Select the best `shortlist` rows of the index; more if many hits are wanted."""
        take = min(max(self.manifest.shortlist, 10 * k), self.manifest.count)
        # with few allowed rows, more lists or graph nodes must be visited
        effort = round(self.manifest.effort * min(_MAX_EFFORT_FACTOR, 1 / max(selectivity, 1e-9)))
        _, found = self._index.search(query[None], take, params=self._parameters(effort, allowed))
        rows: Int64[np.ndarray, " m"] = found[0][found[0] >= 0].astype(np.int64)
        return rows

    def _parameters(self, effort: int, allowed: UInt8[np.ndarray, " bytes"] | None) -> Any:  # noqa: ANN401
        faiss = faiss_module()
        selector = {} if allowed is None else {"sel": faiss.IDSelectorBitmap(allowed)}
        if self.manifest.kind == "hnsw":
            return faiss.SearchParametersHNSW(efSearch=effort, **selector)
        lists = faiss.extract_index_ivf(self._index).nlist
        inner = faiss.SearchParametersIVF(nprobe=min(effort, lists), **selector)
        if self.manifest.factory.startswith(AXES):
            return faiss.SearchParametersPreTransform(index_params=inner)
        return inner


def open_index(store: EmbeddingStore) -> Index | None:
    """Open the index files of a store, memory-mapped if possible; None if it has or needs none.

    Raises:
        EncoderMismatchError: the index belongs to another encoder.
        StoreCorruptError: the index is damaged, or belongs to other rows.
    """
    manifest = IndexManifest.read(store)
    if manifest is None or manifest.kind == "flat":
        return None
    manifest.verify(store)
    if manifest.kind == "fp16":
        return ExactIndex(store.vectors[: manifest.count])
    path = index_folder(store) / manifest.file
    index: Index
    try:
        if manifest.kind == "int8":
            codes = np.load(path, mmap_mode="r")
            _check_shape(codes.shape, manifest)
            index = ExactIndex(codes, np.load(scale_file(path)), manifest.error)
        else:
            index = FaissIndex(manifest, _read(str(path), manifest))
        index.checks = manifest.check_large_files(store)
        return index
    except (*ARRAY_ERRORS, RuntimeError) as error:
        raise StoreCorruptError(
            f"{path} cannot be read ({error}); {rebuild_hint(store)}"
        ) from error


def _read(path: str, manifest: IndexManifest) -> Any:  # noqa: ANN401
    faiss = faiss_module()
    index = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    _check_shape((index.ntotal, index.d), manifest)
    parallelize_lists(index)
    return index


def parallelize_lists(index: Any) -> None:  # noqa: ANN401
    """Parallelize a search over lists; by default fast scan parallelizes over queries only."""
    faiss = faiss_module()
    lists = faiss.try_extract_index_ivf(index)
    inner = None if lists is None else faiss.downcast_index(lists)
    if isinstance(inner, faiss.IndexIVFPQFastScan) and faiss.omp_get_max_threads() > 1:
        inner.implem = _PARALLEL_LISTS


def _check_shape(shape: tuple[int, ...], manifest: IndexManifest) -> None:
    if shape != (manifest.count, manifest.dim):
        raise ValueError(f"it has shape {shape}, not {(manifest.count, manifest.dim)}")
