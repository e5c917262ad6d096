"""Window vectors shared by methods: each window is encoded once, in whatever lattice it is.

The published lattices of any scale set are part of the half-stride lattices of their sides, so a
study of many methods and scale sets costs little more than its finest lattice.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int32

from terraseek.localization import SceneEmbedding
from terraseek.localization.localizer import Localizer
from terraseek.localization.methods.base import Method, MethodContext
from terraseek.localization.methods.dense import DenseMethod, dense_scales
from terraseek.localization.methods.mixed import MixedMethod
from terraseek.localization.methods.selo_stages import lattice_of_boxes
from terraseek.localization.methods.windows import WindowMethod
from terraseek.localization.windows.lattice import Lattice

__all__ = ["BankLocalizer", "WindowBank"]


@dataclass(eq=False)
class WindowBank:
    """Window vectors of one scene in the embedding space of one encoder."""

    rows: dict[bytes, int] = field(default_factory=dict)
    """Row of each window in `vectors`, by the bytes of its rectangle."""
    vectors: list[Float32[np.ndarray, "_ dim"]] = field(default_factory=list)
    encoded: list[np.ndarray] = field(default_factory=list)
    """Which windows had enough valid pixels, row by row as `vectors`."""
    dense: dict[int, SceneEmbedding] = field(default_factory=dict)
    """Windows of method dense by their side in pixels."""

    def missing(self, lattice: Lattice) -> Int32[np.ndarray, "n 4"]:
        """List the windows of a lattice that are not in the bank."""
        return lattice.windows[[w.tobytes() not in self.rows for w in lattice.windows]]

    def add(self, embedding: SceneEmbedding) -> None:
        """Add the windows of an embedding."""
        start = len(self.rows)
        for row, window in enumerate(embedding.lattice.windows):
            self.rows[window.tobytes()] = start + row
        self.vectors = [np.concatenate([*self.vectors, embedding.vectors])]
        self.encoded = [np.concatenate([*self.encoded, embedding.encoded])]

    def embedding(self, lattice: Lattice, like: SceneEmbedding) -> SceneEmbedding:
        """Make the embedding of a lattice whose windows are all in the bank.

        Args:
            lattice: the windows.
            like: another embedding of the same scene, for encoder and valid pixels.
        """
        at = np.array([self.rows[window.tobytes()] for window in lattice.windows], np.int64)
        return SceneEmbedding(
            lattice=lattice,
            encoder_id=like.encoder_id,
            vectors=self.vectors[0][at],
            encoded=self.encoded[0][at],
            valid=like.valid,
            seconds=0.0,
        )


@dataclass(frozen=True, eq=False)
class BankLocalizer(Localizer):
    """A localizer whose window vectors come from a bank."""

    bank: WindowBank = field(default_factory=WindowBank)
    stride: float = 0.5
    """Of single windows, in window sides."""

    @cached_property
    def method(self) -> Method:
        """Method of the options, with the stride and with the vectors of the bank."""
        windows, dense = WindowMethod(self.stride), _BankDense(self.bank)
        special: dict[str, Method] = {
            MixedMethod.name: _BankMixed(windows, dense),
            WindowMethod.name: windows,
            DenseMethod.name: dense,
        }
        return special.get(self.options.method, super().method)

    @cached_property
    def context(self) -> MethodContext:
        """Context of the localizer, whose windows are taken from the bank."""
        return _BankContext(**vars(super().context), bank=self.bank)


@dataclass(frozen=True, eq=False)
class _BankContext(MethodContext):
    """Context that encodes only windows which are not in the bank."""

    bank: WindowBank = field(default_factory=WindowBank)

    def embed(self, lattice: Lattice, cache: bool = True, partial: bool = False) -> SceneEmbedding:
        """Embed a lattice; windows that depend on the query are cached too."""
        missing = self.bank.missing(lattice)
        # with nothing missing, one window still gives the valid pixels of the scene
        boxes = missing if len(missing) else lattice.windows[:1]
        found = super().embed(lattice_of_boxes(lattice.width, lattice.height, boxes))
        if len(missing):
            self.bank.add(found)
        return self.bank.embedding(lattice, found)


class _BankDense(DenseMethod):
    """Method dense that encodes each window side once, whatever scale set it is part of."""

    def __init__(self, bank: WindowBank) -> None:
        self._bank = bank

    def embed(self, context: MethodContext) -> SceneEmbedding:
        """Embed all window sides, in the order of `dense_lattice`."""
        sides = dense_scales(context.scales, context.encoder)
        for side in sides:
            if side not in self._bank.dense:
                self._bank.dense[side] = super().embed(replace(context, scales=(side,)))
        return _concatenated([self._bank.dense[side] for side in sides])


class _BankMixed(MixedMethod):
    """Method terraseek that takes the windows of both kinds from the bank."""

    def embed(self, context: MethodContext) -> SceneEmbedding:
        """Embed the windows of method dense, then single windows, in the order of the lattice."""
        small, large = self.parts(context)
        windows = self.windows.embed(large)
        return windows if small is None else _concatenated([self.dense.embed(small), windows])


def _concatenated(embeddings: list[SceneEmbedding]) -> SceneEmbedding:
    """Concatenate the embeddings of several window sides of a scene."""
    first = embeddings[0].lattice
    windows = np.concatenate([one.lattice.windows for one in embeddings])
    scale = np.concatenate([one.lattice.scale for one in embeddings])
    return SceneEmbedding(
        lattice=Lattice(first.width, first.height, windows, scale),
        encoder_id=embeddings[0].encoder_id,
        vectors=np.concatenate([one.vectors for one in embeddings]),
        encoded=np.concatenate([one.encoded for one in embeddings]),
        valid=embeddings[0].valid,
        seconds=0.0,
    )
