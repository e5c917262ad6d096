"""Where the windows of a scene are cut.

Two lattices: the published one of SeLo (Yuan et al., 2022), and the half-stride one TerraSeek uses.
For scenes smaller than a window, which the published code cannot cut, the rule here is: a window
is clipped to the scene, so that along a side shorter than the window there is one window which
spans that whole side.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from terraseek.errors import LatticeError

__all__ = ["SELO_SCALES", "Lattice", "half_stride_lattice", "selo_v1_lattice"]

SELO_SCALES = (256, 512, 768)
"""Window sides in pixels of the published default (scale set s5)."""
MAX_WINDOWS = 2_000_000
LARGEST_SIDE = 1_000_000


@dataclass(frozen=True, eq=False)
class Lattice:
    """Windows of one scene, unique, sorted by first row so that files are read in order."""

    width: int
    height: int
    windows: Int32[np.ndarray, "n 4"]
    """row0, col0, row1, col1 of each window; ends are exclusive."""
    scale: Int32[np.ndarray, " n"]
    """Side in pixels each window was cut for; clipped windows are smaller."""

    def __len__(self) -> int:
        return len(self.windows)

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """Sides in use, ascending."""
        return tuple(np.unique(self.scale).tolist())

    @cached_property
    def digest(self) -> str:
        """12 hex digits that change when any window does."""
        head = f"{self.width}x{self.height}".encode()
        return hashlib.sha256(head + self.windows.tobytes()).hexdigest()[:12]


def selo_v1_lattice(width: int, height: int, scales: Sequence[int] = SELO_SCALES) -> Lattice:
    """The published lattice: per scale a grid without overlap, and the same shifted by half.

    Windows that would leave the scene are pulled back inside. Windows of two grids that become the
    same rectangle count once, because the published code stores them under one file name.

    Raises:
        LatticeError: no scale, one below 2 or above a million pixels, or too many windows.
    """

    def starts(limit: int, side: int) -> list[list[int]]:
        gaps = (side, side // 2)
        return [_pulled_back(range(side - gap, limit, side), limit, side) for gap in gaps]

    return _build(width, height, scales, starts)


def half_stride_lattice(
    width: int, height: int, scales: Sequence[int], share: float = 0.5
) -> Lattice:
    """Per scale every window whose corner lies on a multiple of half the side.

    The last row and column are pulled back to the edge. Studies take another `share` than half.

    Raises:
        LatticeError: no scale, one below 2 or above a million pixels, or too many windows.
    """

    def starts(limit: int, side: int) -> list[list[int]]:
        stride = max(1, int(side * share))
        reached = range(0, max(limit - side, 0) + stride, stride)
        return [_pulled_back(reached, limit, side)]

    return _build(width, height, scales, starts)


def _pulled_back(starts: range, limit: int, side: int) -> list[int]:
    return [max(0, min(start, limit - side)) for start in starts]


def _build(
    width: int,
    height: int,
    scales: Sequence[int],
    starts: Callable[[int, int], list[list[int]]],
) -> Lattice:
    """One grid for each pair of row and column starts; rectangles unique over all scales."""
    _check(width, height, scales)
    parts, sides = [], []
    for side in sorted(set(scales)):
        for rows, cols in zip(starts(height, side), starts(width, side), strict=True):
            row, col = (v.ravel() for v in np.meshgrid(rows, cols, indexing="ij"))
            ends = np.minimum(row + side, height), np.minimum(col + side, width)
            parts.append(np.stack([row, col, *ends], axis=1).astype(np.int32))
            sides.append(np.full(len(row), side, np.int32))
    windows, first = np.unique(np.concatenate(parts), axis=0, return_index=True)
    return Lattice(width, height, windows, np.concatenate(sides)[first])


def _check(width: int, height: int, scales: Sequence[int]) -> None:
    if not scales:
        raise LatticeError("no window side was given; for example 256,512,768")
    if min(scales) < 2:
        raise LatticeError(f"window side {min(scales)} px is below 2; for example 256,512,768")
    if max(scales) > LARGEST_SIDE:
        raise LatticeError(
            f"window side {max(scales):,} px is above {LARGEST_SIDE:,}; for example 256,512,768"
        )
    count = sum(4 * max(1, width / side) * max(1, height / side) for side in set(scales))
    if count > MAX_WINDOWS:
        raise LatticeError(
            f"sides {', '.join(map(str, scales))} px make about {count:,.0f} windows of a scene of "
            f"{width} x {height} pixels; take larger sides"
        )
