"""Density tiles: how many of millions of points lie in each cell of a Web Mercator tile.

Points are kept as sorted Morton codes (x and y bits interleaved), in which every tile, and every
cell of a tile, is one contiguous run. So a tile is counted by a binary search for the bounds of its
cells: the cost depends on the number of cells, hardly on that of points, and needs no pyramid.
"""

import io
import math
from functools import cache, cached_property

import numpy as np
from jaxtyping import Float, Int64, UInt8, UInt32, UInt64
from PIL import Image

from terraseek.geo import MERCATOR_LIMIT, BBox, lonlat_to_tile, tile_bounds

__all__ = ["CELL_PIXELS", "MAX_ZOOM", "TILE_SIDE", "DensityIndex"]

TILE_SIDE = 256
"""Pixels of a tile's side."""
CELL_PIXELS = 2
"""Side in pixels of the tile cells in which points are counted; single pixels would be hard to
see."""
MAX_ZOOM = 20
"""Deepest zoom with tiles."""

_CELL_BITS = int(math.log2(TILE_SIDE // CELL_PIXELS))
_BITS = MAX_ZOOM + _CELL_BITS
_CHUNK = 1 << 19
_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
_COLOUR_RAMP = (
    (0.0, (21, 94, 117)),
    (0.45, (34, 211, 238)),
    (0.8, (207, 250, 254)),
    (1.0, (254, 240, 138)),
)
_MIN_ALPHA, _MAX_ALPHA = 150, 245
_MAX_COVER_TILES = 8
"""Tiles along each side, at most, that cover a box."""


class DensityIndex:
    """Points in Morton order, 12 bytes each; made by `build`."""

    def __init__(
        self,
        codes: UInt64[np.ndarray, " n"],
        order: UInt32[np.ndarray, " n"],
        lon: Float[np.ndarray, " n"],
        lat: Float[np.ndarray, " n"],
    ) -> None:
        """Keep what `build` computed."""
        self._codes = codes
        self._order = order
        self._lon = lon
        self._lat = lat

    @classmethod
    def build(cls, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]) -> "DensityIndex":
        """Sort points; the arrays are kept as well, for `within`.

        Args:
            lon: degrees east, EPSG:4326; taken modulo 360.
            lat: degrees north; beyond 85.05, where the map ends, moved to its edge.

        Raises:
            ValueError: a coordinate is NaN or infinite.
        """
        codes = np.empty(len(lon), np.uint64)
        for start in range(0, len(lon), _CHUNK):
            part = slice(start, start + _CHUNK)
            codes[part] = _morton(lon[part], lat[part])
        order = np.argsort(codes).astype(np.uint32)
        index = cls(codes[order], order, lon, lat)
        _ = index.max_counts  # computed now, so that no tile waits for it
        return index

    @property
    def count(self) -> int:
        """Number of points."""
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, without the coordinates of the points."""
        return self._codes.nbytes + self._order.nbytes

    def counts(self, z: int, x: int, y: int) -> Int64[np.ndarray, "cells cells"]:
        """Number of points in each cell of tile z/x/y (XYZ scheme), row 0 in the north.

        Raises:
            BBoxError: there is no such tile.
        """
        tile_bounds(x, y, z)
        if z > MAX_ZOOM:
            x, y, z = x >> (z - MAX_ZOOM), y >> (z - MAX_ZOOM), MAX_ZOOM
        side = 1 << _CELL_BITS
        shift = 2 * (MAX_ZOOM - z)
        first = _interleave(x, y) << (2 * _CELL_BITS)
        start, stop = self._span(first, first + side * side, shift)
        if start == stop:
            return np.zeros((side, side), np.int64)
        cells = np.arange(side * side + 1, dtype=np.uint64) + np.uint64(first)
        runs = np.diff(np.searchsorted(self._codes[start:stop], cells << np.uint64(shift)))
        counts: Int64[np.ndarray, "cells cells"] = runs[_cell_order()].astype(np.int64)
        return counts

    def png(self, z: int, x: int, y: int) -> bytes | None:
        """A tile as PNG (palette with alpha, 256 pixels), brighter where there are more points.

        Colours are scaled by the logarithm of the highest count of the zoom, so that they mean the
        same all over the map.

        Returns:
            The image; None where there is no point.

        Raises:
            BBoxError: there is no such tile.
        """
        counts = self.counts(z, x, y)
        if not counts.any():
            return None
        brightness = np.log1p(counts) / math.log1p(max(2, self.max_counts[min(z, MAX_ZOOM)]))
        level = 1 + np.rint(254 * np.minimum(brightness, 1))  # level 0 is transparent
        index = np.where(counts > 0, level, 0).astype(np.uint8)
        return _png(index.repeat(CELL_PIXELS, 0).repeat(CELL_PIXELS, 1))

    @cached_property
    def max_counts(self) -> tuple[int, ...]:
        """Highest number of points in a cell, by zoom."""
        return tuple(self._max_count(zoom) for zoom in range(MAX_ZOOM + 1))

    def _max_count(self, zoom: int) -> int:
        """Length of the longest run of equal cells, in one pass over the sorted codes."""
        shift = np.uint64(2 * (MAX_ZOOM - zoom))
        longest, run_start, last = 0, 0, None
        for start in range(0, self.count, _CHUNK):
            cells = self._codes[start : start + _CHUNK] >> shift
            breaks = np.flatnonzero(cells[1:] != cells[:-1]) + start + 1
            if last is not None and cells[0] != last:
                breaks = np.concatenate([[start], breaks])
            if len(breaks):
                longest = max(longest, int(np.diff(breaks, prepend=run_start).max()))
                run_start = int(breaks[-1])
            last = cells[-1]
        return max(longest, self.count - run_start)

    def within(self, box: BBox, limit: int) -> UInt32[np.ndarray, " m"] | None:
        """Ascending indices of the points in a box, edges included.

        Args:
            box: may cross the antimeridian.
            limit: most points to return.

        Returns:
            Indices into the arrays given to `build`; None if there are more than `limit`.
        """
        candidates: list[UInt32[np.ndarray, " p"]] = []
        for part in box.split():
            inner, edge = self._cover(part)
            if sum(stop - start for start, stop in inner) > limit:
                return None
            candidates += [self._order[start:stop] for start, stop in inner + edge]
        rows = np.unique(np.concatenate(candidates))
        found = rows[box.contains(self._lon[rows], self._lat[rows])]
        return None if len(found) > limit else found

    def cells(self, box: BBox, zoom: int) -> Int64[np.ndarray, "m 3"]:
        """Number of points in each tile of a zoom that meets a box.

        Args:
            box: may cross the antimeridian.
            zoom: zoom whose tiles (XYZ scheme) are the cells.

        Returns:
            Column, row and number of points in the whole cell; those without points are left out.
        """
        shift = np.uint64(2 * (_BITS - zoom))
        found = [np.empty((0, 3), np.int64)]
        for part in box.split():
            west, north = lonlat_to_tile(part.west, part.north, zoom)
            east, south = lonlat_to_tile(part.east, part.south, zoom)
            first, last = tile_bounds(west, south, zoom), tile_bounds(east, north, zoom)
            inner, edge = self._cover(BBox(first.west, first.south, last.east, last.north))
            codes = [self._codes[start:stop] for start, stop in inner + edge]
            cells, counts = np.unique(np.concatenate(codes) >> shift, return_counts=True)
            x, y = _compact_bits(cells), _compact_bits(cells >> np.uint64(1))
            inside = (x >= west) & (x <= east) & (y >= north) & (y <= south)
            found.append(np.column_stack([x, y, counts])[inside].astype(np.int64))
        return np.unique(np.concatenate(found), axis=0)

    def _cover(self, box: BBox) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Code spans of the tiles inside a box, and of those on its edge."""
        zoom = MAX_ZOOM
        while True:
            west, north = lonlat_to_tile(box.west, box.north, zoom)
            east, south = lonlat_to_tile(box.east, box.south, zoom)
            if (east - west < _MAX_COVER_TILES and south - north < _MAX_COVER_TILES) or zoom == 0:
                break
            zoom -= 1
        columns = set(range(west, east + 1))
        if box.east == 180 or box.west == -180:
            columns |= {0, (1 << zoom) - 1}  # points at +180 are stored at -180
        inner: list[tuple[int, int]] = []
        edge: list[tuple[int, int]] = []
        for x in sorted(columns):
            for y in range(north, south + 1):
                cell = _interleave(x, y)
                within = west < x < east and north < y < south
                (inner if within else edge).append(self._span(cell, cell + 1, 2 * (_BITS - zoom)))
        return inner, edge

    def _span(self, first: int, past: int, shift: int) -> tuple[int, int]:
        """Span of the codes in cells `first` up to `past` (excluded); a cell is code >> shift."""
        bounds = np.array([first << shift, (past << shift) - 1], np.uint64)
        start = int(np.searchsorted(self._codes, bounds[0], "left"))
        return start, int(np.searchsorted(self._codes, bounds[1], "right"))


def _morton(lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Morton codes of points in Web Mercator, `_BITS` bits per axis."""
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise ValueError("points must have finite coordinates; leave out those without a location")
    side = 1 << _BITS
    radians = np.radians(np.clip(lat.astype(np.float64), -MERCATOR_LIMIT, MERCATOR_LIMIT))
    across = ((lon.astype(np.float64) + 180) % 360) / 360
    down = (1 - np.arcsinh(np.tan(radians)) / math.pi) / 2
    x, y = (np.clip(part * side, 0, side - 1).astype(np.uint64) for part in (across, down))
    codes: UInt64[np.ndarray, " n"] = _spread_bits(x) | (_spread_bits(y) << np.uint64(1))
    return codes


def _spread_bits(values: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Move the bits of 32-bit numbers to the even positions.

    Bit Twiddling Hacks, "Interleave bits by Binary Magic Numbers":
    https://graphics.stanford.edu/~seander/bithacks.html#InterleaveBMN
    """
    for step, mask in _SPREAD:
        values = (values | (values << np.uint64(step))) & np.uint64(mask)
    return values


def _compact_bits(values: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Undo `_spread_bits`: the even bits of each number, moved together."""
    values = values & np.uint64(_SPREAD[-1][1])
    masks = [*(mask for _, mask in _SPREAD[-2::-1]), (1 << 32) - 1]
    for (step, _), mask in zip(_SPREAD[::-1], masks, strict=True):
        values = (values | (values >> np.uint64(step))) & np.uint64(mask)
    return values


def _interleave(x: int, y: int) -> int:
    """Morton code of one tile or cell."""
    code = _spread_bits(np.array([x, y], np.uint64))
    return int(code[0]) | int(code[1]) << 1


@cache
def _cell_order() -> Int64[np.ndarray, "cells cells"]:
    """Morton code of each cell of a tile, by row and column."""
    places = _spread_bits(np.arange(1 << _CELL_BITS, dtype=np.uint64))
    order = places[None, :] | (places[:, None] << np.uint64(1))
    return np.asarray(order, np.int64)


def _png(palette_index: UInt8[np.ndarray, "h w"]) -> bytes:
    image = Image.fromarray(palette_index).convert("L")
    image.putpalette(_palette())
    alpha = bytes([0, *np.linspace(_MIN_ALPHA, _MAX_ALPHA, 255).astype(np.uint8)])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=alpha, compress_level=2)
    return out.getvalue()


@cache
def _palette() -> bytes:
    """256 RGB colours; the first is transparent in tiles."""
    stops = [stop for stop, _ in _COLOUR_RAMP]
    position = np.concatenate([[0.0], np.linspace(0, 1, 255)])
    colours = [colour for _, colour in _COLOUR_RAMP]
    channels = [np.interp(position, stops, [rgb[i] for rgb in colours]) for i in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8).tobytes()
