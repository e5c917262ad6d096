"""Window vectors shared by methods: a rectangle is encoded once, whatever lattice it stands in.

The published lattices of any scale set are part of the half-stride lattices of their sides, so a
study of many methods and scale sets costs little more than its finest member.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int32

from terraseek.localization import SceneEmbedding
from terraseek.localization.methods.dense import dense_sides, embed_dense
from terraseek.localization.methods.pipeline import Run
from terraseek.localization.methods.selo import lattice_from
from terraseek.localization.options import scales_of
from terraseek.localization.windows.lattice import Lattice, half_stride_lattice

__all__ = ["BankRun", "WindowBank"]


@dataclass(eq=False)
class WindowBank:
    """What is known of one scene in one encoder's space."""

    rows: dict[bytes, int] = field(default_factory=dict)
    vectors: list[Float32[np.ndarray, "_ dim"]] = field(default_factory=list)
    known: list[np.ndarray] = field(default_factory=list)
    dense: dict[int, SceneEmbedding] = field(default_factory=dict)
    """Windows of method dense by their side."""

    def missing(self, lattice: Lattice) -> Int32[np.ndarray, "n 4"]:
        """Windows of a lattice that were not encoded yet."""
        return lattice.windows[[w.tobytes() not in self.rows for w in lattice.windows]]

    def add(self, found: SceneEmbedding) -> None:
        """Keep the vectors of windows."""
        start = len(self.rows)
        for row, window in enumerate(found.lattice.windows):
            self.rows[window.tobytes()] = start + row
        self.vectors = [np.concatenate([*self.vectors, found.vectors])]
        self.known = [np.concatenate([*self.known, found.known])]

    def of(self, lattice: Lattice, like: SceneEmbedding) -> SceneEmbedding:
        """The embedding of a lattice whose windows are all here; other facts as in `like`."""
        at = np.array([self.rows[window.tobytes()] for window in lattice.windows], np.int64)
        return SceneEmbedding(
            lattice=lattice,
            encoder_id=like.encoder_id,
            vectors=self.vectors[0][at],
            known=self.known[0][at],
            valid=like.valid,
            seconds=0.0,
        )


@dataclass(frozen=True, eq=False)
class BankRun(Run):
    """A run whose window vectors come from a bank; those of `dense` from one of their own."""

    bank: WindowBank = field(default_factory=WindowBank)
    stride: float = 0.5
    """Of method terraseek, in window sides."""

    @cached_property
    def embedding(self) -> SceneEmbedding:
        """As in `Run`; each side of `dense` is encoded once, whatever set it stands in."""
        if self.options.method != "dense":
            return super().embedding
        sides = dense_sides(scales_of(self.scene, self.options), self.encoder)
        for side in sides:
            if side not in self.bank.dense:
                self.bank.dense[side] = embed_dense(
                    self.scene, (side,), self.encoder, self.grid, self.cache, self.progress
                )
        return _joined([self.bank.dense[side] for side in sides])

    def _embed(self, lattice: Lattice, cache: bool) -> SceneEmbedding:
        if self.options.method == "terraseek" and self.stride != 0.5:
            scales = lattice.scales
            lattice = half_stride_lattice(lattice.width, lattice.height, scales, self.stride)
        missing = self.bank.missing(lattice)
        # with nothing missing one window still tells which pixels of the scene are valid
        asked = missing if len(missing) else lattice.windows[:1]
        found = super()._embed(lattice_from(lattice.width, lattice.height, asked), self.cache)
        if len(missing):
            self.bank.add(found)
        return self.bank.of(lattice, found)


def _joined(parts: list[SceneEmbedding]) -> SceneEmbedding:
    """The embedding of several sides of one scene, in the order of `dense_lattice`."""
    first = parts[0].lattice
    windows = np.concatenate([part.lattice.windows for part in parts])
    scale = np.concatenate([part.lattice.scale for part in parts])
    return SceneEmbedding(
        lattice=Lattice(first.width, first.height, windows, scale),
        encoder_id=parts[0].encoder_id,
        vectors=np.concatenate([part.vectors for part in parts]),
        known=np.concatenate([part.known for part in parts]),
        valid=parts[0].valid,
        seconds=0.0,
    )
