"""Methods selo-v1 and selo-v2: the published SeLo maps, with their 8 bits and filters.

Version 1: Yuan et al., "Learning to Evaluate Performance of Multi-modal Semantic Localization"
(2022). Version 2: the same group's released `generate_selo_v2.py`. There are two differences from
the published code: windows are resized to the encoder's size directly, without a step through
256-pixel JPEG files, and no JPEG is written between map and score.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int32

from terraseek.localization.methods.base import Method, MethodContext, ScoreMap
from terraseek.localization.methods.level_field import LevelField
from terraseek.localization.methods.selo_filters import (
    gaussian_filtered,
    median_filtered_cells,
    quantised,
)
from terraseek.localization.methods.selo_stages import (
    best_windows,
    first_stage_lattice,
    second_stage_lattice,
    shuffled_wordings,
)
from terraseek.localization.methods.window_scales import single_window_warning
from terraseek.localization.windows.cell_image import CellImage
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.localization.windows.fields import CellField, mean_of_windows
from terraseek.localization.windows.lattice import SELO_SCALES, Lattice, selo_v1_lattice
from terraseek.scenes import Scene

__all__ = ["SeloV1", "SeloV2"]

_GRID_SIDE = 12_288
"""The published filters work on scene pixels; only larger scenes are filtered on a reduced grid."""


class SeloV1(Method):
    """Mean over large overlapping windows, min-max normalised, 8 bits, median filter."""

    name = "selo-v1"
    title = "SeLo v1"
    summary = "the first published method: mean of large windows, median filter of 251 px"
    published = True
    grid_side = _GRID_SIDE

    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """The published window sides, for scenes of any size."""
        return SELO_SCALES

    def lattice(self, context: MethodContext) -> Lattice:
        """The published lattice; see `selo_v1_lattice`."""
        return _lattice_v1(context.scene.width, context.scene.height, context.scales)

    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Mean over the windows at each pixel, quantised and median-filtered."""
        mean = mean_of_windows(embedding.lattice, scores)
        image, scale = _quantised_image(context, mean)
        field = _level_field(context, mean, median_filtered_cells(image, scale))
        n_windows = int(embedding.encoded.sum())
        return ScoreMap(field, n_windows, level_range=_score_range(mean))

    def warnings(self, context: MethodContext, lattice: Lattice) -> list[str]:
        """Warn of a single window."""
        return single_window_warning(lattice)


class SeloV2(Method):
    """Two stages of windows, shuffled wordings, 8 bits, Gaussian filter."""

    name = "selo-v2"
    title = "SeLo v2"
    summary = "the second: two stages, shuffled words, Gaussian filter of 255 px"
    published = True
    grid_side = _GRID_SIDE
    uses_scales = False
    encodes_more = True

    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """None: the windows of both stages are fixed."""
        return ()

    def wordings(self, sentence: str, seed: int) -> list[str]:
        """The sentence and four random orders of its words."""
        return shuffled_wordings(sentence, seed)

    def lattice(self, context: MethodContext) -> Lattice:
        """Windows of the first stage."""
        return first_stage_lattice(context.scene.width, context.scene.height)

    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Mean over the best windows and smaller ones around them, quantised and blurred.

        The second stage depends on the query, so its windows are encoded now and not cached.
        """
        first, best = embedding.lattice, best_windows(scores)
        second = second_stage_lattice(first, best)
        added = context.embed(second, cache=False, partial=False)
        windows = np.concatenate([first.windows[best], second.windows])
        both = np.concatenate([scores[best], added.scores(query, context.encoder.encoder_id)])
        no_scale = np.zeros(len(windows), np.int32)
        mean = mean_of_windows(
            Lattice(first.width, first.height, windows, no_scale), both.astype(np.float32)
        )
        # places that no window covers count as 0 in the published code
        fill = 0.0 if context.unvisited == "zero" else float(np.nanmean(scores))
        mean = CellField(mean.row_edges, mean.col_edges, np.nan_to_num(mean.values, nan=fill))
        n_windows = int(embedding.encoded.sum()) + len(second)
        return _blurred(context, mean, n_windows, added.seconds, windows)

    def partial_score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Windows of the first stage, quantised and blurred."""
        mean = mean_of_windows(embedding.lattice, scores)
        return _blurred(context, mean, int(embedding.encoded.sum()))


@lru_cache(maxsize=16)
def _lattice_v1(width: int, height: int, scales: tuple[int, ...]) -> Lattice:
    return selo_v1_lattice(width, height, scales)


def _blurred(
    context: MethodContext,
    mean: CellField,
    n_windows: int,
    encode_s: float = 0.0,
    windows: Int32[np.ndarray, "n 4"] | None = None,
) -> ScoreMap:
    """The mean over windows in 8 bits after the published Gaussian filter."""
    image, scale = _quantised_image(context, mean)
    field = _level_field(context, mean, gaussian_filtered(image.pixels(), scale))
    return ScoreMap(
        field, n_windows, encode_s=encode_s, level_range=_score_range(mean), windows=windows
    )


def _quantised_image(context: MethodContext, mean: CellField) -> tuple[CellImage, float]:
    """The mean in 8 bits on the grid of the heat map; scene pixels per pixel of that grid.

    Normalisation and truncation act on each value separately, so they are applied to the grid cells
    between window edges and not to every pixel.
    """
    height, width = context.grid
    scale = max(context.scene.width / width, context.scene.height / height)
    return mean.to_image(quantised(mean.values), *context.grid_positions()), scale


def _score_range(mean: CellField) -> tuple[float, float]:
    """Lowest and highest score, which become levels 0 and 255."""
    return float(np.nanmin(mean.values)), float(np.nanmax(mean.values))


def _level_field(context: MethodContext, mean: CellField, levels: np.ndarray) -> LevelField:
    """The filtered levels as a field, converted back to cosines."""
    low, high = _score_range(mean)
    cosines = (low + (high - low) * np.arange(256) / 255).astype(np.float32)
    scored = np.isfinite(mean.values)
    unscored = None
    if not scored.all():
        image = mean.to_image(scored.astype(np.uint8), *context.grid_positions())
        unscored = image.pixels() == 0
    return LevelField(levels, cosines, (context.scene.height, context.scene.width), unscored)
