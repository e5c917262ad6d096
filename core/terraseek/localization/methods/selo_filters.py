"""8-bit quantisation and the filters of the published SeLo maps."""

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.localization.methods.cell_median import is_faster, median_of_cells
from terraseek.localization.windows.cell_image import CellImage
from terraseek.localization.windows.row_blocks import for_row_blocks

__all__ = [
    "GAUSSIAN_SIDE",
    "MEDIAN_SIDE",
    "gaussian_filtered",
    "median_filtered",
    "median_filtered_cells",
    "quantised",
]

MEDIAN_SIDE = 251
"""Side in pixels of version 1's median filter."""
GAUSSIAN_SIDE = 255
"""Side in pixels of version 2's Gaussian; OpenCV derives sigma from the side (38.6)."""


def quantised(scores: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Min-max normalised and truncated to 8 bits; a constant map is all 0, NaN is 0."""
    low, high = np.nanmin(scores), np.nanmax(scores)
    if high <= low:
        return np.zeros(scores.shape, np.uint8)
    shifted = np.nan_to_num(scores - low, nan=0.0)
    return np.asarray(np.trunc(255 * (shifted / (high - low))), np.uint8)


def median_filtered(levels: UInt8[np.ndarray, "h w"], scale: float = 1) -> UInt8[np.ndarray, "h w"]:
    """Median filter of version 1.

    Args:
        levels: 8-bit map.
        scale: scene pixels per pixel of the map, by which the side of the filter is divided.
    """
    import cv2

    side, height = _odd(MEDIAN_SIDE / scale), len(levels)
    out = np.empty_like(levels)

    def work(first: int, last: int) -> None:
        # OpenCV's filter uses one core; row blocks with a margin give the same medians
        top = max(0, first - side // 2)
        filtered = cv2.medianBlur(levels[top : min(height, last + side // 2)], side)
        out[first:last] = filtered[first - top : last - top]

    for_row_blocks(height, work, 2 * side)
    return out


def median_filtered_cells(image: CellImage, scale: float = 1) -> UInt8[np.ndarray, "h w"]:
    """`median_filtered` of an image of grid cells, faster where these are large."""
    side = _odd(MEDIAN_SIDE / scale)
    if is_faster(image, side):
        return median_of_cells(image, side)
    return median_filtered(image.pixels(), scale)


def gaussian_filtered(
    levels: UInt8[np.ndarray, "h w"], scale: float = 1
) -> UInt8[np.ndarray, "h w"]:
    """Gaussian filter of version 2; arguments as in `median_filtered`."""
    import cv2

    side = _odd(GAUSSIAN_SIDE / scale)
    return np.asarray(cv2.GaussianBlur(levels, (side, side), 0), np.uint8)


def _odd(side: float) -> int:
    return max(1, round(side) | 1)
