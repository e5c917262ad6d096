"""Selection of candidate rows: exhaustive scan for few rows, otherwise the index."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.index.index_types import ExactIndex, FaissIndex, Index, index_or_none
from terraseek.index.plan import FLAT_BYTES
from terraseek.index.scan import row_bitmap
from terraseek.index.scoring import Matrix, top_positions

__all__ = ["Candidates"]

_SCAN_DESPITE_INDEX = 150_000_000
"""Elements (rows x dim) up to which a filtered query is scanned exactly although an index exists:
about 20 ms. Only if at most half of the rows pass the filter; otherwise the index is used."""


class Candidates:
    """Selects the rows to score exactly, among those that pass a filter."""

    def __init__(self, store: EmbeddingStore) -> None:
        """Open the index of a store; an unusable index is ignored with a warning in the log."""
        self._store = store
        self._index = index_or_none(store)
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
    ) -> tuple[Int64[np.ndarray, " c"], bool]:
        """Select rows to score exactly: at least `k` if there are so many.

        Args:
            rows: to select from, ascending; all have a vector.
            query: unit vector.
            k: number of hits wanted.
            exact: whether to use exact methods only.

        Returns:
            A subset of `rows`, and whether it provably includes the `k` best.
        """
        if k >= len(rows):
            return rows, True
        index = self._choose_index(len(rows), exact)
        if index is not None:
            found = self._search_index(index, rows, query, k)
            if found is None and index is not self._scan:
                index = self._scan
                found = self._search_index(index, rows, query, k)
            if found is not None:
                return found, index.is_exact
        return rows[top_positions(self.matrix.approximate_scores(rows, query), k)], True

    def _choose_index(self, count: int, exact: bool) -> Index | None:
        if self._index is None:
            return None if self._fits_in_memory else self._scan
        few = (
            2 * count < self._index.count
            and count * self._store.manifest.dim <= _SCAN_DESPITE_INDEX
        )
        if isinstance(self._index, FaissIndex) and (exact or few):
            return self._scan
        return self._index

    def _search_index(
        self,
        index: Index,
        rows: Int64[np.ndarray, " m"],
        query: Float32[np.ndarray, " dim"],
        k: int,
    ) -> Int64[np.ndarray, " c"] | None:
        """Candidates of an index, and the best of the rows added after it was built."""
        covered = int(np.searchsorted(rows, index.count))
        later = rows[covered:]
        allowed = self._bitmap(rows, index, covered) if covered < index.count else None
        selectivity = covered / index.count
        found = index.candidates(
            query, k, lambda some: self.matrix.exact_scores(some, query), allowed, selectivity
        )
        if found is None or len(found) < min(k, covered):
            return None
        if not index.is_exact:
            found = found[top_positions(self.matrix.approximate_scores(found, query), k)]
        if len(later):
            found = np.concatenate(
                [found, later[top_positions(self.matrix.approximate_scores(later, query), k)]]
            )
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
