"""Method windows: half-stride windows, scores interpolated between their centres."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from terraseek.localization.methods.base import Method, MethodContext, ScoreMap
from terraseek.localization.methods.window_scales import (
    adapted_scales,
    single_window_warning,
    widened_warning,
)
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.localization.windows.fields import mean_field, node_field
from terraseek.localization.windows.lattice import Lattice, half_stride_lattice
from terraseek.scenes import Scene

__all__ = ["WindowMethod", "interpolated_score_map"]


class WindowMethod(Method):
    """Single windows on a half-stride lattice; layers of different sides are averaged."""

    name = "windows"
    title = "Windows"
    summary = "single windows of every size, interpolated between their centres"

    def __init__(self, stride: float = 0.5) -> None:
        """Cut windows.

        Args:
            stride: step between windows in window sides.
        """
        self._stride = stride

    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """Sides by the size and resolution of the scene; see `window_scales`."""
        return adapted_scales(scene)

    def lattice(self, context: MethodContext) -> Lattice:
        """Half-stride lattice of all window sides."""
        return _lattice(context.scene.width, context.scene.height, context.scales, self._stride)

    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Mean over window sides, weighted by 1 / side.

        Small windows tell where an object is, large ones what is around it. On outlined aircraft
        weights of 1 / side give a ROC-AUC of .764, equal weights .743.
        """
        return interpolated_score_map(embedding, scores, [1 / s for s in embedding.lattice.scales])

    def warnings(self, context: MethodContext, lattice: Lattice) -> list[str]:
        """Warn of widened default windows and of a single window."""
        return [*widened_warning(context), *single_window_warning(lattice)]


def interpolated_score_map(
    embedding: SceneEmbedding, scores: Float32[np.ndarray, " n"], weights: list[float]
) -> ScoreMap:
    """Scores interpolated between window centres, averaged over window sides.

    Args:
        embedding: windows on full grids, one per side.
        scores: cosine of each window.
        weights: weight of each side, ascending.
    """
    lattice = embedding.lattice
    layers = {side: node_field(lattice, scores, side) for side in lattice.scales}
    field = mean_field(list(layers.values()), weights)
    return ScoreMap(field, int(embedding.encoded.sum()), dict(layers))


@lru_cache(maxsize=16)
def _lattice(width: int, height: int, scales: tuple[int, ...], stride: float) -> Lattice:
    """One object for equal scenes, so that node positions are computed once (`fields._nodes`)."""
    return half_stride_lattice(width, height, scales, stride)
