"""Random views of one picture: place, turn, resolution and light; all on uint8 with OpenCV.

Remote sensing has no "up", so turns by 90 degrees and mirroring keep every caption true except the
few that name a side of the picture.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

__all__ = ["augment", "coarse_mosaic"]

_GREY = np.array([0.299, 0.587, 0.114])


def augment(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    rng: np.random.Generator,
    area: tuple[float, float] = (0.45, 1.0),
) -> UInt8[np.ndarray, "side side 3"]:
    """One random view, turned, mirrored, recoloured, degraded.

    Args:
        image: a square picture.
        side: of the view in pixels.
        rng: where every choice comes from.
        area: smallest and largest share of the picture that is seen.
    """
    view = _place(image, side, area, rng)
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
    images: Sequence[UInt8[np.ndarray, "h w 3"]], side: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "side side 3"]:
    """Four views side by side, averaged down and hazy: their kind of place from a coarser sensor.

    Args:
        images: four square pictures.
        side: of the view in pixels.
        rng: where every choice comes from.
    """
    half = max(12, round(side / rng.uniform(2.5, 5.0)))
    parts = [_place(image, 2 * half, (0.6, 1.0), rng) for image in images]
    light = _light(rng)
    joined = np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
    small = cv2.resize(joined, (2 * half, 2 * half), interpolation=cv2.INTER_AREA)
    view = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return _haze(np.asarray(cv2.transform(view, light), np.uint8), rng)


def _place(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    area: tuple[float, float],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "side side 3"]:
    """Crop, zoom, turn and mirror in one resampling."""
    full = image.shape[0]
    zoom = np.sqrt(rng.uniform(*area)) * full / side
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    slack = max(0.0, full - zoom * side) / 2
    centre = full / 2 - 0.5 + rng.uniform(-slack, slack, 2)
    angle = rng.integers(4) * np.pi / 2 + (rng.uniform(-0.2, 0.2) if rng.random() < 0.3 else 0.0)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = zoom * np.array([[cos, -sin], [sin, cos]]) @ np.diag([stretch, 1 / stretch])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    offset = centre - matrix @ np.full(2, (side - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warp = np.column_stack([matrix, offset])
    turned = cv2.warpAffine(
        image, warp, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(turned, np.uint8)


def _coarser(
    view: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """As a sensor with 1.5 to 4 times larger pixels would see it."""
    side = view.shape[0]
    small = max(16, round(side / rng.uniform(1.5, 4.0)))
    coarse = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
    kind = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=kind), np.uint8)


def _recolour(
    view: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Brightness, contrast, saturation, white balance and gamma; one in twenty turns grey."""
    recoloured = cv2.transform(view, _light(rng))
    if rng.random() < 0.3:
        gamma = np.exp(rng.uniform(-0.4, 0.4))
        table = (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
        recoloured = cv2.LUT(recoloured, table)
    return np.asarray(recoloured, np.uint8)


def _light(rng: np.random.Generator) -> Float64[np.ndarray, "3 4"]:
    """A random linear change of colours, as `cv2.transform` takes it."""
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.5, 1.5)
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_GREY, (3, 1))
    gain = rng.uniform(0.75, 1.3) * np.exp(rng.uniform(-0.08, 0.08, 3))
    contrast = rng.uniform(0.7, 1.3)
    shift = rng.uniform(-20, 20) + 110 * (1 - contrast)
    return np.column_stack([contrast * gain[:, None] * mix, np.full(3, shift)])


def _haze(view: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """Low contrast under a bluish veil, as satellites see through more air than aeroplanes."""
    kept = rng.uniform(0.35, 0.75)
    veil = rng.uniform(60, 130) + np.array([-0.8, 0.0, 0.8]) * rng.uniform(0, 20)
    linear = np.column_stack([kept * np.eye(3), (1 - kept) * veil])
    return np.asarray(cv2.transform(view, linear), np.uint8)


def _erase(
    view: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """A box of 2-12 % of the area in one random colour."""
    side = view.shape[0]
    area = rng.uniform(0.02, 0.12)
    height = int(side * np.sqrt(area) * np.exp(rng.uniform(-0.5, 0.5)))
    width = int(area * side * side / max(1, height))
    top, left = rng.integers(0, max(1, side - height)), rng.integers(0, max(1, side - width))
    erased = view.copy()
    erased[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return erased
