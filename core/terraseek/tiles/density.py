"""Density tiles: how many of millions of points lie under each cell of a Web Mercator tile.

Points are kept as sorted Morton codes (x and y bits interleaved), in which every tile, and every
cell of a tile, is one unbroken run. So a tile is counted by searching for the borders of its cells:
the cost depends on the cells, hardly on the points, and no pyramid has to be kept.
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
"""Side of the squares that are counted, in pixels; single pixels would hardly be seen."""
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
_RAMP = (
    (0.0, (21, 94, 117)),
    (0.45, (34, 211, 238)),
    (0.8, (207, 250, 254)),
    (1.0, (254, 240, 138)),
)
_FAINTEST = 150
_COVER_TILES = 8


class DensityIndex:
    """Points in Morton order; 12 bytes a point, made by `build`."""

    def __init__(
        self,
        codes: UInt64[np.ndarray, " n"],
        order: UInt32[np.ndarray, " n"],
        lon: Float[np.ndarray, " n"],
        lat: Float[np.ndarray, " n"],
    ) -> None:
        """Wrap what `build` made."""
        self._codes = codes
        self._order = order
        self._lon = lon
        self._lat = lat

    @classmethod
    def build(cls, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]) -> "DensityIndex":
        """Sort points; the arrays are kept as they are, for `within`.

        Args:
            lon: degrees east, EPSG:4326; any turn of the globe.
            lat: degrees north; beyond 85.05, where the map ends, drawn on its rim.

        Raises:
            ValueError: a coordinate is NaN or infinite.
        """
        codes = np.empty(len(lon), np.uint64)
        for start in range(0, len(lon), _CHUNK):
            part = slice(start, start + _CHUNK)
            codes[part] = _morton(lon[part], lat[part])
        order = np.argsort(codes).astype(np.uint32)
        index = cls(codes[order], order, lon, lat)
        _ = index.fullest  # now, so that no tile waits for it
        return index

    @property
    def count(self) -> int:
        """Number of points."""
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        """Bytes kept beside the points themselves."""
        return self._codes.nbytes + self._order.nbytes

    def counts(self, z: int, x: int, y: int) -> Int64[np.ndarray, "cells cells"]:
        """Points in each cell of tile z/x/y (XYZ scheme), row 0 in the north.

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
        borders = (np.arange(side * side + 1, dtype=np.uint64) + np.uint64(first)) << np.uint64(
            shift
        )
        runs = np.diff(np.searchsorted(self._codes[start:stop], borders))
        counts: Int64[np.ndarray, "cells cells"] = runs[_cell_order()].astype(np.int64)
        return counts

    def png(self, z: int, x: int, y: int) -> bytes | None:
        """A tile as PNG (palette with alpha, 256 pixels), brighter where points are more.

        Colours follow the logarithm of the count up to the fullest cell of the zoom, so that they
        mean the same all over the map. None where no point is.

        Raises:
            BBoxError: there is no such tile.
        """
        counts = self.counts(z, x, y)
        if not counts.any():
            return None
        share = np.log1p(counts) / math.log1p(max(2, self.fullest[min(z, MAX_ZOOM)]))
        shade = np.where(counts > 0, 1 + np.rint(254 * np.minimum(share, 1)), 0).astype(np.uint8)
        return _encoded(shade.repeat(CELL_PIXELS, 0).repeat(CELL_PIXELS, 1))

    @cached_property
    def fullest(self) -> tuple[int, ...]:
        """Points in the fullest cell, by zoom."""
        return tuple(self._fullest(zoom) for zoom in range(MAX_ZOOM + 1))

    def _fullest(self, zoom: int) -> int:
        """The longest run of equal cells, in one pass over the sorted codes."""
        shift = np.uint64(2 * (MAX_ZOOM - zoom))
        longest, open_since, last = 0, 0, None
        for start in range(0, self.count, _CHUNK):
            cells = self._codes[start : start + _CHUNK] >> shift
            breaks = np.flatnonzero(cells[1:] != cells[:-1]) + start + 1
            if last is not None and cells[0] != last:
                breaks = np.concatenate([[start], breaks])
            if len(breaks):
                longest = max(longest, int(np.diff(breaks, prepend=open_since).max()))
                open_since = int(breaks[-1])
            last = cells[-1]
        return max(longest, self.count - open_since)

    def within(self, box: BBox, most: int) -> UInt32[np.ndarray, " m"] | None:
        """Positions, rising, of the points in a box, edges included; None if above `most`.

        The box may cross the antimeridian.
        """
        candidates: list[UInt32[np.ndarray, " p"]] = []
        for part in box.split():
            inner, rim = self._cover(part)
            if sum(stop - start for start, stop in inner) > most:
                return None
            candidates += [self._order[start:stop] for start, stop in inner + rim]
        rows = np.unique(np.concatenate(candidates))
        found = rows[box.contains(self._lon[rows], self._lat[rows])]
        return None if len(found) > most else found

    def _cover(self, box: BBox) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Spans of tiles that lie inside a box, and of those on its rim."""
        zoom = MAX_ZOOM
        while True:
            west, north = lonlat_to_tile(box.west, box.north, zoom)
            east, south = lonlat_to_tile(box.east, box.south, zoom)
            if (east - west < _COVER_TILES and south - north < _COVER_TILES) or zoom == 0:
                break
            zoom -= 1
        columns = set(range(west, east + 1))
        if box.east == 180 or box.west == -180:
            columns |= {0, (1 << zoom) - 1}  # points at +180 are kept at -180, and asked as either
        inner: list[tuple[int, int]] = []
        rim: list[tuple[int, int]] = []
        for x in sorted(columns):
            for y in range(north, south + 1):
                cell = _interleave(x, y)
                within = west < x < east and north < y < south
                (inner if within else rim).append(self._span(cell, cell + 1, 2 * (_BITS - zoom)))
        return inner, rim

    def _span(self, first: int, past: int, shift: int) -> tuple[int, int]:
        """Positions of the codes in cells `first` up to `past`, cells being codes >> shift."""
        borders = np.array([first << shift, (past << shift) - 1], np.uint64)
        start = int(np.searchsorted(self._codes, borders[0], "left"))
        return start, int(np.searchsorted(self._codes, borders[1], "right"))


def _morton(lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise ValueError("points must have finite coordinates; leave those without a place out")
    side = 1 << _BITS
    radians = np.radians(np.clip(lat.astype(np.float64), -MERCATOR_LIMIT, MERCATOR_LIMIT))
    across = ((lon.astype(np.float64) + 180) % 360) / 360
    down = (1 - np.arcsinh(np.tan(radians)) / math.pi) / 2
    x, y = (np.clip(part * side, 0, side - 1).astype(np.uint64) for part in (across, down))
    codes: UInt64[np.ndarray, " n"] = _spread(x) | (_spread(y) << np.uint64(1))
    return codes


def _spread(values: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Bits of 32-bit numbers moved to the even places.

    Bit Twiddling Hacks, "Interleave bits by Binary Magic Numbers":
    https://graphics.stanford.edu/~seander/bithacks.html#InterleaveBMN
    """
    for step, mask in _SPREAD:
        values = (values | (values << np.uint64(step))) & np.uint64(mask)
    return values


def _interleave(x: int, y: int) -> int:
    code = _spread(np.array([x, y], np.uint64))
    return int(code[0]) | int(code[1]) << 1


@cache
def _cell_order() -> Int64[np.ndarray, "cells cells"]:
    """Morton number of each cell of a tile, by row and column."""
    places = _spread(np.arange(1 << _CELL_BITS, dtype=np.uint64))
    order = places[None, :] | (places[:, None] << np.uint64(1))
    return np.asarray(order, np.int64)


def _encoded(shade: UInt8[np.ndarray, "h w"]) -> bytes:
    image = Image.fromarray(shade).convert("L")
    image.putpalette(_palette())
    alpha = bytes([0, *np.linspace(_FAINTEST, 245, 255).astype(np.uint8)])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=alpha, compress_level=2)
    return out.getvalue()


@cache
def _palette() -> bytes:
    """256 colours, the first of them never seen."""
    stops = [stop for stop, _ in _RAMP]
    where = np.concatenate([[0.0], np.linspace(0, 1, 255)])
    bands = [np.interp(where, stops, [colour[band] for _, colour in _RAMP]) for band in range(3)]
    return np.stack(bands, axis=1).round().astype(np.uint8).tobytes()
