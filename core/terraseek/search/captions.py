"""What is said of items: vectors of sentences and of metadata parts, of which the better counts."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from terraseek.embeddings.store import HAS_CAPTION, HAS_METADATA, EmbeddingStore
from terraseek.index.candidates import Shortlist
from terraseek.index.scoring import Matrix
from terraseek.search.background import spaced

__all__ = ["Words"]


class Words:
    """The captions of a store.

    RS5M's captions have a generated sentence and a metadata part, each with a vector of its own. A
    query is about one of the two ("houses with red roofs", or "Peru in winter"), so the score of a
    caption is the higher cosine: the other part, about something else, shall not pull it down.
    """

    def __init__(self, store: EmbeddingStore) -> None:
        """Wrap the words of a store; nothing is read yet."""
        self._flags = store.flags
        self.sides = {HAS_CAPTION: Shortlist(store.words("captions"))}
        """By bit of the flags: what finds likely rows."""
        if store.metadata is not None:
            self.sides[HAS_METADATA] = Shortlist(store.words("metadata"))
        self._samples: dict[int, Float32[np.ndarray, "s dim"]] = {}

    def among(self, rows: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        """Which rows have words; a metadata part never stands alone."""
        worded: Bool[np.ndarray, " m"] = self._flags[rows] & HAS_CAPTION > 0
        return worded

    def having(self, rows: Int64[np.ndarray, " m"], bit: int) -> Int64[np.ndarray, " w"]:
        """Those of some rows that have words of a kind."""
        found: Int64[np.ndarray, " w"] = rows[self._flags[rows] & bit > 0]
        return found

    def scores(
        self, rows: Int64[np.ndarray, " w"], vector: Float32[np.ndarray, " dim"]
    ) -> Float32[np.ndarray, " w"]:
        """Cosines of rows that have words, to about 1e-6."""
        return self._better(rows, np.float32, lambda bit, at: self._matrix(bit).scores(at, vector))

    def exact(
        self, rows: Int64[np.ndarray, " w"], vector: Float32[np.ndarray, " dim"]
    ) -> Float64[np.ndarray, " w"]:
        """Cosines of rows that have words, in double precision."""
        return self._better(rows, np.float64, lambda bit, at: self._matrix(bit).exact(at, vector))

    def sampled(self, vector: Float32[np.ndarray, " dim"]) -> Float32[np.ndarray, " s"]:
        """Cosines of a fixed sample of the words with a query."""

        def cosines(bit: int, rows: Int64[np.ndarray, " w"]) -> Float32[np.ndarray, " w"]:
            if bit not in self._samples:
                self._samples[bit] = self._matrix(bit).rows(rows)
            found: Float32[np.ndarray, " w"] = self._samples[bit] @ vector
            return found

        return self._better(self._sample, np.float32, cosines)

    def _matrix(self, bit: int) -> Matrix:
        return self.sides[bit].matrix

    def _better(
        self,
        rows: Int64[np.ndarray, " w"],
        kind: type[np.floating],
        cosines: Callable[[int, Int64[np.ndarray, " p"]], np.ndarray],
    ) -> np.ndarray:
        """The higher of the cosines that rows have by the kinds of their words."""
        out = np.full(len(rows), -np.inf, kind)
        for bit in self.sides:
            at = np.flatnonzero(self._flags[rows] & bit)
            out[at] = np.maximum(out[at], cosines(bit, rows[at]))
        return out

    @cached_property
    def _sample(self) -> Int64[np.ndarray, " s"]:
        return spaced(np.flatnonzero(self._flags & HAS_CAPTION).astype(np.int64))
