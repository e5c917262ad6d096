"""Random views of one image: place, turn, resolution and light; all on uint8 with OpenCV.

Remote sensing has no "up", so turns by 90 degrees and mirroring keep every caption true except the
few that name a side of the image. Random numbers are taken one by one from anything that has
`random()`: a generator, or a `Drawn` row made beforehand, which lets threads make the views of one
batch in any order with the same result.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

__all__ = ["DRAWS", "Chance", "Drawn", "augment", "coarse_mosaic"]

DRAWS = 64
"""Random numbers that are enough for one view or mosaic."""

_GREY = (0.299, 0.587, 0.114)
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


@runtime_checkable
class Chance(Protocol):
    """Where random numbers come from."""

    def random(self) -> float:
        """The next one, from 0 to below 1."""
        ...


class Drawn:
    """Random numbers drawn beforehand, handed out in their order."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self._numbers = iter(numbers)

    def random(self) -> float:
        """The next one."""
        return next(self._numbers)


def augment(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    rng: Chance,
    area: tuple[float, float] = (0.45, 1.0),
    air: float = 0.0,
) -> UInt8[np.ndarray, "side side 3"]:
    """One random view, turned, mirrored, recoloured, degraded.

    Args:
        image: a square image.
        side: of the view in pixels.
        rng: where every choice comes from.
        area: smallest and largest share of the image that is seen.
        air: how often the image, if it has none, gets the light that the whole atmosphere adds.
    """
    view = _place(image, side, area, rng)
    if air and rng.random() < air:
        view = _through_air(_dimmed(view, rng), rng)
    if rng.random() < 0.25:
        view = _coarser(view, rng)
    if rng.random() < 0.8:
        view = _recolour(view, rng)
    if rng.random() < 0.2:
        view = _haze(view, rng)
    if rng.random() < 0.15:
        view = _erase(view, rng)
    return view


def coarse_mosaic(
    images: Sequence[UInt8[np.ndarray, "h w 3"]], side: int, rng: Chance
) -> UInt8[np.ndarray, "side side 3"]:
    """Four views side by side, averaged down and hazy: their kind of place from a coarser sensor.

    Args:
        images: four square images.
        side: of the view in pixels.
        rng: where every choice comes from.
    """
    half = max(12, round(side / _between(rng, 2.5, 5.0)))
    parts = [_place(image, 2 * half, (0.6, 1.0), rng) for image in images]
    light = _light(rng)
    joined = np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
    small = cv2.resize(joined, (2 * half, 2 * half), interpolation=cv2.INTER_AREA)
    view = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return _haze(np.asarray(cv2.transform(view, light), np.uint8), rng)


def _between(rng: Chance, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _place(
    image: UInt8[np.ndarray, "h w 3"], side: int, area: tuple[float, float], rng: Chance
) -> UInt8[np.ndarray, "side side 3"]:
    """Crop, zoom, turn and mirror; three in ten are also tilted by up to 11 degrees."""
    full = image.shape[0]
    zoom = math.sqrt(_between(rng, *area)) * full / side
    stretch = math.exp(_between(rng, -0.12, 0.12))
    slack = max(0.0, full - zoom * side) / 2
    across, down = (full / 2 + _between(rng, -slack, slack) for _ in range(2))
    quarter = int(4 * rng.random())
    tilt = _between(rng, -0.2, 0.2) if rng.random() < 0.3 else 0.0
    mirrored = rng.random() < 0.5
    wide, high = zoom * stretch, zoom / stretch
    if tilt:
        view = _tilted(image, side, (across, down), (wide, high), tilt)
    else:
        view = _cut(image, side, (across, down), (wide, high))
    if (turn := _TURNS[quarter]) is not None:
        view = np.asarray(cv2.rotate(view, turn), np.uint8)
    return np.asarray(cv2.flip(view, 1), np.uint8) if mirrored else view


def _cut(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    centre: tuple[float, float],
    zoom: tuple[float, float],
) -> UInt8[np.ndarray, "side side 3"]:
    """A box of whole pixels, resized: four times faster than a warp."""
    full = image.shape[0]
    box = []
    for middle, pixels in zip(centre, zoom, strict=True):
        length = min(full, max(1, round(pixels * side)))
        start = min(full - length, max(0, round(middle - length / 2)))
        box.append(slice(start, start + length))
    cut = cv2.resize(image[box[1], box[0]], (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cut, np.uint8)


def _tilted(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    centre: tuple[float, float],
    zoom: tuple[float, float],
    angle: float,
) -> UInt8[np.ndarray, "side side 3"]:
    """A turned box, resampled in one go; what lies outside is the image's mirror image."""
    cos, sin = math.cos(angle), math.sin(angle)
    xx, xy, yx, yy = cos * zoom[0], -sin * zoom[1], sin * zoom[0], cos * zoom[1]
    half = (side - 1) / 2
    warp = np.array(
        [
            [xx, xy, centre[0] - 0.5 - (xx + xy) * half],
            [yx, yy, centre[1] - 0.5 - (yx + yy) * half],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # OpenCV warps four bands three times as fast as three
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    turned = cv2.warpAffine(
        four, warp, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_RGBA2RGB), np.uint8)


def _coarser(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """As a sensor with 1.5 to 4 times larger pixels would see it."""
    side = view.shape[0]
    times = _between(rng, 1.5, 4.0)
    small, box = max(16, round(side / times)), round(times)
    # a box mean, then every so many-th pixel: INTER_AREA's result in a third of its time
    coarse = cv2.resize(cv2.blur(view, (box, box)), (small, small), interpolation=cv2.INTER_LINEAR)
    kind = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=kind), np.uint8)


def _recolour(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """Brightness, contrast, saturation, white balance and gamma; one in twenty turns grey."""
    recoloured = cv2.transform(view, _light(rng))
    if rng.random() < 0.3:
        gamma = math.exp(_between(rng, -0.4, 0.4))
        table = (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
        recoloured = cv2.LUT(recoloured, table)
    return np.asarray(recoloured, np.uint8)


def _light(rng: Chance) -> Float64[np.ndarray, "3 4"]:
    """A random linear change of colours, as `cv2.transform` takes it."""
    saturation = 0.0 if rng.random() < 0.05 else _between(rng, 0.5, 1.5)
    bright, contrast = _between(rng, 0.75, 1.3), _between(rng, 0.7, 1.3)
    shift = _between(rng, -20, 20) + 110 * (1 - contrast)
    rows = []
    for band in range(3):
        gain = contrast * bright * math.exp(_between(rng, -0.08, 0.08))
        mixed = [gain * (1 - saturation) * grey for grey in _GREY]
        mixed[band] += gain * saturation
        rows.append([*mixed, shift])
    return np.array(rows)


def _haze(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """Low contrast under a bluish veil, as satellites see through more air than aeroplanes."""
    kept = _between(rng, 0.35, 0.75)
    veil, blue = _between(rng, 60, 130), _between(rng, 0, 16)
    red, green, bluer = ((1 - kept) * (veil + part) for part in (-blue, 0.0, blue))
    return _veiled(view, (kept, kept, kept), (red, green, bluer))


def _through_air(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """As measured above the atmosphere, before any correction: light added to what is dark.

    Air scatters with the inverse fourth power of the wavelength (Rayleigh), so of the 490, 560 and
    665 nm of Sentinel-2 blue gets most: 60 of 255 over dark land in clear air, where 255 is a
    reflectance of 0.28.
    """
    most = _between(rng, 20, 70)
    added = [most * share for share in (0.29, 0.59, 1.0)]
    return _veiled(view, [1 - light / 255 for light in added], added)


def _dimmed(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """As a fixed scale of reflectance shows it: images for people are stretched to be bright."""
    kept = _between(rng, 0.35, 1.0)
    return _veiled(view, (kept, kept, kept), (0.0, 0.0, 0.0))


def _veiled(
    view: UInt8[np.ndarray, "h w 3"], kept: Sequence[float], added: Sequence[float]
) -> UInt8[np.ndarray, "h w 3"]:
    """A share of each channel's light is kept, and some is added."""
    linear = np.column_stack([np.diag(kept), added])
    return np.asarray(cv2.transform(view, linear), np.uint8)


def _erase(view: UInt8[np.ndarray, "h w 3"], rng: Chance) -> UInt8[np.ndarray, "h w 3"]:
    """A box of 2-12 % of the area in one random colour."""
    side = view.shape[0]
    area = _between(rng, 0.02, 0.12)
    height = int(side * math.sqrt(area) * math.exp(_between(rng, -0.5, 0.5)))
    width = int(area * side * side / max(1, height))
    top = int(rng.random() * max(1, side - height))
    left = int(rng.random() * max(1, side - width))
    erased = view.copy()
    erased[top : top + height, left : left + width] = [int(256 * rng.random()) for _ in range(3)]
    return erased
