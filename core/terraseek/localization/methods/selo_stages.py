"""The two stages of SeLo's second version: which windows are encoded; its shuffled wordings."""

import random

import numpy as np
from jaxtyping import Float32, Int32

from terraseek.localization.windows.lattice import Lattice

__all__ = [
    "best_windows",
    "first_stage_lattice",
    "lattice_of_boxes",
    "second_stage_lattice",
    "shuffled_wordings",
]

_FIRST_STAGE_SIDE = 512
_BEST_FRACTION = 0.15
_SECOND_STAGE_SIDES = (128, 256)
_N_SHUFFLES = 4


def shuffled_wordings(sentence: str, seed: int) -> list[str]:
    """The sentence and four random orders of its words (the published code sets no seed)."""
    words, rng = sentence.split(), random.Random(seed)
    return [sentence, *(" ".join(rng.sample(words, len(words))) for _ in range(_N_SHUFFLES))]


def first_stage_lattice(width: int, height: int) -> Lattice:
    """A grid of windows of 512 pixels without overlap; the last ones are moved back inside."""
    side = _FIRST_STAGE_SIDE
    rows = [max(0, min(start, height - side)) for start in range(0, height, side)]
    cols = [max(0, min(start, width - side)) for start in range(0, width, side)]
    boxes = [(r, c, min(r + side, height), min(c + side, width)) for r in rows for c in cols]
    return lattice_of_boxes(width, height, np.array(boxes, np.int32))


def best_windows(scores: Float32[np.ndarray, " n"]) -> Int32[np.ndarray, " m"]:
    """Indices of the best 15 % of the windows with a score, at least one, best first."""
    n_scored = int(np.isfinite(scores).sum())
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    return order[: min(n_scored, int(_BEST_FRACTION * n_scored) + 1)].astype(np.int32)


def second_stage_lattice(lattice: Lattice, best: Int32[np.ndarray, " m"]) -> Lattice:
    """Two squares around nine anchors of each of the best windows.

    Anchors are the corners, the points at 1/4 and 3/4, and the centre. Squares of 128 and 256
    pixels are clipped to the scene, so those at its border are smaller.

    Args:
        lattice: windows of the first stage.
        best: indices of the windows to refine.
    """
    anchors = [(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    anchors += [(a, b) for a in (0.25, 0.75) for b in (0.25, 0.75)] + [(0.5, 0.5)]
    boxes = set()
    for row0, col0, row1, col1 in lattice.windows[best].tolist():
        height, width = row1 - row0, col1 - col0
        for down, across in anchors:
            row, col = int(row0 + down * height), int(col0 + across * width)
            for half in (side // 2 for side in _SECOND_STAGE_SIDES):
                start = max(0, row - half), max(0, col - half)
                end = min(lattice.height, row + half), min(lattice.width, col + half)
                boxes.add((*start, *end))
    return lattice_of_boxes(lattice.width, lattice.height, np.array(sorted(boxes), np.int32))


def lattice_of_boxes(width: int, height: int, boxes: Int32[np.ndarray, "n 4"]) -> Lattice:
    """Any rectangles (row0, col0, row1, col1) as a lattice, unique and in file order."""
    windows = np.unique(boxes, axis=0)
    sides = np.maximum(windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1])
    return Lattice(width, height, windows, sides.astype(np.int32))
