"""Random views of an image: crop, orientation, resolution and colour, on uint8 with OpenCV.

An image from above has no "up", so turns by 90 degrees and mirroring keep every caption true
except the few that name a side of the image. Random numbers are taken one by one from anything
that has `random()`: a generator, or a `PredrawnRandom`, with which threads can make the views of
a batch in any order with the same result.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

__all__ = ["NUMBERS_PER_VIEW", "PredrawnRandom", "RandomSource", "augment", "coarse_mosaic", "crop"]

NUMBERS_PER_VIEW = 64
"""Random numbers drawn for one view or mosaic; neither takes more."""

_GREY = (0.299, 0.587, 0.114)
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


@runtime_checkable
class RandomSource(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Return the next number, from 0 to below 1."""
        ...


class PredrawnRandom:
    """Random numbers that were drawn before, in their order."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self._numbers = iter(numbers)

    def random(self) -> float:
        """Return the next number."""
        return next(self._numbers)


def augment(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    rng: RandomSource,
    area: tuple[float, float] = (0.45, 1.0),
    air: float = 0.0,
) -> UInt8[np.ndarray, "side side 3"]:
    """Make one random view: cropped, turned, mirrored, recoloured, degraded.

    Args:
        image: RGB pixels of a square image.
        side: side of the view in pixels.
        rng: makes every choice.
        area: smallest and largest share of the image's area that the view shows.
        air: probability of the look of data without atmospheric correction.
    """
    view = crop(image, side, area, rng)
    if air and rng.random() < air:
        view = _top_of_atmosphere(_dim(view, rng), rng)
    if rng.random() < 0.25:
        view = _coarsen(view, rng)
    if rng.random() < 0.8:
        view = _jitter_colours(view, rng)
    if rng.random() < 0.2:
        view = _haze(view, rng)
    if rng.random() < 0.15:
        view = _erase(view, rng)
    return view


def coarse_mosaic(
    images: Sequence[UInt8[np.ndarray, "h w 3"]], side: int, rng: RandomSource
) -> UInt8[np.ndarray, "side side 3"]:
    """Tile four views 2 by 2, averaged and hazy: a scene of one kind from a coarser sensor.

    Args:
        images: RGB pixels of four square images.
        side: side of the mosaic in pixels.
        rng: makes every choice.
    """
    half = max(12, round(side / _between(rng, 2.5, 5.0)))
    tiles = [crop(image, 2 * half, (0.6, 1.0), rng) for image in images]
    colour_matrix = _colour_matrix(rng)
    mosaic = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    small = cv2.resize(mosaic, (2 * half, 2 * half), interpolation=cv2.INTER_AREA)
    view = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return _haze(np.asarray(cv2.transform(view, colour_matrix), np.uint8), rng)


def _between(rng: RandomSource, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def crop(
    image: UInt8[np.ndarray, "h w 3"], side: int, area: tuple[float, float], rng: RandomSource
) -> UInt8[np.ndarray, "side side 3"]:
    """Crop, resize, turn and mirror; 30 % are also rotated by up to 11 degrees."""
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
        view = _warp_box(image, side, (across, down), (wide, high), tilt)
    else:
        view = _resize_box(image, side, (across, down), (wide, high))
    if (turn := _TURNS[quarter]) is not None:
        view = np.asarray(cv2.rotate(view, turn), np.uint8)
    return np.asarray(cv2.flip(view, 1), np.uint8) if mirrored else view


def _resize_box(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    centre: tuple[float, float],
    zoom: tuple[float, float],
) -> UInt8[np.ndarray, "side side 3"]:
    """Resize an axis-aligned box of whole pixels, four times faster than a warp."""
    full = image.shape[0]
    box = []
    for middle, pixels in zip(centre, zoom, strict=True):
        length = min(full, max(1, round(pixels * side)))
        start = min(full - length, max(0, round(middle - length / 2)))
        box.append(slice(start, start + length))
    resized = cv2.resize(image[box[1], box[0]], (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _warp_box(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    centre: tuple[float, float],
    zoom: tuple[float, float],
    angle: float,
) -> UInt8[np.ndarray, "side side 3"]:
    """Resample a rotated box in one warp; pixels outside the image are mirrored into it."""
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
    # OpenCV warps four channels three times as fast as three
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    turned = cv2.warpAffine(
        four, warp, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_RGBA2RGB), np.uint8)


def _coarsen(view: UInt8[np.ndarray, "h w 3"], rng: RandomSource) -> UInt8[np.ndarray, "h w 3"]:
    """Reduce the resolution to that of a sensor with 1.5 to 4 times larger pixels."""
    side = view.shape[0]
    factor = _between(rng, 1.5, 4.0)
    small, box = max(16, round(side / factor)), round(factor)
    # box mean, then subsampling: the result of INTER_AREA in a third of its time
    coarse = cv2.resize(cv2.blur(view, (box, box)), (small, small), interpolation=cv2.INTER_LINEAR)
    kind = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=kind), np.uint8)


def _jitter_colours(
    view: UInt8[np.ndarray, "h w 3"], rng: RandomSource
) -> UInt8[np.ndarray, "h w 3"]:
    """Change brightness, contrast, saturation, white balance and gamma; 5 % become grey."""
    recoloured = cv2.transform(view, _colour_matrix(rng))
    if rng.random() < 0.3:
        gamma = math.exp(_between(rng, -0.4, 0.4))
        table = (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
        recoloured = cv2.LUT(recoloured, table)
    return np.asarray(recoloured, np.uint8)


def _colour_matrix(rng: RandomSource) -> Float64[np.ndarray, "3 4"]:
    """Draw a random affine colour matrix for `cv2.transform`."""
    saturation = 0.0 if rng.random() < 0.05 else _between(rng, 0.5, 1.5)
    bright, contrast = _between(rng, 0.75, 1.3), _between(rng, 0.7, 1.3)
    shift = _between(rng, -20, 20) + 110 * (1 - contrast)
    rows = []
    for channel in range(3):
        gain = contrast * bright * math.exp(_between(rng, -0.08, 0.08))
        mixed = [gain * (1 - saturation) * grey for grey in _GREY]
        mixed[channel] += gain * saturation
        rows.append([*mixed, shift])
    return np.array(rows)


def _haze(view: UInt8[np.ndarray, "h w 3"], rng: RandomSource) -> UInt8[np.ndarray, "h w 3"]:
    """Lower the contrast and add bluish haze, as satellites see through more air than planes."""
    gain = _between(rng, 0.35, 0.75)
    haze, tint = _between(rng, 60, 130), _between(rng, 0, 16)
    red, green, blue = ((1 - gain) * (haze + part) for part in (-tint, 0.0, tint))
    return _gain_offset(view, (gain, gain, gain), (red, green, blue))


def _top_of_atmosphere(
    view: UInt8[np.ndarray, "h w 3"], rng: RandomSource
) -> UInt8[np.ndarray, "h w 3"]:
    """Simulate top-of-atmosphere data: add path radiance, which brightens dark pixels.

    Air scatters with the inverse fourth power of the wavelength (Rayleigh), so of Sentinel-2's
    490, 560 and 665 nm blue gets most: 60 of 255 over dark land in clear air, where 255 is a
    reflectance of 0.28.
    """
    blue = _between(rng, 20, 70)
    added = [blue * share for share in (0.29, 0.59, 1.0)]
    return _gain_offset(view, [1 - offset / 255 for offset in added], added)


def _dim(view: UInt8[np.ndarray, "h w 3"], rng: RandomSource) -> UInt8[np.ndarray, "h w 3"]:
    """Undo the stretch that makes images bright for people, as a fixed reflectance scale would."""
    gain = _between(rng, 0.35, 1.0)
    return _gain_offset(view, (gain, gain, gain), (0.0, 0.0, 0.0))


def _gain_offset(
    view: UInt8[np.ndarray, "h w 3"], gain: Sequence[float], offset: Sequence[float]
) -> UInt8[np.ndarray, "h w 3"]:
    """Apply a gain and an offset to each channel."""
    linear = np.column_stack([np.diag(gain), offset])
    return np.asarray(cv2.transform(view, linear), np.uint8)


def _erase(view: UInt8[np.ndarray, "h w 3"], rng: RandomSource) -> UInt8[np.ndarray, "h w 3"]:
    """Fill a box of 2-12 % of the area with one random colour."""
    side = view.shape[0]
    area = _between(rng, 0.02, 0.12)
    height = int(side * math.sqrt(area) * math.exp(_between(rng, -0.5, 0.5)))
    width = int(area * side * side / max(1, height))
    top = int(rng.random() * max(1, side - height))
    left = int(rng.random() * max(1, side - width))
    erased = view.copy()
    erased[top : top + height, left : left + width] = [int(256 * rng.random()) for _ in range(3)]
    return erased
