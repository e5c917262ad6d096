"""Rows that may be among the best: by a whole scan where few are in question, else the index."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.index.index import ExactIndex, FaissIndex, Index, usable_index
from terraseek.index.plan import FLAT_BYTES
from terraseek.index.scan import packed
from terraseek.index.scoring import Matrix, best

__all__ = ["Shortlist"]

_TIGHT = 150_000_000
"""Numbers (rows x dim) that are scanned exactly although there is an index: some 20 ms. Not where
they are half of all: whoever made an index of so few wants it used."""


class Shortlist:
    """Finds the rows worth scoring exactly, among those a filter left."""

    def __init__(self, store: EmbeddingStore) -> None:
        """Open the store's index; one that cannot be used is told in the log and left aside."""
        self._store = store
        self._index = usable_index(store)
        self._packed: tuple[Int64[np.ndarray, " m"], Index, UInt8[np.ndarray, " bytes"]] | None = (
            None
        )
        self._small = 4 * store.count * store.manifest.dim <= FLAT_BYTES

    @cached_property
    def matrix(self) -> Matrix:
        """The image vectors, in memory where they are few and no index was made."""
        resident = self._index is None and self._small
        return Matrix(self._store.vectors, resident, self._store.vector_reader)

    @cached_property
    def usable_mask(self) -> Bool[np.ndarray, " n"]:
        """Which rows have an image vector."""
        mask: Bool[np.ndarray, " n"] = (self._store.flags & HAS_IMAGE) > 0
        return mask

    @cached_property
    def usable(self) -> Int64[np.ndarray, " u"]:
        """Rows that have an image vector, rising; not to be written to."""
        rows = np.flatnonzero(self.usable_mask).astype(np.int64)
        rows.setflags(write=False)
        return rows

    @cached_property
    def _scan(self) -> ExactIndex:
        return ExactIndex(self._store.vectors)

    def likely(
        self,
        rows: Int64[np.ndarray, " m"],
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact: bool = False,
    ) -> tuple[Int64[np.ndarray, " c"], bool]:
        """Rows to score exactly, at least `k` where there are so many.

        Args:
            rows: those in question, rising; all with a vector.
            query: unit vector.
            k: how many hits are wanted.
            exact: no better row may be missed.

        Returns:
            Some of `rows`, and whether they certainly include the best.
        """
        if k >= len(rows):
            return rows, True
        index = self._choose(len(rows), exact)
        if index is not None:
            found = self._ask(index, rows, query, k)
            if found is None and index is not self._scan:
                index = self._scan
                found = self._ask(index, rows, query, k)
            if found is not None:
                return found, index.is_exact
        return rows[best(self.matrix.scores(rows, query), k)], True

    def _choose(self, count: int, exact: bool) -> Index | None:
        if self._index is None:
            return None if self._small else self._scan
        tight = 2 * count < self._index.count and count * self._store.manifest.dim <= _TIGHT
        if isinstance(self._index, FaissIndex) and (exact or tight):
            return self._scan
        return self._index

    def _ask(
        self,
        index: Index,
        rows: Int64[np.ndarray, " m"],
        query: Float32[np.ndarray, " dim"],
        k: int,
    ) -> Int64[np.ndarray, " c"] | None:
        """Rows of an index and, scored exactly, those that came after it was built."""
        until = int(np.searchsorted(rows, index.count))
        later = rows[until:]
        wanted = self._bits(rows, index, until) if until < index.count else None
        found = index.likely(
            query, k, lambda some: self.matrix.exact(some, query), wanted, until / index.count
        )
        if found is None or len(found) < min(k, until):
            return None
        if not index.is_exact:
            found = found[best(self.matrix.scores(found, query), k)]
        if len(later):
            found = np.concatenate([found, later[best(self.matrix.scores(later, query), k)]])
        return found

    def _bits(
        self, rows: Int64[np.ndarray, " m"], index: Index, until: int
    ) -> UInt8[np.ndarray, " bytes"]:
        """Bits of the rows an index covers; those of the same array of rows are made once."""
        last = self._packed
        if last is not None and last[0] is rows and last[1] is index:
            return last[2]
        bits = packed(rows[:until], index.count)
        self._packed = (rows, index, bits)
        return bits
