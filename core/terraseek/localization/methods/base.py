"""What a localization method has to implement.

A method decides where windows are cut (`lattice`) and how their scores become a score at every
pixel (`score_map`). Everything else has a default: encoding, caching, queries, significance and
output are the same for all methods. To add a method, write a subclass of `Method` in a file of this
folder and add an instance to the list in `registry`; the command line, the app and the evaluation
then offer it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Float64, Int32

from terraseek.encoders.base import Encoder
from terraseek.encoders.cards import ModelCard
from terraseek.localization.windows.embedding import SceneEmbedding, embed_windows
from terraseek.localization.windows.fields import Field
from terraseek.localization.windows.lattice import Lattice
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["Method", "MethodContext", "ScoreMap"]


@dataclass(frozen=True, eq=False)
class MethodContext:
    """What a method works on: an open scene, an encoder, and settings resolved for the scene."""

    scene: Scene
    encoder: Encoder
    scales: tuple[int, ...]
    """Window sides in pixels: those of the user, or `Method.default_scales`."""
    scales_given: bool
    """Whether the user gave the window sides."""
    grid: tuple[int, int]
    """(height, width) of the heat map held in memory; covers the scene exactly."""
    force: bool = False
    """Whether the user wants the method although `Method.check` advises against it."""
    unvisited: str = "zero"
    """`LocalizeOptions.unvisited`."""
    progress: Progress = silent
    """Called while windows are encoded; it may raise `Cancelled`."""
    cache: bool = True
    """Whether window vectors are read from and written to the disk."""

    on_partial: Callable[[SceneEmbedding], None] | None = None
    """Called while the windows of `Method.lattice` are encoded; see `embed_windows`."""

    def embed(self, lattice: Lattice, cache: bool = True, partial: bool = True) -> SceneEmbedding:
        """Vectors of the windows of a lattice.

        Args:
            lattice: windows of the scene.
            cache: False for windows that depend on the query and are not worth keeping.
            partial: whether `on_partial` is called.

        Raises:
            NoValidPixelsError: no window holds enough valid pixels.
            TruncatedImageError: the pixels could not be decoded.
        """
        return embed_windows(
            self.scene,
            lattice,
            self.encoder,
            self.grid,
            self.progress,
            self.cache and cache,
            self.on_partial if partial else None,
        )

    def grid_positions(self) -> tuple[Float64[np.ndarray, " h"], Float64[np.ndarray, " w"]]:
        """Rows and columns, in scene pixels, of the cell centres of `grid`."""
        height, width = self.grid
        rows = (np.arange(height) + 0.5) * (self.scene.height / height)
        return rows, (np.arange(width) + 0.5) * (self.scene.width / width)


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """What a method makes of the window scores of one query."""

    field: Field
    """Score as a function of the pixel position."""
    n_windows: int
    """Number of windows that contributed."""
    layers: dict[int, Field] = dataclass_field(default_factory=dict)
    """One field per window side in pixels, where the method has them."""
    encode_s: float = 0.0
    """Seconds spent on encoding windows that only this query needs."""
    level_range: tuple[float, float] | None = None
    """Cosines of level 0 and level 255 of an 8-bit map; None where the method has no levels."""
    windows: Int32[np.ndarray, "n 4"] | None = None
    """row0, col0, row1, col1 of the windows that contributed; None: all encoded ones of the
    embedding."""


class Method(ABC):
    """A way to turn window scores into a score at every pixel of a scene."""

    name: ClassVar[str]
    """Name in options, commands and files."""
    title: ClassVar[str]
    """Name for people, a word or two."""
    summary: ClassVar[str]
    """One line about the method for people who choose one."""
    published: ClassVar[bool] = False
    """Whether the method reproduces a publication."""
    grid_side: ClassVar[int | None] = None
    """Longest side of the heat map held in memory; None: `LocalizeOptions.grid_side`."""
    uses_scales: ClassVar[bool] = True
    """Whether window sides can be chosen; else `MethodContext.scales` is empty."""
    encodes_more: ClassVar[bool] = False
    """Whether `score_map` encodes further windows for each query."""

    @abstractmethod
    def default_scales(self, scene: Scene) -> tuple[int, ...]:
        """Window sides in pixels for a scene, unless the user gives them."""

    @abstractmethod
    def lattice(self, context: MethodContext) -> Lattice:
        """Windows to encode before any query.

        Raises:
            LatticeError: the window sides cannot be used.
        """

    @abstractmethod
    def score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """Turn window scores into a score at every pixel.

        Args:
            context: scene, encoder and settings.
            embedding: what `embed` returned.
            scores: cosine of each window with the query; NaN where a window was not encoded.
            query: query vector, for methods that encode more windows per query.
        """

    def partial_score_map(
        self,
        context: MethodContext,
        embedding: SceneEmbedding,
        scores: Float32[np.ndarray, " n"],
        query: Float32[np.ndarray, " dim"],
    ) -> ScoreMap:
        """The same for the windows encoded so far; nothing more is encoded for it."""
        return self.score_map(context, embedding, scores, query)

    def embed(self, context: MethodContext) -> SceneEmbedding:
        """Vectors of the windows, encoded once per scene; default: each window by itself."""
        return context.embed(self.lattice(context))

    def passes(self, context: MethodContext, n_windows: int) -> float:
        """Cost of encoding in forward passes of the image tower; default: one per window."""
        return float(n_windows)

    def wordings(self, sentence: str, seed: int) -> list[str]:
        """Sentences whose mean vector stands for a sentence; default: the sentence itself."""
        return [sentence]

    def is_offered(self, card: ModelCard | None, encoder: Encoder | None = None) -> bool:
        """Whether a page should offer the method.

        Args:
            card: model card; None where there is none.
            encoder: the model, if it is loaded already.
        """
        return True

    def check(self, context: MethodContext) -> list[str]:
        """Warnings about this encoder, given before anything is encoded; default: none.

        Raises:
            ConfigError: the method cannot be used with this encoder, or should not be and
                `context.force` is not set.
        """
        return []

    def warnings(self, context: MethodContext, lattice: Lattice) -> list[str]:
        """Warnings about the windows of this scene; default: none."""
        return []
