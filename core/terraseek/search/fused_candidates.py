"""Candidate selection for fused scores of image and caption.

The candidates of images and of captions are merged. A row in none of the lists scores at most the
last entry of each list. So if the k-th best of the merged rows reaches the highest score possible
outside the lists, the result is exact (threshold algorithm, Fagin et al., "Optimal aggregation
algorithms for middleware", 2003, section 4). Until then the lists are extended.
"""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.catalogue import Filter
from terraseek.embeddings.store import HAS_CAPTION
from terraseek.index.candidates import Candidates
from terraseek.search.captions import CaptionVectors
from terraseek.search.score_fusion import ScoreFusion

__all__ = ["MIN_ELEMENTS", "FusedCandidates"]

MIN_ELEMENTS = 150_000_000
"""Elements (rows x dim) from which lists are faster than scoring all rows, which takes 50 ms."""
_MIN_LENGTH = 200
_MAX_LENGTH = 6400
_GROWTH = 4
_TOLERANCE = 2e-6


class FusedCandidates:
    """Fused scores of the rows of a store, and candidates for the best of them."""

    def __init__(self, images: Candidates, captions: CaptionVectors) -> None:
        """Combine the image vectors and the caption vectors of a store."""
        self.images = images
        self.captions = captions
        self._last: tuple[Int64[np.ndarray, " m"], dict[int, Int64[np.ndarray, " w"]]] | None = None

    def exact_scores(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
    ) -> Float64[np.ndarray, " m"]:
        """Compute fused scores in double precision; rows without caption keep the image cosine."""
        out = self.images.matrix.exact_scores(rows, vector)
        at = np.flatnonzero(self.captions.has_caption(rows))
        captions = fusion.to_image_scale(self.captions.exact_scores(rows[at], vector))
        out[at] = (1 - fusion.alpha) * out[at] + fusion.alpha * captions
        return out

    def approximate_scores(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
    ) -> Float32[np.ndarray, " m"]:
        """Compute fused scores of many rows with an error of about 1e-6."""
        out = self.images.matrix.approximate_scores(rows, vector)
        at = np.flatnonzero(self.captions.has_caption(rows))
        captions = fusion.to_image_scale(self.captions.approximate_scores(rows[at], vector))
        out[at] = (1 - fusion.alpha) * out[at] + (fusion.alpha * captions).astype(np.float32)
        return out

    def find(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
        k: int,
        where: Filter | None = None,
    ) -> tuple[Int64[np.ndarray, " c"], bool] | None:
        """Select rows to score exactly; `where` is that of `Candidates.find`.

        Returns:
            A subset of `rows`, and whether it provably includes the `k` best fused scores. None if
            exact lists reached their maximum length without a proof: then all rows must be scored.
        """
        captioned = self._rows_by_part(rows)
        all_captioned = len(captioned[HAS_CAPTION]) == len(rows)
        length = max(_MIN_LENGTH, 4 * k)
        while True:
            found, image_bound, exact = _best_rows(self.images, rows, vector, length, where)
            lists, caption_bound = [found], -np.inf
            for bit, part in self.captions.parts.items():
                found, bound, certain = _best_rows(part, captioned[bit], vector, length, where)
                lists.append(found)
                caption_bound, exact = max(caption_bound, bound), exact and certain
            merged = np.unique(np.concatenate(lists))
            scores = self.exact_scores(merged, vector, fusion)
            kth_best = np.partition(scores, len(scores) - k)[-k] if len(scores) >= k else -np.inf
            outside = _bound_outside(image_bound, caption_bound, fusion, all_captioned)
            if kth_best >= outside + _TOLERANCE:
                return merged, exact
            if length >= _MAX_LENGTH:
                return None if exact else (merged, False)
            length *= _GROWTH

    def _rows_by_part(self, rows: Int64[np.ndarray, " m"]) -> dict[int, Int64[np.ndarray, " w"]]:
        """Rows that have each part of a caption, cached for the last array of rows."""
        last = self._last
        if last is None or last[0] is not rows:
            captions = self.captions
            last = (rows, {bit: captions.rows_with(rows, bit) for bit in captions.parts})
            self._last = last
        return last[1]


def _best_rows(
    candidates: Candidates,
    rows: Int64[np.ndarray, " m"],
    vector: Float32[np.ndarray, " dim"],
    length: int,
    where: Filter | None,
) -> tuple[Int64[np.ndarray, " l"], float, bool]:
    """The best rows, an upper bound of the cosines of all others, and whether that is certain."""
    if length >= len(rows):
        return rows, -np.inf, True
    found, certain = candidates.find(rows, vector, length, where=where)
    scores = candidates.matrix.exact_scores(found, vector)
    return found, float(np.partition(scores, len(scores) - length)[-length]), certain


def _bound_outside(
    image_bound: float, caption_bound: float, fusion: ScoreFusion, all_captioned: bool
) -> float:
    """Upper bound of the fused score of a row that is in no list.

    Args:
        image_bound: upper bound of the image cosines outside the list.
        caption_bound: upper bound of the caption cosines outside the lists.
        fusion: of the two cosines.
        all_captioned: whether every row has a caption; the others have their image cosine.
    """
    if image_bound == -np.inf:  # every row is listed
        return image_bound
    without_caption = -np.inf if all_captioned else image_bound
    if caption_bound == -np.inf:
        return without_caption
    caption = float(fusion.to_image_scale(np.array([caption_bound]))[0])
    return max(without_caption, (1 - fusion.alpha) * image_bound + fusion.alpha * caption)
