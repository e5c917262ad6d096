"""Noise of several scales, the basis of every surface."""

import cv2
import numpy as np
from jaxtyping import Float32

__all__ = ["fractal", "grain", "ridges"]


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cell_px: float,
    octaves: int = 4,
    gain: float = 0.55,
) -> Float32[np.ndarray, "h w"]:
    """Value noise summed over octaves, mean about 0 and standard deviation about 1.

    Args:
        rng: source of randomness.
        shape: rows and columns.
        cell_px: size in pixels of the largest blobs.
        octaves: how often the blob size is halved; blobs under one pixel are left out.
        gain: weight of an octave relative to the one before it.
    """
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        rows, cols = (int(side / cell_px) + 3 for side in shape)
        grid = rng.standard_normal((rows, cols), dtype=np.float32)
        # stretching the grid slightly costs less than cutting a window from a resized one
        total += np.float32(weight) * cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
        power += 0.55 * weight**2  # cubic interpolation leaves about this share of the variance
        weight *= gain
        cell_px /= 1.87  # not a factor of 2, so that the grids of the octaves do not line up
        if cell_px < 1:
            break
    total *= np.float32(1 / np.sqrt(power))
    return total


def ridges(
    rng: np.random.Generator, shape: tuple[int, int], cell_px: float, octaves: int = 5
) -> Float32[np.ndarray, "h w"]:
    """Ridged noise in about 0..1 with sharp crests, as mountains have."""
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        layer = 1 - np.abs(fractal(rng, shape, cell_px, octaves=1)) * 0.8
        total += np.float32(weight) * np.clip(layer, -0.5, 1) ** 2
        power += weight
        weight *= 0.5
        cell_px /= 2
        if cell_px < 1.5:
            break
    return total / np.float32(power)


def grain(
    rng: np.random.Generator, shape: tuple[int, int], sigma: float
) -> Float32[np.ndarray, "h w"]:
    """White noise of the given standard deviation."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise *= np.float32(sigma)
    return noise
