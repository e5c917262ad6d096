"""Caption vectors of a store, and cosines of captions with a query."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from terraseek.catalogue import Catalogue, Filter
from terraseek.embeddings.store import HAS_CAPTION, HAS_METADATA, EmbeddingStore
from terraseek.index.candidates import Candidates
from terraseek.index.scoring import Matrix
from terraseek.search.score_fusion import subsample

__all__ = ["CaptionVectors"]


class CaptionVectors:
    """The caption vectors of a store.

    Captions of RS5M consist of a generated sentence and a metadata part, each with its own vector.
    A query is about one of the two ("houses with red roofs", or "Peru in winter"), so the score of
    a caption is the maximum of the two cosines.
    """

    def __init__(self, store: EmbeddingStore, catalogue: Catalogue | None = None) -> None:
        """Wrap the caption vectors of a store; nothing is read yet.

        Args:
            store: the vectors.
            catalogue: see `Candidates`.
        """
        self._flags = store.flags
        self.parts = {HAS_CAPTION: Candidates(store.text_store("captions"), catalogue)}
        """Candidate selection for sentences and metadata parts, by their bit of the flags."""
        if store.metadata is not None:
            self.parts[HAS_METADATA] = Candidates(store.text_store("metadata"), catalogue)
        self._samples: dict[int, Float32[np.ndarray, "s dim"]] = {}

    def has_caption(self, rows: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        """Return which rows have a caption vector; a metadata part never occurs alone."""
        mask: Bool[np.ndarray, " m"] = self._flags[rows] & HAS_CAPTION > 0
        return mask

    def rows_with(self, rows: Int64[np.ndarray, " m"], bit: int) -> Int64[np.ndarray, " w"]:
        """Select the rows whose flags have a bit."""
        selected: Int64[np.ndarray, " w"] = rows[self._flags[rows] & bit > 0]
        return selected

    def find(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        k: int,
        exact: bool,
        where: Filter | None = None,
    ) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"], bool]:
        """Find the `k` rows with the highest caption cosines.

        Args:
            rows: to select from, ascending; all have a caption.
            vector: unit vector of the query.
            k: number of rows wanted.
            exact: whether to use exact methods only.
            where: see `Candidates.find`.

        Returns:
            The rows, their cosines, and whether they are provably the best.
        """
        parts = [
            candidates.find(self.rows_with(rows, bit), vector, k, exact, where)
            for bit, candidates in self.parts.items()
        ]
        found = np.unique(np.concatenate([part for part, _ in parts]))
        scores = self.exact_scores(found, vector)
        best = np.lexsort((found, -scores))[:k]
        return found[best], scores[best], all(certain for _, certain in parts)

    def approximate_scores(
        self, rows: Int64[np.ndarray, " w"], vector: Float32[np.ndarray, " dim"]
    ) -> Float32[np.ndarray, " w"]:
        """Compute caption cosines, with an error of about 1e-6, of rows that have a caption."""
        return self._maximum(
            rows, np.float32, lambda bit, part: self._matrix(bit).approximate_scores(part, vector)
        )

    def exact_scores(
        self, rows: Int64[np.ndarray, " w"], vector: Float32[np.ndarray, " dim"]
    ) -> Float64[np.ndarray, " w"]:
        """Compute caption cosines, in double precision, of rows that have a caption."""
        return self._maximum(
            rows, np.float64, lambda bit, part: self._matrix(bit).exact_scores(part, vector)
        )

    def sample_scores(self, vector: Float32[np.ndarray, " dim"]) -> Float32[np.ndarray, " s"]:
        """Compute the cosines of a fixed sample of the captions with a query."""

        def cosines(bit: int, rows: Int64[np.ndarray, " w"]) -> Float32[np.ndarray, " w"]:
            if bit not in self._samples:
                self._samples[bit] = self._matrix(bit).rows(rows)
            found: Float32[np.ndarray, " w"] = self._samples[bit] @ vector
            return found

        return self._maximum(self._sample_rows, np.float32, cosines)

    def _matrix(self, bit: int) -> Matrix:
        return self.parts[bit].matrix

    def _maximum(
        self,
        rows: Int64[np.ndarray, " w"],
        dtype: type[np.floating],
        cosines: Callable[[int, Int64[np.ndarray, " p"]], np.ndarray],
    ) -> np.ndarray:
        """Maximum over the parts of a caption, of the cosines computed for each part."""
        out = np.full(len(rows), -np.inf, dtype)
        for bit in self.parts:
            at = np.flatnonzero(self._flags[rows] & bit)
            out[at] = np.maximum(out[at], cosines(bit, rows[at]))
        return out

    @cached_property
    def _sample_rows(self) -> Int64[np.ndarray, " s"]:
        return subsample(np.flatnonzero(self._flags & HAS_CAPTION).astype(np.int64))
