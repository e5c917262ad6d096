"""The synthetic demo world: images drawn by code, with captions that are true of them.

Nothing here was photographed. The world exists so that TerraSeek can be tried without any data
set, and so that tests know what is in an image.
"""

from terraseek_demoworld.chips import CATEGORIES, Chip, iter_chips, make_chip
from terraseek_demoworld.world import DemoWorld, build

__all__ = ["CATEGORIES", "Chip", "DemoWorld", "build", "iter_chips", "make_chip"]
