"""How to localize."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from terraseek.errors import ConfigError, LatticeError, SceneError
from terraseek.localization.windows.lattice import (
    SELO_SCALES,
    Lattice,
    half_stride_lattice,
    selo_v1_lattice,
)
from terraseek.scenes import Scene

__all__ = ["DEFAULT_SCALES", "LocalizeOptions", "Method", "lattice_of", "scales_notes", "scales_of"]

Method = Literal["terraseek", "dense", "selo-v1", "selo-v2"]
"""terraseek: half-stride lattice, interpolated between centres; dense: the same from one pass per
side, for encoders with cells; selo-v1 and -v2: published."""

DEFAULT_SCALES = (96, 192, 384)
"""Window sides in pixels of method terraseek on scenes of at least `_FULL_SIDE` pixels.

On six airports at 0.5 m with outlined aircraft, ROC-AUC falls from .79 (96 px alone) to .64 (512 px
alone); the larger two are kept for things larger than an aircraft."""
_FULL_SIDE = 1024
_SMALLEST = 24
_MANY_WINDOWS = 60_000
"""About as many as a scene of 10,000 x 10,000 pixels has; default windows of larger scenes are
widened, because the first answer would take hours on two cores."""
_COARSE_ENOUGH_M = 0.4
"""Metres per pixel below which default windows are widened, as far as the scene has room."""


@dataclass(frozen=True, slots=True)
class LocalizeOptions:
    """Settings of one localization; the defaults suit a scene of 0.3 to 1 m per pixel."""

    method: str = "terraseek"
    """One of `Method`."""
    scales: tuple[int, ...] | None = None
    """Window sides in pixels; None: by the method, and by the size of a small scene."""
    scales_m: tuple[float, ...] | None = None
    """Window sides in metres on the ground instead; needs a scene with a ground sample distance."""
    minus: tuple[str, ...] = ()
    """Sentences whose mean cosine is subtracted."""
    seed: int = 0
    """Of the word shuffles of selo-v2."""
    grid_side: int = 2048
    """Longest side of the heat map held in memory; files are written in full resolution."""
    even_so: bool = False
    """Method dense also with models it is not offered with; see `dense_offer`."""

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConfigError(
                f"method {self.method!r} is unknown; there are {', '.join(get_args(Method))}"
            )
        if self.scales is not None and self.scales_m is not None:
            raise ConfigError("give window sides in pixels or in metres, not both")
        if self.grid_side < 16:
            raise ConfigError(f"grid_side {self.grid_side} must be at least 16")


def scales_of(scene: Scene, options: LocalizeOptions) -> tuple[int, ...]:
    """Window sides in pixels for this scene.

    Raises:
        LatticeError: a side is not positive.
        SceneError: metres were asked for and the scene has no ground sample distance.
    """
    if options.scales is not None:
        return options.scales
    if options.scales_m is not None:
        return _from_metres(scene, options.scales_m)
    if options.method.startswith("selo"):
        return SELO_SCALES
    factor = _fitting(scene)
    factor *= _crowd(scene, factor)
    return tuple(sorted({max(_SMALLEST, round(side * factor)) for side in DEFAULT_SCALES}))


def _fitting(scene: Scene) -> float:
    """How much wider than the default windows of a scene of this size and resolution should be."""
    # a small image still deserves a map: windows shrink with it; on pixels of centimetres they
    # grow, because 128 of them show a patch of ground and no object
    room = min(scene.width, scene.height) / _FULL_SIDE
    fine = max(1.0, _COARSE_ENOUGH_M / scene.gsd_m) if scene.gsd_m else 1.0
    return min(fine, room)


def _crowd(scene: Scene, factor: float) -> float:
    """How much wider windows must be so that encoding them stays a matter of minutes."""
    count = sum(4 * scene.width * scene.height / (side * factor) ** 2 for side in DEFAULT_SCALES)
    return max(1.0, math.sqrt(count / _MANY_WINDOWS))


def scales_notes(scene: Scene, options: LocalizeOptions, lattice: Lattice) -> list[str]:
    """What to know of the windows of a map, one sentence each."""
    notes = []
    chosen = options.scales is None and options.scales_m is None
    if chosen and not options.method.startswith("selo") and _crowd(scene, _fitting(scene)) > 1:
        sides = ", ".join(map(str, scales_of(scene, options)))
        notes.append(
            f"the scene is so large that windows of {sides} px were taken; smaller things are "
            f"found with window sides {', '.join(map(str, DEFAULT_SCALES))}, in more time"
        )
    if len(lattice) == 1 and options.method != "selo-v2":
        notes.append(
            f"one window of {lattice.scale[0]} px covers the whole scene of {scene.width} x "
            f"{scene.height} pixels, so the map cannot say where; take smaller windows"
        )
    return notes


def _from_metres(scene: Scene, sides: tuple[float, ...]) -> tuple[int, ...]:
    if scene.gsd_m is None:
        raise SceneError(
            f"{scene.name} has no place on the globe, so metres say nothing; give sides in pixels"
        )
    if not all(math.isfinite(side) for side in sides):
        raise LatticeError(
            f"window sides {', '.join(map(str, sides))} m must be finite numbers like 60, 120"
        )
    pixels = tuple(round(side / scene.gsd_m) for side in sides)
    if not pixels or min(pixels) < 2:
        raise LatticeError(
            f"sides {', '.join(f'{s:g}' for s in sides)} m are below two pixels of "
            f"{scene.gsd_m:.3g} m; take larger ones"
        )
    return pixels


def lattice_of(scene: Scene, options: LocalizeOptions) -> Lattice:
    """Windows of the scene for the first stage of a method."""
    published = options.method != "terraseek"
    return _lattice(scene.width, scene.height, scales_of(scene, options), published)


@lru_cache(maxsize=16)
def _lattice(width: int, height: int, scales: tuple[int, ...], published: bool) -> Lattice:
    """One object for equal scenes, so that what is derived from it is derived once."""
    build = selo_v1_lattice if published else half_stride_lattice
    return build(width, height, scales)
