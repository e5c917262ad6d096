"""The published SeLo maps: normalisation, 8 bits, filters, and the second version's two stages.

Version 1: Yuan et al., "Learning to Evaluate Performance of Multi-modal Semantic Localization"
(2022). Version 2: the same group's released `generate_selo_v2.py`. Two differences are ours:
windows go to the encoder's size directly, without the detour over 256-pixel JPEG files, and no
JPEG is written between map and score.
"""

import random

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from terraseek.localization.methods.cell_median import PixelCells, median_of_cells, pays
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.row_blocks import in_bands

__all__ = [
    "GAUSSIAN_SIDE",
    "MEDIAN_SIDE",
    "blurred",
    "despeckled",
    "despeckled_cells",
    "expand_boxes",
    "keep_best",
    "quantised",
    "shuffles",
    "stage_one",
]

MEDIAN_SIDE = 251
"""Side in pixels of version 1's median filter."""
GAUSSIAN_SIDE = 255
"""Side in pixels of version 2's Gaussian; its sigma follows from the side (38.6)."""
_STAGE_ONE_SIDE = 512
_KEPT_SHARE = 0.15
_BOX_SIDES = (128, 256)
_SHUFFLES = 4


def quantised(mean: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Min-max normalised and truncated to 8 bits; a constant map is all 0, invalid pixels too."""
    low, high = np.nanmin(mean), np.nanmax(mean)
    if high <= low:
        return np.zeros(mean.shape, np.uint8)
    shifted = np.nan_to_num(mean - low, nan=0.0)
    return np.asarray(np.trunc(255 * (shifted / (high - low))), np.uint8)


def despeckled(levels: UInt8[np.ndarray, "h w"], scale: float = 1) -> UInt8[np.ndarray, "h w"]:
    """Median filter of version 1; on a grid of `scale` scene pixels its side shrinks likewise."""
    import cv2

    side, height = _odd(MEDIAN_SIDE / scale), len(levels)
    out = np.empty_like(levels)

    def work(first: int, last: int) -> None:
        """OpenCV's filter keeps to one core; bands with a margin give the same medians."""
        top = max(0, first - side // 2)
        band = cv2.medianBlur(levels[top : min(height, last + side // 2)], side)
        out[first:last] = band[first - top : last - top]

    in_bands(height, work, 2 * side)
    return out


def despeckled_cells(cells: PixelCells, scale: float = 1) -> UInt8[np.ndarray, "h w"]:
    """The same of a map made of cells, faster where they are large."""
    side = _odd(MEDIAN_SIDE / scale)
    if pays(cells, side):
        return median_of_cells(cells, side)
    return despeckled(cells.pixels(), scale)


def blurred(levels: UInt8[np.ndarray, "h w"], scale: float = 1) -> UInt8[np.ndarray, "h w"]:
    """Gaussian filter of version 2; on a grid of `scale` scene pixels its side shrinks likewise."""
    import cv2

    side = _odd(GAUSSIAN_SIDE / scale)
    return np.asarray(cv2.GaussianBlur(levels, (side, side), 0), np.uint8)


def _odd(side: float) -> int:
    return max(1, round(side) | 1)


def shuffles(sentence: str, seed: int) -> list[str]:
    """The sentence and four random orders of its words (the published code sets no seed)."""
    words, source = sentence.split(), random.Random(seed)
    return [sentence, *(" ".join(source.sample(words, len(words))) for _ in range(_SHUFFLES))]


def stage_one(width: int, height: int) -> Lattice:
    """Version 2's first windows: one grid of 512 pixels without overlap, pulled back inside."""
    side = _STAGE_ONE_SIDE
    rows = [max(0, min(start, height - side)) for start in range(0, height, side)]
    cols = [max(0, min(start, width - side)) for start in range(0, width, side)]
    boxes = [(r, c, min(r + side, height), min(c + side, width)) for r in rows for c in cols]
    return lattice_from(width, height, np.array(boxes, np.int32))


def keep_best(scores: Float32[np.ndarray, " n"]) -> Int32[np.ndarray, " m"]:
    """Indices of the best 15 % of the known scores, at least one."""
    known = int(np.isfinite(scores).sum())
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    return order[: min(known, int(_KEPT_SHARE * known) + 1)].astype(np.int32)


def expand_boxes(lattice: Lattice, kept: Int32[np.ndarray, " m"]) -> Lattice:
    """Version 2's second windows: two squares around nine anchors of each kept window.

    Anchors are the corners, the points at 1/4 and 3/4, and the centre. Squares of 128 and 256
    pixels start at 0 at the earliest and end at the scene's edge, so border boxes are smaller.
    """
    boxes = set()
    for row0, col0, row1, col1 in lattice.windows[kept].tolist():
        height, width = row1 - row0, col1 - col0
        places = [(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)]
        places += [(a, b) for a in (0.25, 0.75) for b in (0.25, 0.75)] + [(0.5, 0.5)]
        for down, across in places:
            row, col = int(row0 + down * height), int(col0 + across * width)
            for half in (side // 2 for side in _BOX_SIDES):
                start = max(0, row - half), max(0, col - half)
                end = min(lattice.height, row + half), min(lattice.width, col + half)
                boxes.add((*start, *end))
    return lattice_from(lattice.width, lattice.height, np.array(sorted(boxes), np.int32))


def lattice_from(width: int, height: int, boxes: Int32[np.ndarray, "n 4"]) -> Lattice:
    """Any boxes as a lattice, unique and in file order."""
    windows = np.unique(boxes, axis=0)
    sides = np.maximum(windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1])
    return Lattice(width, height, windows, sides.astype(np.int32))
