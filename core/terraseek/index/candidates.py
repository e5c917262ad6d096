"""Selection of candidate rows: exhaustive scan for few rows, otherwise the index."""

import logging
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.catalogue.filters.filter import Filter
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.index.engine_index import EngineIndex
from terraseek.index.index_types import ExactIndex, FaissIndex, Index
from terraseek.index.manifest import rebuild_hint
from terraseek.index.opening import index_or_none
from terraseek.index.plan import FLAT_BYTES
from terraseek.index.scan import row_bitmap
from terraseek.index.scoring import Matrix, top_positions

__all__ = ["Candidates"]

_log = logging.getLogger(__name__)

_SCAN_DESPITE_INDEX = 150_000_000
"""Elements (rows x dim) up to which a filtered query is scanned exactly although an index exists:
about 20 ms. Only if at most half of the rows pass the filter; otherwise the index is used."""


class Candidates:
    """Selects the rows to score exactly, among those that pass a filter."""

    def __init__(self, store: EmbeddingStore, catalogue: Catalogue | None = None) -> None:
        """Open the index of a store; an unusable index is ignored with a warning in the log.

        Args:
            store: the vectors.
            catalogue: of its items, if already open, for indexes in a vector database.
        """
        self._store = store
        self._index = index_or_none(store, catalogue)
        self._last_bitmap: (
            tuple[Int64[np.ndarray, " m"], Index, UInt8[np.ndarray, " bytes"]] | None
        ) = None
        self._fits_in_memory = 4 * store.count * store.manifest.dim <= FLAT_BYTES

    @cached_property
    def matrix(self) -> Matrix:
        """Vectors of the store, kept in memory if they are few and there is no index."""
        resident = self._index is None and self._fits_in_memory
        return Matrix(self._store.vectors, resident, self._store.vector_reader)

    @cached_property
    def usable_mask(self) -> Bool[np.ndarray, " n"]:
        """Mask of the rows that have a vector."""
        mask: Bool[np.ndarray, " n"] = (self._store.flags & HAS_IMAGE) > 0
        return mask

    @cached_property
    def usable(self) -> Int64[np.ndarray, " u"]:
        """Rows that have a vector, ascending; read-only."""
        rows = np.flatnonzero(self.usable_mask).astype(np.int64)
        rows.setflags(write=False)
        return rows

    @cached_property
    def _scan(self) -> ExactIndex:
        return ExactIndex(self._store.vectors)

    def find(
        self,
        rows: Int64[np.ndarray, " m"],
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact: bool = False,
        where: Filter | None = None,
    ) -> tuple[Int64[np.ndarray, " c"], bool]:
        """Select rows to score exactly: at least `k` if there are so many.

        Args:
            rows: to select from, ascending; all have a vector.
            query: unit vector.
            k: number of hits wanted.
            exact: whether to use exact methods only.
            where: filter that all of `rows` meet, for indexes that apply filters themselves; None
                is right too, but slower there.

        Returns:
            A subset of `rows`, and whether it provably includes the `k` best.
        """
        if k >= len(rows):
            return rows, True
        self._drop_changed_index()
        index = self._choose_index(len(rows), exact)
        if index is not None:
            found = self._search_index(index, rows, query, k, where)
            if found is None and index is not self._scan:
                index = self._scan
                found = self._search_index(index, rows, query, k)
            if found is not None:
                return found, index.is_exact
        return rows[top_positions(self.matrix.approximate_scores(rows, query), k)], True

    def _drop_changed_index(self) -> None:
        """Search without an index once a block of it was found to have changed."""
        changed = [c for c in self._index.checks if c.damaged is not None] if self._index else []
        if changed:
            _log.error(
                "searching without an index: %s has changed since it was written; %s",
                changed[0].path,
                rebuild_hint(self._store),
            )
            self._index = None

    def _choose_index(self, count: int, exact: bool) -> Index | None:
        if self._index is None:
            return None if self._fits_in_memory else self._scan
        few = (
            2 * count < self._index.count
            and count * self._store.manifest.dim <= _SCAN_DESPITE_INDEX
        )
        if isinstance(self._index, FaissIndex) and (exact or few):
            return self._scan
        if isinstance(self._index, EngineIndex):
            return self._choose_search(self._index, count, exact, few)
        return self._index

    def _choose_search(self, index: EngineIndex, count: int, exact: bool, few: bool) -> Index:
        if few:
            return self._scan
        return index.exact if exact or index.prefers_exact(count / index.count) else index

    def _search_index(
        self,
        index: Index,
        rows: Int64[np.ndarray, " m"],
        query: Float32[np.ndarray, " dim"],
        k: int,
        where: Filter | None = None,
    ) -> Int64[np.ndarray, " c"] | None:
        """Candidates of an index, and the best of the rows that it does not cover."""
        uncovered = index.uncovered(rows, where)
        covered = len(rows) - len(uncovered)
        within = int(np.searchsorted(rows, index.count))
        allowed = self._bitmap(rows, index, within) if within < index.count else None
        found = index.candidates(
            query,
            k,
            lambda some: self.matrix.exact_scores(some, query),
            allowed,
            within / index.count,
            where,
        )
        if found is None or len(found) < min(k, covered):
            return None
        if not index.is_exact:
            found = found[top_positions(self.matrix.approximate_scores(found, query), k)]
        if len(uncovered):
            scores = self.matrix.approximate_scores(uncovered, query)
            found = np.union1d(found, uncovered[top_positions(scores, k)])
        return found

    def _bitmap(
        self, rows: Int64[np.ndarray, " m"], index: Index, covered: int
    ) -> UInt8[np.ndarray, " bytes"]:
        """Bitmap of the allowed rows of an index, cached for the last array of rows."""
        last = self._last_bitmap
        if last is not None and last[0] is rows and last[1] is index:
            return last[2]
        bitmap = row_bitmap(rows[:covered], index.count)
        self._last_bitmap = (rows, index, bitmap)
        return bitmap
