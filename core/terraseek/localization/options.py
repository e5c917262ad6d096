"""Settings of a localization, and the window sides they give for a scene."""

import math
from dataclasses import dataclass
from typing import ClassVar

from terraseek.errors import ConfigError, LatticeError, SceneError
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS, get_method
from terraseek.parameters import FLAG, NUMBERS, WHOLE_NUMBER, WHOLE_NUMBERS, parameter
from terraseek.scenes import Scene

__all__ = ["LocalizeOptions", "scales_of"]

_MIN_GRID_SIDE = 16
_MAX_SCENES_PER_WINDOW = 10
"""Most lengths of the scene in a window side: larger windows than the scene score it as a whole,
which gives a warning, but one of this size is a typing error."""
_SMALL_SIDE = 1024
"""Window side in pixels up to which scenes may be as small as they like."""


@dataclass(frozen=True, slots=True)
class LocalizeOptions:
    """Settings of one localization; the defaults suit a scene of 0.3 to 1 m per pixel."""

    parameter_error: ClassVar[type[LatticeError]] = LatticeError

    method: str = parameter(
        "method", f"one of {', '.join(METHODS)}", default=DEFAULT_METHOD, choices=tuple(METHODS)
    )
    """Name of a method in `methods.registry`."""
    scales: tuple[int, ...] | None = parameter(
        "scales", "window sides in pixels, such as 96,192,384", WHOLE_NUMBERS
    )
    """Window sides in pixels; None: the method's default for the scene."""
    scales_m: tuple[float, ...] | None = parameter(
        "scales_m", "window sides in metres instead, such as 60,120", NUMBERS
    )
    """Window sides in metres on the ground instead; needs a scene with a ground sample distance."""
    minus: tuple[str, ...] = parameter("minus", "sentence whose score is subtracted", default=())
    """Sentences whose mean cosine is subtracted."""
    seed: int = parameter("seed", "seed of the word shuffles of selo-v2", WHOLE_NUMBER, default=0)
    """Seed of the word shuffles of selo-v2."""
    unvisited: str = parameter(
        "unvisited",
        "score of ground that no window of selo-v2 covers: zero, as published, or neutral",
        default="zero",
        choices=("zero", "neutral"),
    )
    """Score of the ground that no window of selo-v2's two stages covers. `zero` is the published
    rule; where cosines are below 0, as those of centred encoders mostly are, it ranks that ground
    above what was looked at. `neutral` is the mean score of the first stage, which is no opinion.
    """
    grid_side: int = 2048
    """Longest side in pixels of the heat map held in memory; files have full resolution."""
    force: bool = parameter(
        "force",
        "use feature cells in methods dense and terraseek although the card advises against it",
        FLAG,
        default=False,
        former_options=("even_so",),
    )
    """Use cells in place of windows, in methods dense and terraseek, also with models whose card
    does not show them to be as exact; see `dense_availability`."""

    def __post_init__(self) -> None:
        get_method(self.method)
        if self.unvisited not in ("zero", "neutral"):
            raise ConfigError(f"unvisited {self.unvisited!r} must be zero or neutral")
        if self.scales is not None and self.scales_m is not None:
            raise ConfigError("give window sides in pixels or in metres, not both")
        if self.grid_side < _MIN_GRID_SIDE:
            raise ConfigError(f"grid_side {self.grid_side} must be at least {_MIN_GRID_SIDE}")

    @property
    def scales_given(self) -> bool:
        """Whether window sides were given, in pixels or metres."""
        return self.scales is not None or self.scales_m is not None


def scales_of(scene: Scene, options: LocalizeOptions) -> tuple[int, ...]:
    """Window sides in pixels for this scene.

    Raises:
        LatticeError: a side is not a finite number, below two pixels, or far larger
            than the scene.
        SceneError: the sides are in metres and the scene has no ground sample distance.
    """
    if options.scales is not None:
        _check_size(scene, options.scales)
        return options.scales
    if options.scales_m is not None:
        return _from_metres(scene, options.scales_m)
    return get_method(options.method).default_scales(scene)


def _check_size(scene: Scene, sides: tuple[int, ...]) -> None:
    longest = max(scene.width, scene.height)
    if sides and max(sides) > max(_MAX_SCENES_PER_WINDOW * longest, _SMALL_SIDE):
        raise LatticeError(
            f"window side {max(sides):,} px is far larger than {scene.name} ({scene.width:,} x "
            f"{scene.height:,} px); take at most {longest:,}, which is all of it"
        )


def _from_metres(scene: Scene, sides: tuple[float, ...]) -> tuple[int, ...]:
    if scene.gsd_m is None:
        raise SceneError(
            f"{scene.name} has no georeference, so metres cannot be converted; give sides in pixels"
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
