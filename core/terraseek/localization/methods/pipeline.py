"""From window vectors to heat maps, for each method."""

import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64

from terraseek.encoders.base import Encoder
from terraseek.encoders.registry import ModelCard
from terraseek.encoders.vocabulary import mostly_unknown
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.methods import selo
from terraseek.localization.methods.dense import dense_tower, embed_dense
from terraseek.localization.methods.dense_availability import check_dense
from terraseek.localization.methods.level_field import LevelField
from terraseek.localization.options import LocalizeOptions, lattice_of, scales_notes, scales_of
from terraseek.localization.query import Asked
from terraseek.localization.significance.assessment import (
    Judgement,
    gsd_warnings,
    judge,
    unread_notes,
)
from terraseek.localization.windows.embedding import SceneEmbedding, embed_windows
from terraseek.localization.windows.fields import (
    CellField,
    Field,
    mean_field,
    mean_of_windows,
    node_field,
)
from terraseek.localization.windows.lattice import Lattice
from terraseek.progress import Progress
from terraseek.scenes import Scene

__all__ = ["Run"]

_SELO_GRID_SIDE = 12_288
"""The published filters work on scene pixels; only larger scenes are filtered on a reduced grid."""


@dataclass(frozen=True, eq=False)
class Run:
    """One scene, one encoder, one set of options: encoded once, asked any number of times."""

    scene: Scene
    encoder: Encoder
    options: LocalizeOptions
    cache: bool
    progress: Progress

    @cached_property
    def embedding(self) -> SceneEmbedding:
        """Vectors of the lattice; of the first stage for selo-v2."""
        if self.options.method == "selo-v2":
            return self._embed(selo.stage_one(self.scene.width, self.scene.height), self.cache)
        if self.options.method == "dense":
            _ = self._dense_notes  # refused before the work
            sides = scales_of(self.scene, self.options)
            return embed_dense(
                self.scene, sides, self.encoder, self.grid, self.cache, self.progress
            )
        return self._embed(lattice_of(self.scene, self.options), self.cache)

    @cached_property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the heat map held in memory."""
        published = self.options.method.startswith("selo")
        side = _SELO_GRID_SIDE if published else self.options.grid_side
        step = max(1, math.ceil(max(self.scene.width, self.scene.height) / side))
        return math.ceil(self.scene.height / step), math.ceil(self.scene.width / step)

    @cached_property
    def _card(self) -> ModelCard | None:
        return self.encoder.card

    @cached_property
    def _notes(self) -> list[str]:
        side = self.encoder.image_size
        seen = gsd_warnings(self.scene, self.embedding.lattice, side, self._card)
        cut = scales_notes(self.scene, self.options, self.embedding.lattice)
        return [*self.scene.notes, *cut, *seen, *self._dense_notes]

    @cached_property
    def _dense_notes(self) -> list[str]:
        if self.options.method != "dense":
            return []
        dense_tower(self.encoder)
        return check_dense(self._card, self.options.even_so)

    def heat(self, asked: Asked, minus: Float32[np.ndarray, " dim"] | None) -> HeatMap:
        """The map of one query."""
        embedding = self.embedding
        began = time.perf_counter()
        vector = asked.vector if minus is None else asked.vector - minus
        scores = embedding.scores(vector, self.encoder.encoder_id)
        drawn = self._drawn(embedding, scores, vector)
        worth = self._worth(asked, scores) if minus is None else Judgement()
        return HeatMap(
            field=drawn.field,
            shape=self.grid,
            inside=embedding.valid,
            georef=self.scene.georef,
            name=self.scene.name,
            query=asked.text,
            encoder_id=self.encoder.encoder_id,
            method=self.options.method,
            windows=drawn.windows,
            encode_s=embedding.seconds + drawn.encode_s,
            query_s=asked.seconds + time.perf_counter() - began - drawn.encode_s,
            layers=drawn.layers,
            window_px=int(embedding.lattice.scale.min()),
            stored=embedding.stored and not drawn.encode_s,
            warnings=(*asked.warnings, *unread_notes(asked.sentences, self._card), *self._notes),
            confidence=worth.confidence,
            convincing=worth.convincing,
            bar=worth.bar,
            span=drawn.span,
        )

    def _worth(self, asked: Asked, scores: Float32[np.ndarray, " n"]) -> Judgement:
        """Only sentences are judged: cosines between two images have another background."""
        if asked.share is None:
            return Judgement()
        if self._card is not None and mostly_unknown(asked.sentences, self._card.calibration):
            return Judgement(convincing=False)
        count = int(np.isfinite(scores).sum())
        return judge(float(np.nanmax(scores)), count, self._card, asked.share)

    def _embed(self, lattice: Lattice, cache: bool) -> SceneEmbedding:
        return embed_windows(self.scene, lattice, self.encoder, self.grid, cache, self.progress)

    def _drawn(
        self,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        vector: Float32[np.ndarray, " dim"],
    ) -> "_Drawn":
        count = int(embedding.known.sum())
        if not self.options.method.startswith("selo"):
            lattice = embedding.lattice
            layers = {side: node_field(lattice, scores, side) for side in lattice.scales}
            # small windows tell where, large ones what is around: measured on outlined aircraft,
            # 1 / side beats equal weights (ROC-AUC .764 to .743), and standardised layers
            # of dense, whose windows stand at every cell, equal weights do (.868 to .850)
            dense = self.options.method == "dense"
            weights = [1.0 if dense else 1 / side for side in layers]
            field = mean_field(list(layers.values()), weights)
            return _Drawn(field, count, dict(layers))
        if self.options.method == "selo-v1":
            mean = mean_of_windows(embedding.lattice, scores)
            return self._published(mean, count, 0.0)
        boxes = selo.expand_boxes(embedding.lattice, selo.keep_best(scores))
        second = self._embed(boxes, cache=False)
        windows = np.concatenate([embedding.lattice.windows[selo.keep_best(scores)], boxes.windows])
        both = np.concatenate(
            [scores[selo.keep_best(scores)], second.scores(vector, self.encoder.encoder_id)]
        )
        joined = Lattice(
            self.scene.width, self.scene.height, windows, np.zeros(len(windows), np.int32)
        )
        mean = mean_of_windows(joined, both.astype(np.float32))
        # places no box visited count as 0, as in the published code
        mean = CellField(mean.row_edges, mean.col_edges, np.nan_to_num(mean.values, nan=0.0))
        return self._published(mean, count + len(boxes), second.seconds)

    def _positions(self) -> tuple[Float64[np.ndarray, " h"], Float64[np.ndarray, " w"]]:
        """Scene rows and columns of the cell centres of the heat map's grid."""
        height, width = self.grid
        rows = (np.arange(height) + 0.5) * (self.scene.height / height)
        return rows, (np.arange(width) + 0.5) * (self.scene.width / width)

    def _published(self, mean: CellField, windows: int, encode_s: float) -> "_Drawn":
        """Min-max, 8 bits and filter; the 256 levels are put back on the scale of cosines.

        Min-max and truncation act on values alone, so they are done on the coarse cells.
        """
        height, width = self.grid
        size = self.scene.height, self.scene.width
        scale = max(size[1] / width, size[0] / height)
        cells = mean.cut(selo.quantised(mean.values), *self._positions())
        if self.options.method == "selo-v1":
            levels = selo.despeckled_cells(cells, scale)
        else:
            levels = selo.blurred(cells.pixels(), scale)
        low, high = float(np.nanmin(mean.values)), float(np.nanmax(mean.values))
        cosine = (low + (high - low) * np.arange(256) / 255).astype(np.float32)
        known = np.isfinite(mean.values).astype(np.uint8)
        unknown = mean.cut(known, *self._positions()).pixels() == 0 if not known.all() else None
        field = LevelField(levels, cosine, size, unknown)
        return _Drawn(field, windows, {}, encode_s, (low, high))


@dataclass(frozen=True, eq=False)
class _Drawn:
    field: Field
    windows: int
    layers: dict[int, Field]
    encode_s: float = 0.0
    """Seconds spent on windows that only this map needs, which are never kept."""
    span: tuple[float, float] | None = None
