"""Several sentences over one scene: which of them wins where, and a table of their regions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int8

from terraseek.errors import ConfigError
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.outlines import area_m2
from terraseek.localization.output.regions import Region, lowest_score, regions

__all__ = ["MAX_COMPARED", "NO_SENTENCE", "ComparedRegion", "Comparison", "compare"]

NO_SENTENCE = -1
"""Value of `Comparison.winner` where no sentence wins."""
MAX_COMPARED = 64
"""Most heat maps of a comparison."""


@dataclass(frozen=True, eq=False)
class ComparedRegion:
    """A region of one of the compared sentences: a row of the table."""

    sentence: int
    """Index of its heat map."""
    rank: int
    """From 1 within the sentence, highest peak first."""
    region: Region
    """Outline, peak, area."""
    share_won: float
    """Fraction (0-1) of its cells where no other sentence has a higher score."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Heat maps of several queries over one scene, compared place by place.

    A query wins where its score reaches its threshold and is the highest of those that do, as in
    zero-shot classification (Radford et al., "Learning Transferable Visual Models From Natural
    Language Supervision", 2021, section 3.1). Elsewhere none wins. A query without evidence in the
    scene never wins.
    """

    heats: tuple[HeatMap, ...]
    """The heat maps, all of the same scene, method and grid."""
    thresholds: tuple[float, ...]
    """Lowest score of a region of each heat map."""

    @cached_property
    def candidates(self) -> tuple[bool, ...]:
        """Which queries can win: those that are likely, possible, or of unknown significance."""
        return tuple(heat.significance != "none" for heat in self.heats)

    @cached_property
    def valid(self) -> Bool[np.ndarray, "h w"]:
        """Cells where at least one heat map has a score."""
        valid: Bool[np.ndarray, "h w"] = np.logical_or.reduce([heat.valid for heat in self.heats])
        return valid

    @cached_property
    def winner(self) -> Int8[np.ndarray, "h w"]:
        """Index of the heat map that wins in each cell of `HeatMap.score`, or `NO_SENTENCE`.

        Of equal scores the first wins.
        """
        return self.winner_of([heat.score for heat in self.heats])

    def winner_of(self, scores: Sequence[Float32[np.ndarray, "h w"]]) -> Int8[np.ndarray, "h w"]:
        """Index of the heat map that wins at each place, or `NO_SENTENCE`.

        Args:
            scores: of each heat map at these places; NaN is invalid.
        """
        best = np.full(scores[0].shape, -np.inf, np.float32)
        winner = np.full(best.shape, NO_SENTENCE, np.int8)
        for index, (values, threshold) in enumerate(zip(scores, self.thresholds, strict=True)):
            if not self.candidates[index]:
                continue
            score = np.nan_to_num(values, nan=-np.inf)
            wins = (score >= np.float32(threshold)) & (score > best)
            winner[wins], best[wins] = index, score[wins]
        return winner

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Fraction (0-1) of the valid cells that each query wins; the rest no query wins."""
        n_valid = max(1, int(self.valid.sum()))
        return tuple(int((self.winner == k).sum()) / n_valid for k in range(len(self.heats)))

    @cached_property
    def areas_m2(self) -> tuple[float | None, ...]:
        """Area in square metres that each query wins; None without a location on the globe."""
        from shapely import box

        heat = self.heats[0]
        scene_m2 = area_m2(box(0, 0, heat.width, heat.height), heat.georef)
        cells = heat.shape[0] * heat.shape[1]
        counts = [int((self.winner == k).sum()) for k in range(len(self.heats))]
        return tuple(None if scene_m2 is None else scene_m2 * n / cells for n in counts)

    @cached_property
    def rows(self) -> tuple[ComparedRegion, ...]:
        """The regions of all queries: by query, and within it the highest peak first."""
        return tuple(
            ComparedRegion(index, rank, region, self._share_won(index, region))
            for index, (heat, threshold) in enumerate(zip(self.heats, self.thresholds, strict=True))
            for rank, region in enumerate(regions(heat, threshold), 1)
        )

    def _share_won(self, index: int, region: Region) -> float:
        """Fraction of a region's cells, within its outline, that its query wins."""
        from rasterio.features import rasterize
        from rasterio.transform import Affine

        heat = self.heats[index]
        height, width = heat.shape
        scale_x, scale_y = heat.width / width, heat.height / height
        left, top, right, bottom = region.polygon.bounds
        col0, row0 = int(left / scale_x), int(top / scale_y)
        size = max(1, math.ceil(bottom / scale_y) - row0), max(1, math.ceil(right / scale_x) - col0)
        to_pixels = Affine(scale_x, 0, col0 * scale_x, 0, scale_y, row0 * scale_y)
        inside = rasterize([region.polygon], size, transform=to_pixels, all_touched=False) > 0
        inside = inside[: height - row0, : width - col0]
        if not inside.any():
            return 0.0
        cells = self.winner[row0 : row0 + inside.shape[0], col0 : col0 + inside.shape[1]]
        return float((cells[inside] == index).mean())

    def to_json(self) -> dict[str, Any]:
        """Queries, shares and regions as JSON values: what the HTTP API and pages give."""
        return {
            "sentences": [self._sentence_json(index) for index in range(len(self.heats))],
            "share_without": round(1 - sum(self.shares), 6),
            "regions": [self._row_json(row) for row in self.rows],
        }

    def _sentence_json(self, index: int) -> dict[str, Any]:
        heat, won_m2 = self.heats[index], self.areas_m2[index]
        return {
            "query": heat.question,
            "significance": heat.significance,
            "probability": heat.probability,
            "threshold": self.thresholds[index],
            "peak_score": round(heat.peak.score, 6),
            "share": round(self.shares[index], 6),
            "area_m2": None if won_m2 is None else round(won_m2, 2),
        }

    def _row_json(self, row: ComparedRegion) -> dict[str, Any]:
        heat, region = self.heats[row.sentence], row.region
        return {
            "sentence": row.sentence,
            "query": heat.question,
            "rank": row.rank,
            "significance": heat.level_at(region.peak.score),
            "score": round(region.peak.score, 6),
            "mean_score": round(region.mean_score, 6),
            "area_m2": None if region.area_m2 is None else round(region.area_m2, 2),
            "area_px": round(region.area_px, 1),
            "share_won": round(row.share_won, 4),
            "peak_lon": region.peak.lon,
            "peak_lat": region.peak.lat,
            "peak_col": region.peak.col,
            "peak_row": region.peak.row,
        }


def compare(
    heats: Sequence[HeatMap],
    thresholds: Sequence[float] | None = None,
    percentile: float | None = None,
) -> Comparison:
    """Compare heat maps of several queries over one scene.

    Args:
        heats: as `localize_many` returns them.
        thresholds: lowest score of a region for each heat map; default halfway between the median
            and the highest score of each.
        percentile: the thresholds as a percentile of the scores of each heat map, 0-100, instead.

    Raises:
        ConfigError: there is no heat map, there are too many, they are of different scenes or
            grids, or a threshold cannot be used.
    """
    if not 0 < len(heats) <= MAX_COMPARED:
        raise ConfigError(f"{len(heats)} heat maps cannot be compared; give 1 to {MAX_COMPARED}")
    first = heats[0]
    for heat in heats:
        if (heat.scene_name, heat.shape) != (first.scene_name, first.shape):
            raise ConfigError(
                f"heat maps of {first.scene_name} ({first.shape}) and {heat.scene_name} "
                f"({heat.shape}) cannot be compared; localize the sentences together"
            )
    given: Sequence[float | None] = [None] * len(heats) if thresholds is None else thresholds
    if len(given) != len(heats):
        raise ConfigError(f"{len(given)} thresholds were given for {len(heats)} heat maps")
    lowest = (lowest_score(h, t, percentile) for h, t in zip(heats, given, strict=True))
    return Comparison(tuple(heats), tuple(lowest))
