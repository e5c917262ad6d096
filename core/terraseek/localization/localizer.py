"""From a scene and an encoded query to a heat map, the same way for every method."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.map_warnings import gsd_warnings, unknown_word_warnings
from terraseek.localization.methods.base import Method, MethodContext
from terraseek.localization.methods.registry import get_method
from terraseek.localization.options import LocalizeOptions, scales_of
from terraseek.localization.query import EncodedQuery
from terraseek.localization.significance import (
    assess_windows,
    best_confidence,
    level_scale,
)
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.localization.windows.lattice import Lattice
from terraseek.parameters import write_parameters
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["Localizer"]


@dataclass(frozen=True, eq=False)
class Localizer:
    """One scene, one encoder, one set of options: encoded once, queried any number of times."""

    scene: Scene
    encoder: Encoder
    options: LocalizeOptions
    progress: Progress = silent
    """Called while windows are encoded; it may raise `Cancelled`."""
    cache: bool = True
    """Whether window vectors are read from and written to `home()/scenes`."""

    on_partial: Callable[[SceneEmbedding], None] | None = None
    """Called while windows are encoded, with those encoded so far; see `embed_windows`."""

    @cached_property
    def method(self) -> Method:
        """The method of the options."""
        return get_method(self.options.method)

    @cached_property
    def context(self) -> MethodContext:
        """What the method works on."""
        options = self.options
        return MethodContext(
            scene=self.scene,
            encoder=self.encoder,
            scales=scales_of(self.scene, options) if self.method.uses_scales else (),
            scales_given=options.scales_given,
            grid=self._grid,
            force=options.force,
            unvisited=options.unvisited,
            progress=self.progress,
            cache=self.cache,
            on_partial=self.on_partial,
        )

    @property
    def _grid(self) -> tuple[int, int]:
        """(height, width) of the heat map held in memory."""
        side = self.method.grid_side or self.options.grid_side
        step = max(1, math.ceil(max(self.scene.width, self.scene.height) / side))
        return math.ceil(self.scene.height / step), math.ceil(self.scene.width / step)

    @cached_property
    def _method_warnings(self) -> list[str]:
        return self.method.check(self.context)

    @cached_property
    def embedding(self) -> SceneEmbedding:
        """Vectors of the windows, from the cache or encoded at the first use.

        Raises:
            ConfigError: the method cannot be used with this encoder.
            SceneError: the pixels cannot be decoded or none is valid.
            LatticeError: the window sides cannot be used.
        """
        _ = self._method_warnings  # refuse an encoder before the work
        return self.method.embed(self.context)

    def _warnings(self, lattice: Lattice) -> list[str]:
        return [
            *self.scene.notes,
            *self.method.warnings(self.context, lattice),
            *gsd_warnings(self.scene, lattice, self.encoder.card, self.encoder.image_size),
            *self._method_warnings,
        ]

    def heat_map(
        self,
        query: EncodedQuery,
        minus: Float32[np.ndarray, " dim"] | None = None,
        partial: SceneEmbedding | None = None,
    ) -> HeatMap:
        """The heat map of one query.

        Args:
            query: the encoded query.
            minus: mean vector of sentences whose cosine is subtracted.
            partial: what `on_partial` received, for a map of the windows encoded so far.

        Raises:
            SceneError: the pixels cannot be decoded or none is valid.
        """
        embedding = partial or self.embedding
        began = time.perf_counter()
        vector = query.vector if minus is None else query.vector - minus
        scores = embedding.scores(vector, self.encoder.encoder_id)
        method = self.method
        draw = method.score_map if partial is None else method.partial_score_map
        score_map = draw(self.context, embedding, scores, vector)
        found = assess_windows(query, minus, scores, embedding, self.encoder)
        map_s = time.perf_counter() - began - score_map.encode_s
        return HeatMap(
            field=score_map.field,
            shape=self.context.grid,
            valid_mask=embedding.valid,
            georef=self.scene.georef,
            scene_name=self.scene.name,
            query=query.text,
            encoder_id=self.encoder.encoder_id,
            method=self.method.name,
            n_windows=score_map.n_windows,
            encode_s=embedding.seconds + score_map.encode_s,
            query_s=query.seconds + map_s,
            layers=score_map.layers,
            window_px=int(embedding.lattice.scale.min()),
            from_cache=embedding.from_cache and not score_map.encode_s,
            warnings=(
                *query.warnings,
                *unknown_word_warnings(query.sentences, self.encoder.card),
                *self._warnings(embedding.lattice),
            ),
            confidence=best_confidence(scores, query, self.encoder) if minus is None else None,
            significance=None if found is None else found.level,
            probability=None if found is None else round(float(found.probabilities[0]), 4),
            level_scale=level_scale(found, query, self.encoder.card),
            level_range=score_map.level_range,
            scene_path=self.scene.path,
            windows=embedding.windows if score_map.windows is None else score_map.windows,
            window_sides=embedding.window_sides if score_map.layers else None,
            minus=self.options.minus,
            scales=embedding.lattice.scales,
            parameters={"q": list(query.sentences)} | write_parameters(self.options),
        )
