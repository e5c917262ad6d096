"""An encoder with cells whose vectors are known exactly."""

from dataclasses import replace
from typing import Any

import numpy as np

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.dense_tower import DenseTower
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.localization.methods.dense_availability import MIXED_SCORE

CELLS = 4
"""Numbers of cells along an image."""


def mixed_card(terraseek: float = 0.9) -> ModelCard:
    """A card whose windows have a ROC-AUC of .8, and method terraseek with cells this one."""
    measured = {
        name: {"roc_auc": value, "average_precision": 0.2}
        for name, value in (("terraseek", terraseek), ("windows", 0.8))
    }
    return replace(get_card("terraseek-tiny"), scores={MIXED_SCORE: measured}, calibration=None)


class DenseFake(FakeEncoder):
    """Colours only, so that the mean of the cells is exactly the vector of the whole."""

    def __init__(self, block_sides: int = 2) -> None:
        """Blocks are squares of `block_sides` image sides."""
        super().__init__(dim=6)
        self.batch_size = 8
        self._block_sides = block_sides
        self.blocks = 0

    def _encode_image_batch(self, batch: Any) -> Any:
        return self._of(batch.mean(axis=(1, 2)))

    def _of(self, colour: Any) -> Any:
        colour = np.asarray(colour, np.float32) / 255
        light = colour.mean(axis=1, keepdims=True)
        return np.concatenate([4 * (colour - light), light, 1 - light, light * 0], axis=1)

    @property
    def dense(self) -> DenseTower:
        cell, side = self.image_size // CELLS, self._block_sides * self.image_size
        count = side // cell

        def cells(blocks: Any) -> Any:
            self.blocks += len(blocks)
            parts = blocks.astype(np.float32).reshape(-1, count, cell, count, cell, 3)
            return parts.mean(axis=(2, 4))

        return DenseTower("average", side, cell, CELLS, 3, cells, self._of)
