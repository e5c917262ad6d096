"""Likely rows for a mixture of image and caption, by a list for each that are joined.

A row that is in no list scores at most the last of each list. So once the k-th best of the joined
rows reaches what such a row could have, none is missed (Fagin's threshold; "Optimal aggregation
algorithms for middleware", 2003, section 4); until then the lists grow.
"""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.embeddings.store import HAS_CAPTION
from terraseek.index.candidates import Shortlist
from terraseek.search.background import Blend
from terraseek.search.captions import Words

__all__ = ["WORTH", "Mixture"]

WORTH = 150_000_000
"""Numbers (rows x dim) from which on lists are worth it; comparing fewer takes some 50 ms."""
_LEAST = 200
_MOST = 6400
_GROW = 4
_SLACK = 2e-6


class Mixture:
    """Images and words of one store."""

    def __init__(self, images: Shortlist, words: Words) -> None:
        self.images = images
        self.words = words
        self._last: tuple[Int64[np.ndarray, " m"], dict[int, Int64[np.ndarray, " w"]]] | None = None

    def scores(
        self, rows: Int64[np.ndarray, " m"], vector: Float32[np.ndarray, " dim"], blend: Blend
    ) -> Float64[np.ndarray, " m"]:
        """Exact mixtures of rows; those without words keep their image's cosine."""
        out = self.images.matrix.exact(rows, vector)
        worded = np.flatnonzero(self.words.among(rows))
        told = blend.as_image(self.words.exact(rows[worded], vector))
        out[worded] = (1 - blend.alpha) * out[worded] + blend.alpha * told
        return out

    def rough(
        self, rows: Int64[np.ndarray, " m"], vector: Float32[np.ndarray, " dim"], blend: Blend
    ) -> Float32[np.ndarray, " m"]:
        """Mixtures of many rows, to about 1e-6."""
        out = self.images.matrix.scores(rows, vector)
        worded = np.flatnonzero(self.words.among(rows))
        told = blend.as_image(self.words.scores(rows[worded], vector))
        out[worded] = (1 - blend.alpha) * out[worded] + (blend.alpha * told).astype(np.float32)
        return out

    def likely(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        blend: Blend,
        k: int,
    ) -> tuple[Int64[np.ndarray, " c"], bool] | None:
        """Rows that include the `k` best mixtures, and whether that is certain.

        Returns:
            None if exact lists became long without proving it: then all rows have to be compared.
        """
        told_rows = self._told_rows(rows)
        all_told = len(told_rows[HAS_CAPTION]) == len(rows)
        take = max(_LEAST, 4 * k)
        while True:
            seen, lowest, sure = _listed(self.images, rows, vector, take)
            lists, most_told = [seen], -np.inf
            for bit, side in self.words.sides.items():
                told, last, certain = _listed(side, told_rows[bit], vector, take)
                lists.append(told)
                most_told, sure = max(most_told, last), sure and certain
            found = np.unique(np.concatenate(lists))
            scores = self.scores(found, vector, blend)
            enough = np.partition(scores, len(scores) - k)[-k] if len(scores) >= k else -np.inf
            if enough >= _left_out(lowest, most_told, blend, all_told) + _SLACK:
                return found, sure
            if take >= _MOST:
                return None if sure else (found, False)
            take *= _GROW

    def _told_rows(self, rows: Int64[np.ndarray, " m"]) -> dict[int, Int64[np.ndarray, " w"]]:
        """Rows that have words, by kind; those of the same array of rows are looked for once."""
        last = self._last
        if last is None or last[0] is not rows:
            last = (rows, {bit: self.words.having(rows, bit) for bit in self.words.sides})
            self._last = last
        return last[1]


def _listed(
    side: Shortlist,
    rows: Int64[np.ndarray, " m"],
    vector: Float32[np.ndarray, " dim"],
    take: int,
) -> tuple[Int64[np.ndarray, " l"], float, bool]:
    """The likeliest rows, what no other row exceeds, and whether that is certain."""
    if take >= len(rows):
        return rows, -np.inf, True
    found, certain = side.likely(rows, vector, take)
    scores = side.matrix.exact(found, vector)
    return found, float(np.partition(scores, len(scores) - take)[-take]), certain


def _left_out(lowest: float, most_told: float, blend: Blend, all_told: bool) -> float:
    """The most a row that is in no list can score.

    Args:
        lowest: what no image outside the list exceeds.
        most_told: what no words outside their lists exceed.
        blend: how the two mix.
        all_told: every row has words; those without score as their image.
    """
    if lowest == -np.inf:  # every row is listed
        return lowest
    without = -np.inf if all_told else lowest
    if most_told == -np.inf:
        return without
    told = float(blend.as_image(np.array([most_told]))[0])
    return max(without, (1 - blend.alpha) * lowest + blend.alpha * told)
