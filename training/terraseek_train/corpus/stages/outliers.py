"""Outliers: images that are no overhead imagery, by VLM score and detector (RS5M, appendix B5).

An item is kept if its VLM score s is among the top 90 % *and* its detector score c among the top
80 %; both quantiles are taken over the same pool, before either filter. Ties at a threshold are
kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import ConfigError, SceneError
from terraseek_train.corpus.detector.features import (
    N_STATISTICS,
    detector_features,
    pixel_statistics,
)
from terraseek_train.corpus.detector.model import load_detector
from terraseek_train.corpus.detector.prompts import prompt_vector
from terraseek_train.corpus.items import image_refs, read_pixels
from terraseek_train.corpus.stage import CorpusStage, Decision, Shard
from terraseek_train.corpus.vectors import encoder_of, image_vectors

__all__ = ["SHARES", "Outliers", "joint_filter", "quantile_table"]

SHARES = (100, 95, 90, 85, 80, 75, 70, 65, 60)
"""Percentages of the rows and columns of the paper's table."""


@dataclass(frozen=True)
class Outliers(CorpusStage):
    """Reject items with a low VLM score or a low detector score; adds both as columns."""

    model: str = DEFAULT_MODEL
    """Registered encoder of the VLM score, and of the detector's features."""
    detector: str = ""
    """File of a trained detector (`terraseek corpus detector`); empty uses the VLM score alone."""
    keep_s: float = 90.0
    """Percentage kept by VLM score."""
    keep_c: float = 80.0
    """Percentage kept by detector score."""
    min_c: float = -1.0
    """From 0 to 1: keep detector scores from this one up, instead of a percentage. A percentage
    suits web captions, of which a known share is wrong, but takes good images from an archive."""

    def __post_init__(self) -> None:
        if not (0 < self.keep_s <= 100 and 0 < self.keep_c <= 100):
            raise ConfigError(
                f"outliers: keep_s {self.keep_s:g} and keep_c {self.keep_c:g} are percentages"
            )

    def files(self) -> tuple[str, ...]:
        """See `Stage.files`."""
        return (self.detector,) if self.detector else ()

    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """See `CorpusStage.measure`; columns `s` and `c`."""
        encoder = encoder_of(self.model)
        vectors = image_vectors(items, encoder)
        s = vectors @ prompt_vector(encoder)
        if not self.detector:
            return pa.table({"s": s.astype(np.float64), "c": np.ones(len(items))})
        detector = load_detector(Path(self.detector), encoder.encoder_id)
        statistics = np.zeros((len(items), N_STATISTICS), np.float32)
        for row, ref in enumerate(image_refs(items)):
            try:
                statistics[row] = pixel_statistics(read_pixels(ref, 320))
            except (SceneError, FileNotFoundError):
                continue  # its vector is zero, too; the stage `broken` rejects it
        c = detector.probability(detector_features(vectors, statistics))
        return pa.table({"s": s.astype(np.float64), "c": c})

    def decide(self, measured: pa.Table) -> Decision:
        """See `CorpusStage.decide`; facts have the thresholds and the paper's 9 x 9 table."""
        s, c = (measured.column(name).to_numpy() for name in ("s", "c"))
        keep_s, m = top_share(s, self.keep_s)
        keep_c, n = top_share(c, self.keep_c)
        if self.min_c >= 0 or not self.detector:
            n = max(self.min_c, 0.0)
            keep_c = c >= n
        reasons = np.where(keep_c, "", "detector").astype(object)
        reasons[~keep_s] = "vlm score"
        reasons[~keep_s & ~keep_c] = "vlm score and detector"
        facts: dict[str, Any] = {"m": m, "n": n, "kept_of_quantiles": quantile_table(s, c)}
        columns = {"vlm_score": s.tolist(), "rs_score": c.tolist()}
        return Decision(reasons.tolist(), columns, facts)


def top_share(
    scores: Float64[np.ndarray, " n"], percent: float
) -> tuple[Bool[np.ndarray, " n"], float]:
    """Which scores are in the top `percent`, and the threshold; ties are kept.

    The threshold is the linearly interpolated quantile: it gives the counts of the paper's first
    row, 3,617,302 of 4,019,225 for 90 %.
    """
    if not len(scores):
        return np.zeros(0, bool), 0.0
    threshold = (
        float(np.quantile(scores, 1 - percent / 100)) if percent < 100 else float(scores.min())
    )
    return scores >= threshold, threshold


def joint_filter(
    s: Float64[np.ndarray, " n"], c: Float64[np.ndarray, " n"], keep_s: float, keep_c: float
) -> Bool[np.ndarray, " n"]:
    """Which items are in the top percentages of both scores, over the same pool."""
    return np.asarray(top_share(s, keep_s)[0] & top_share(c, keep_c)[0])


def quantile_table(s: Float64[np.ndarray, " n"], c: Float64[np.ndarray, " n"]) -> list[list[int]]:
    """Items kept for every pair of percentages: rows by s and columns by c, as in `SHARES`."""
    by_s = [top_share(s, share)[0] for share in SHARES]
    by_c = [top_share(c, share)[0] for share in SHARES]
    return [[int((row & column).sum()) for column in by_c] for row in by_s]
