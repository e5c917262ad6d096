"""An encoder with cells whose vectors are known exactly."""

from typing import Any

import numpy as np

from terraseek.encoders.dense_tower import DenseTower
from terraseek.encoders.fake import FakeEncoder

CELLS = 4
"""Numbers of cells along an image."""


class DenseFake(FakeEncoder):
    """Colours only, so that the mean of the cells is exactly the vector of the whole."""

    def __init__(self) -> None:
        super().__init__(dim=6)
        self.batch_size = 8
        self.blocks = 0

    def _encode_image_batch(self, batch: Any) -> Any:
        return self._of(batch.mean(axis=(1, 2)))

    def _of(self, colour: Any) -> Any:
        colour = np.asarray(colour, np.float32) / 255
        light = colour.mean(axis=1, keepdims=True)
        return np.concatenate([4 * (colour - light), light, 1 - light, light * 0], axis=1)

    @property
    def dense(self) -> DenseTower:
        cell, side = self.image_size // CELLS, 2 * self.image_size
        count = side // cell

        def cells(blocks: Any) -> Any:
            self.blocks += len(blocks)
            parts = blocks.astype(np.float32).reshape(-1, count, cell, count, cell, 3)
            return parts.mean(axis=(2, 4))

        return DenseTower("average", side, cell, CELLS, 3, cells, self._of)
