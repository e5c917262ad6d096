"""Method dense: many windows from few passes of the image tower, as means over feature cells.

A window encoded by itself costs one pass of the tower, and four half-stride windows cover every
pixel. Here a large block that contains many windows is encoded in one pass, the feature cells are
taken before they are pooled, and the vector of a window is the mean over its cells. The cost then
depends on the pixels, not on the number of windows. Windows start at every cell, so with n cells
along a window the map is n / 2 times finer than at half strides.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.dense_tower import DenseTower
from terraseek.errors import ConfigError, LatticeError
from terraseek.localization.methods.base import Method, MethodContext, ScoreMap
from terraseek.localization.methods.dense_availability import check_dense, reason_against_dense
from terraseek.localization.methods.dense_blocks import FeatureGrid
from terraseek.localization.methods.dense_encode import encode_dense
from terraseek.localization.methods.window_scales import (
    adapted_scales,
    single_window_warning,
    widened_warning,
)
from terraseek.localization.methods.windows import interpolated_score_map
from terraseek.localization.windows.embedding import (
    SceneEmbedding,
    load_or_encode,
    partial_embeddings,
)
from terraseek.localization.windows.encode import Encoded
from terraseek.localization.windows.lattice import MAX_WINDOWS, Lattice
from terraseek.scenes import Scene

__all__ = ["DenseMethod", "dense_lattice", "dense_passes", "dense_scales", "dense_tower"]


class DenseMethod(Method):
    """Windows at every feature cell; layers of different sides have equal weights."""

    name = "dense"
    title = "Dense"
    summary = "many more windows from one pass per size: finer and faster"

    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """Sides by the size and resolution of the scene; see `window_scales`."""
        return adapted_scales(scene)

    def lattice(self, context: MethodContext) -> Lattice:
        """Squares of cells at every cell; see `dense_lattice`."""
        tower = dense_tower(context.encoder)
        cells = context.encoder.image_size // tower.cell
        scene = context.scene
        return dense_lattice(scene.width, scene.height, context.scales, cells, tower.box)

    def embed(self, context: MethodContext) -> SceneEmbedding:
        """Vectors of all windows of all sides, from the cache or from one pass per side.

        An interrupted run continues after the last finished row of blocks.
        """
        lattice, tower = self.lattice(context), dense_tower(context.encoder)

        def encode(store: Path | None) -> Encoded:
            scene, encoder = context.scene, context.encoder
            show = partial_embeddings(scene, lattice, encoder, context.grid, context.on_partial)
            return encode_dense(scene, lattice, encoder, tower, store, context.progress, show)

        return load_or_encode(
            context.scene,
            lattice,
            context.encoder,
            context.grid,
            encode,
            context.cache,
            kind=f"dense-{tower.kind}-{tower.box}-",
        )

    def passes(self, context: MethodContext, n_windows: int) -> float:
        """Blocks, counted as images with the same number of pixels."""
        scene = context.scene
        return dense_passes(scene.width, scene.height, context.scales, context.encoder)

    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Mean over window sides with equal weights.

        On outlined aircraft equal weights give a ROC-AUC of .868, weights of 1 / side .850.
        """
        return interpolated_score_map(embedding, scores, [1.0] * len(embedding.lattice.scales))

    def is_offered(self, card: ModelCard | None, encoder: Encoder | None = None) -> bool:
        """Whether the card shows dense to be no worse than windows and the encoder has cells."""
        if card is None or (encoder is not None and encoder.dense is None):
            return False
        return reason_against_dense(card) is None

    def check(self, context: MethodContext) -> list[str]:
        """Refuse encoders without cells, and those that dense is not offered with."""
        dense_tower(context.encoder)
        return check_dense(context.encoder.card, context.force)

    def warnings(self, context: MethodContext, lattice: Lattice) -> list[str]:
        """Warn of widened default windows and of a single window."""
        return [*widened_warning(context), *single_window_warning(lattice)]


def dense_tower(encoder: Encoder) -> DenseTower:
    """The encoder's image tower before its pooling.

    Raises:
        ConfigError: the encoder has no feature cells.
    """
    tower = encoder.dense
    if tower is None:
        raise ConfigError(
            f"method dense needs the cells of the image tower before pooling, and {encoder.name} "
            "has none; use method terraseek"
        )
    return tower


def dense_lattice(width: int, height: int, sides: Sequence[int], cells: int, box: int) -> Lattice:
    """Squares of `box` x `box` feature cells at every cell, scale by scale and row by row.

    Sides are rounded to whole pixels per cell. The last cells of a row may reach beyond the scene,
    where windows are clipped; a scene smaller than a window has one window, which spans it.

    Args:
        width: columns of the scene.
        height: rows of the scene.
        sides: window sides in pixels.
        cells: feature cells along a window.
        box: feature cells along the central square whose mean is the vector of a window.

    Raises:
        LatticeError: no side, one below a pixel per cell, or more windows than can be handled.
    """
    if not sides or min(sides) < cells:
        raise LatticeError(
            f"window sides {', '.join(map(str, sides)) or 'missing'}: method dense needs at least "
            f"{cells} px, one for each cell"
        )
    grids = [FeatureGrid.of(width, height, side, cells, box) for side in _rounded(sides, cells)]
    count = sum(grid.n_windows for grid in grids)
    if count > MAX_WINDOWS:
        raise LatticeError(
            f"sides {', '.join(map(str, sides))} px make {count:,} windows in a scene of "
            f"{width} x {height} pixels; take larger sides"
        )
    windows = np.concatenate([grid.windows(width, height) for grid in grids])
    scale = np.concatenate([np.full(grid.n_windows, grid.side, np.int32) for grid in grids])
    return Lattice(width, height, windows, scale)


def _rounded(sides: Sequence[int], cells: int) -> list[int]:
    """Sides of whole pixels per cell, ascending, each once."""
    return sorted({max(1, round(side / cells)) * cells for side in sides})


def dense_scales(sides: Sequence[int], encoder: Encoder) -> list[int]:
    """Window sides as method dense uses them: whole pixels per cell, ascending, each once.

    Raises:
        ConfigError: the encoder has no feature cells.
    """
    return _rounded(sides, encoder.image_size // dense_tower(encoder).cell)


def dense_passes(width: int, height: int, sides: Sequence[int], encoder: Encoder) -> float:
    """Cost of the blocks of a scene, in encoder inputs with the same number of pixels.

    Raises:
        ConfigError: the encoder has no feature cells.
    """
    tower = dense_tower(encoder)
    cells = encoder.image_size // tower.cell
    core = tower.side // tower.cell - 2 * (cells // 2)
    grids = [
        FeatureGrid.of(width, height, side, cells, tower.box) for side in _rounded(sides, cells)
    ]
    n_blocks = sum(-(-grid.rows // core) * -(-grid.cols // core) for grid in grids)
    return float(n_blocks * (tower.side / encoder.image_size) ** 2)
