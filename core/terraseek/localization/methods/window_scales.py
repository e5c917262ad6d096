"""Default window sides, adapted to the size and resolution of a scene; warnings about them."""

import math

from terraseek.localization.methods.base import MethodContext
from terraseek.localization.windows.lattice import Lattice
from terraseek.scenes import Scene

__all__ = ["DEFAULT_SCALES", "adapted_scales", "single_window_warning", "widened_warning"]

DEFAULT_SCALES = (96, 192, 384)
"""Window sides in pixels on scenes of at least `_FULL_SIDE` pixels.

On six airports at 0.5 m with outlined aircraft, ROC-AUC falls from .79 (96 px alone) to .64 (512 px
alone); the larger two are kept for objects larger than an aircraft."""
_FULL_SIDE = 1024
"""Shorter side in pixels of a scene below which default windows shrink with it."""
_MIN_SCALE = 24
_MANY_WINDOWS = 60_000
"""About as many as a scene of 10,000 x 10,000 pixels has; default windows of larger scenes are
widened, because the first query would take hours on two cores."""
_MIN_GSD_M = 0.4
"""Metres per pixel below which default windows are widened, as far as the scene has room."""


def adapted_scales(scene: Scene) -> tuple[int, ...]:
    """`DEFAULT_SCALES`, scaled to the scene, ascending."""
    factor = _size_factor(scene)
    factor *= _count_factor(scene, factor)
    return tuple(sorted({max(_MIN_SCALE, round(side * factor)) for side in DEFAULT_SCALES}))


def _size_factor(scene: Scene) -> float:
    """Factor on the default sides for a scene of this size and resolution."""
    # windows shrink with a small image; on pixels of centimetres they grow, because 96 of these
    # show a patch of ground and no object
    room = min(scene.width, scene.height) / _FULL_SIDE
    fine = max(1.0, _MIN_GSD_M / scene.gsd_m) if scene.gsd_m else 1.0
    return min(fine, room)


def _count_factor(scene: Scene, factor: float) -> float:
    """Further factor that keeps the number of half-stride windows to `_MANY_WINDOWS`."""
    count = sum(4 * scene.width * scene.height / (side * factor) ** 2 for side in DEFAULT_SCALES)
    return max(1.0, math.sqrt(count / _MANY_WINDOWS))


def widened_warning(context: MethodContext) -> list[str]:
    """Warn where default windows were widened because the scene is large."""
    scene = context.scene
    if context.scales_given or _count_factor(scene, _size_factor(scene)) <= 1:
        return []
    return [
        f"the scene is so large that windows of {', '.join(map(str, context.scales))} px were "
        "taken; smaller objects are found with window sides "
        f"{', '.join(map(str, DEFAULT_SCALES))}, in more time"
    ]


def single_window_warning(lattice: Lattice) -> list[str]:
    """Warn where a single window covers the whole scene."""
    if len(lattice) != 1:
        return []
    return [
        f"one window of {lattice.scale[0]} px covers the whole scene of {lattice.width} x "
        f"{lattice.height} pixels, so the map cannot say where; take smaller windows"
    ]
