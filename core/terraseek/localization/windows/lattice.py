"""Positions of the windows that are cut out of a scene.

Two lattices: the published one of SeLo (Yuan et al., "Learning to Evaluate Performance of
Multi-modal Semantic Localization", 2022), and the half-stride lattice that TerraSeek uses. The
published code cannot cut scenes smaller than a window; here a window is clipped to the scene, so
along a side shorter than the window there is one window that spans the whole side.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from terraseek.errors import LatticeError

__all__ = ["MAX_WINDOWS", "SELO_SCALES", "Lattice", "half_stride_lattice", "selo_v1_lattice"]

SELO_SCALES = (256, 512, 768)
"""Window sides in pixels of the published default (scale set s5)."""
MAX_WINDOWS = 2_000_000
"""Most windows of a scene; more are refused."""
MAX_SIDE = 1_000_000
"""Longest window side in pixels."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Windows of one scene, unique and sorted by first row, so that files are read in order."""

    width: int
    """Columns of the scene."""
    height: int
    """Rows of the scene."""
    windows: Int32[np.ndarray, "n 4"]
    """row0, col0, row1, col1 of each window; ends are exclusive."""
    scale: Int32[np.ndarray, " n"]
    """Nominal side in pixels of each window; windows clipped to the scene are smaller."""

    def __len__(self) -> int:
        return len(self.windows)

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """Window sides in use, ascending."""
        return tuple(np.unique(self.scale).tolist())

    @cached_property
    def digest(self) -> str:
        """12 hex digits of a hash over the scene size and all windows."""
        head = f"{self.width}x{self.height}".encode()
        return hashlib.sha256(head + self.windows.tobytes()).hexdigest()[:12]


def selo_v1_lattice(width: int, height: int, scales: Sequence[int] = SELO_SCALES) -> Lattice:
    """The published lattice: for each scale a grid without overlap, and the same shifted by half.

    Windows that would leave the scene are moved back inside. Windows of two grids that become the
    same rectangle count once, because the published code stores them under one file name.

    Args:
        width: columns of the scene.
        height: rows of the scene.
        scales: window sides in pixels.

    Raises:
        LatticeError: no scale, one below 2 or above a million pixels, or too many windows.
    """

    def starts(length: int, side: int) -> list[list[int]]:
        offsets = (0, side - side // 2)
        return [_inside(range(offset, length, side), length, side) for offset in offsets]

    return _build(width, height, scales, starts)


def half_stride_lattice(
    width: int, height: int, scales: Sequence[int], stride: float = 0.5
) -> Lattice:
    """For each scale every window whose corner lies on a multiple of half the side.

    The last row and column of windows are moved back to the edge of the scene.

    Args:
        width: columns of the scene.
        height: rows of the scene.
        scales: window sides in pixels.
        stride: step between windows in window sides; studies compare others than a half.

    Raises:
        LatticeError: no scale, one below 2 or above a million pixels, or too many windows.
    """

    def starts(length: int, side: int) -> list[list[int]]:
        step = max(1, int(side * stride))
        reached = range(0, max(length - side, 0) + step, step)
        return [_inside(reached, length, side)]

    return _build(width, height, scales, starts)


def _inside(starts: range, length: int, side: int) -> list[int]:
    """Starts moved back so that a window ends inside the scene."""
    return [max(0, min(start, length - side)) for start in starts]


def _build(
    width: int,
    height: int,
    scales: Sequence[int],
    starts: Callable[[int, int], list[list[int]]],
) -> Lattice:
    """One grid for each pair of row and column starts; rectangles unique over all scales."""
    _check(width, height, scales)
    grids, sides = [], []
    for side in sorted(set(scales)):
        for rows, cols in zip(starts(height, side), starts(width, side), strict=True):
            row, col = (v.ravel() for v in np.meshgrid(rows, cols, indexing="ij"))
            ends = np.minimum(row + side, height), np.minimum(col + side, width)
            grids.append(np.stack([row, col, *ends], axis=1).astype(np.int32))
            sides.append(np.full(len(row), side, np.int32))
    windows, first = np.unique(np.concatenate(grids), axis=0, return_index=True)
    return Lattice(width, height, windows, np.concatenate(sides)[first])


def _check(width: int, height: int, scales: Sequence[int]) -> None:
    if not scales:
        raise LatticeError("no window side was given; for example 256,512,768")
    if min(scales) < 2:
        raise LatticeError(f"window side {min(scales)} px is below 2; for example 256,512,768")
    if max(scales) > MAX_SIDE:
        raise LatticeError(
            f"window side {max(scales):,} px is above {MAX_SIDE:,}; for example 256,512,768"
        )
    count = sum(4 * max(1, width / side) * max(1, height / side) for side in set(scales))
    if count > MAX_WINDOWS:
        raise LatticeError(
            f"sides {', '.join(map(str, scales))} px make about {count:,.0f} windows in a scene of "
            f"{width} x {height} pixels; take larger sides"
        )
