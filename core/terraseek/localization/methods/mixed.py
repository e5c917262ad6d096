"""Method terraseek, the default: windows of each side, the smallest from large blocks.

Most of the half-stride windows are the smallest ones: three quarters of the default lattice. Their
vectors come from one pass over large blocks (`methods.dense`), for less than half the passes and
at twice as many places; larger windows, whose borders show much of what does not belong to them,
are encoded one by one. Measured in docs/experiments.md.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32

from terraseek.localization.methods.base import Method, MethodContext, ScoreMap
from terraseek.localization.methods.dense import DenseMethod, dense_scales, dense_tower
from terraseek.localization.methods.dense_availability import is_mixed_as_good
from terraseek.localization.methods.dense_encode import encode_dense
from terraseek.localization.methods.window_scales import adapted_scales
from terraseek.localization.methods.windows import WindowMethod, interpolated_score_map
from terraseek.localization.windows.embedding import (
    SceneEmbedding,
    load_or_encode,
    partial_embeddings,
)
from terraseek.localization.windows.encode import Encoded, encode_windows
from terraseek.localization.windows.lattice import Lattice
from terraseek.progress import Progress
from terraseek.scenes import Scene

__all__ = ["MixedMethod", "joined_lattice"]


class MixedMethod(Method):
    """Single windows, but those of the smallest side as means over feature cells.

    All sides are single windows where the encoder has no feature cells, where its card does not
    show this to be as exact (unless forced), where it would take as many passes, and where there is
    only one side.
    """

    name = "terraseek"
    title = "TerraSeek"
    summary = "windows of several sizes, the smallest from one pass over large blocks"

    def __init__(
        self, windows: WindowMethod | None = None, dense: DenseMethod | None = None
    ) -> None:
        """Combine two methods; None: as they are listed."""
        self.windows, self.dense = windows or WindowMethod(), dense or DenseMethod()

    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """Sides by the size and resolution of the scene; see `window_scales`."""
        return adapted_scales(scene)

    def parts(self, context: MethodContext) -> tuple[MethodContext | None, MethodContext]:
        """What method dense encodes, if anything, and what is encoded as single windows."""
        scales, encoder = sorted(set(context.scales)), context.encoder
        wanted = context.force or is_mixed_as_good(encoder.card)
        if len(scales) < 2 or not wanted or encoder.dense is None:
            return None, context
        cells = encoder.image_size // encoder.dense.cell
        if scales[0] < cells or dense_scales(scales[:1], encoder)[0] >= scales[1]:
            return None, context
        small, large = (replace(context, scales=tuple(s)) for s in (scales[:1], scales[1:]))
        if self.dense.passes(small, 0) >= len(self.windows.lattice(small)):
            return None, context
        return small, large

    def lattice(self, context: MethodContext) -> Lattice:
        """Squares of cells of the smallest side, and half-stride windows of the others."""
        small, large = self.parts(context)
        if small is None:
            return self.windows.lattice(large)
        return joined_lattice(self.dense.lattice(small), self.windows.lattice(large))

    def embed(self, context: MethodContext) -> SceneEmbedding:
        """Vectors of all windows, the larger ones first; an interrupted run continues."""
        small, large = self.parts(context)
        if small is None:
            return self.windows.embed(large)
        tower = dense_tower(context.encoder)
        lattice = joined_lattice(self.dense.lattice(small), self.windows.lattice(large))
        return load_or_encode(
            context.scene,
            lattice,
            context.encoder,
            context.grid,
            lambda store: self._encode(small, large, lattice, store),
            context.cache,
            kind=f"mixed-{tower.kind}-{tower.box}-",
        )

    def _encode(
        self, small: MethodContext, large: MethodContext, lattice: Lattice, store: Path | None
    ) -> Encoded:
        scene, encoder, tower = large.scene, large.encoder, dense_tower(large.encoder)
        cells, windows = self.dense.lattice(small), self.windows.lattice(large)
        total = len(windows) + round(self.dense.passes(small, len(cells)))
        show = partial_embeddings(scene, lattice, encoder, large.grid, large.on_partial)
        none_yet = np.zeros((len(cells), encoder.dim), np.float16), np.zeros(len(cells), bool)
        coarse = encode_windows(
            scene,
            windows,
            encoder,
            store,
            _share(large.progress, 0, len(windows), total),
            show and (lambda so_far: show(_joined(none_yet, so_far))),
        )
        fine = encode_dense(
            scene,
            cells,
            encoder,
            tower,
            store,
            _share(large.progress, len(windows), total, total),
            show and (lambda so_far: show(_joined(so_far, coarse))),
        )
        return _joined(fine, coarse)

    def passes(self, context: MethodContext, n_windows: int) -> float:
        """Single windows, and blocks counted as images with the same number of pixels."""
        small, large = self.parts(context)
        if small is None:
            return float(n_windows)
        return len(self.windows.lattice(large)) + self.dense.passes(small, n_windows)

    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Mean over window sides, weighted by 1 / side; cells have the weight of the next side.

        They are finer and describe more than their window. Chosen on half of the airports and
        mosaics of docs/experiments.md.
        """
        weights = [1 / side for side in embedding.lattice.scales]
        if self.parts(context)[0] is not None:
            weights[0] = weights[1]
        return interpolated_score_map(embedding, scores, weights)

    def warnings(self, context: MethodContext, lattice: Lattice) -> list[str]:
        """Warn of widened default windows and of a single window."""
        return self.windows.warnings(context, lattice)


def joined_lattice(cells: Lattice, windows: Lattice) -> Lattice:
    """The windows of method dense, then those of method windows, as one lattice."""
    return Lattice(
        windows.width,
        windows.height,
        np.concatenate([cells.windows, windows.windows]),
        np.concatenate([cells.scale, windows.scale]),
    )


def _joined(
    fine: Encoded, coarse: tuple[Float16[np.ndarray, "m dim"], Bool[np.ndarray, " m"]]
) -> tuple[Float16[np.ndarray, "nm dim"], Bool[np.ndarray, " nm"]]:
    return np.concatenate([fine[0], coarse[0]]), np.concatenate([fine[1], coarse[1]])


def _share(progress: Progress, start: int, end: int, total: int) -> Progress:
    """Progress of a part of the work, from `start` to `end` of `total` passes."""

    def report(_: str, done: int, count: int) -> None:
        progress("encode windows", start + round((end - start) * done / max(1, count)), total)

    return report
