"""Footprints of catalogue items: where on the globe the pixels of each image lie.

A footprint is known from the column `footprint` (four corners), or from an exact position with a
ground sample distance and a size in pixels. An item of lower precision has none: its image could
lie anywhere around its point.
"""

import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64, Num

from terraseek.catalogue import Catalogue
from terraseek.geo import MERCATOR_LIMIT, BBox, lonlat_to_tile, tile_bounds, unwrap_longitudes
from terraseek.tiles.density import DensityIndex

if TYPE_CHECKING:
    from pyproj import Transformer

__all__ = ["MIN_PIXELS", "FootprintIndex", "footprints_of", "mercator", "parse_corners"]

MIN_PIXELS = 24
"""Longer side in tile pixels from which a footprint is drawn; at most about a hundred images that
do not overlap then meet a tile."""

_UTM_SOUTH, _UTM_NORTH = -80.0, 84.0
_MAX_CORNER_TEXT = 4096
"""Characters of a footprint that is read; longer ones are outlines of many corners."""


class FootprintIndex:
    """Items with a footprint, found by tile; made by `build`.

    Items are kept in classes of similar size, the largest first, each with an index of the centres.
    A tile is searched with a margin of half the size of each class.
    """

    def __init__(
        self,
        rows: Int64[np.ndarray, " n"],
        corners: Float64[np.ndarray, "n 4 2"],
        sizes: Float64[np.ndarray, " n"],
    ) -> None:
        """Sort footprints into classes of size.

        Args:
            rows: rows of the items, ascending.
            corners: lon, lat in degrees of upper left, upper right, lower right, lower left corner;
                longitudes may continue beyond 180.
            sizes: longer side as a fraction of the width of the Web Mercator square.
        """
        self.rows = rows
        self._corners = corners
        self._sizes = sizes
        centres = corners.mean(axis=1)
        classes = np.floor(np.log2(np.maximum(sizes, 1e-9))).astype(int)
        self._classes: list[tuple[float, Int64[np.ndarray, " m"], DensityIndex]] = []
        for power in sorted(set(classes.tolist()), reverse=True):
            members = np.flatnonzero(classes == power)
            lon, lat = centres[members].T
            index = DensityIndex.build((lon + 180) % 360 - 180, lat)
            self._classes.append((float(sizes[members].max()), members, index))

    @classmethod
    def build(cls, catalogue: Catalogue) -> "FootprintIndex":
        """Footprints of all items that have one; 80 bytes each."""
        rows = catalogue.points().row
        corners = footprints_of(catalogue, rows)
        sizes = _mercator_sizes(corners)
        known = np.isfinite(sizes) & (sizes > 0) & (sizes < 0.5)
        return cls(rows[known], corners[known], sizes[known])

    @property
    def count(self) -> int:
        """Number of items with a footprint."""
        return len(self.rows)

    @property
    def min_zoom(self) -> int | None:
        """Zoom from which at least one footprint is drawn; None without footprints."""
        if not self._classes:
            return None
        return max(0, math.ceil(math.log2(MIN_PIXELS / 256 / self._classes[0][0])))

    def corners(self, row: int) -> Float64[np.ndarray, "4 2"] | None:
        """Corners of the item in a row, as in `__init__`; None if it has no footprint."""
        position = int(np.searchsorted(self.rows, row))
        if position == self.count or self.rows[position] != row:
            return None
        found: Float64[np.ndarray, "4 2"] = self._corners[position]
        return found

    def at(self, lon: float, lat: float, z: int) -> int | None:
        """Row of the topmost item that is drawn at a coordinate; None where there is none.

        Args:
            lon: degrees east, EPSG:4326.
            lat: degrees north, within Web Mercator.
            z: zoom of the tiles.
        """
        point = mercator(np.array([lon, lat]))
        for row in self.in_tile(z, *lonlat_to_tile(lon, lat, z)).tolist():
            quad = mercator(self._corners[np.searchsorted(self.rows, row)]) - point
            quad[:, 0] -= round(float(quad[:, 0].mean()))
            ahead = np.roll(quad, -1, axis=0)
            turns = quad[:, 0] * ahead[:, 1] - quad[:, 1] * ahead[:, 0]
            if np.all(turns >= 0) or np.all(turns <= 0):
                return int(row)
        return None

    def in_tile(self, z: int, x: int, y: int) -> Int64[np.ndarray, " m"]:
        """Rows of the items that may lie in a tile and are large enough to be drawn.

        Returns:
            Rows, topmost first: small footprints lie above large ones, later items above earlier.

        Raises:
            BBoxError: there is no such tile.
        """
        tile = tile_bounds(x, y, z)
        found = [np.empty(0, np.int64)]
        for size, members, index in reversed(self._classes):
            if size * 256 * 2**z < MIN_PIXELS:
                continue
            near = members[index.within(_widened(tile, size / 2), index.count)]
            visible = near[self._sizes[near] * 256 * 2**z >= MIN_PIXELS]
            found.append(self.rows[np.sort(visible)[::-1]])
        return np.concatenate(found)


def footprints_of(
    catalogue: Catalogue, rows: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 4 2"]:
    """Corners of items, as `FootprintIndex` takes them; NaN for items without a footprint."""
    names = ("lon", "lat", "location_precision", "gsd_m", "width", "height", "footprint")
    table = catalogue.items_at(rows, [name for name in names if name in catalogue.columns])
    corners = np.full((len(rows), 4, 2), np.nan)
    if "width" in table and "height" in table:
        lon, lat, gsd, width, height = (
            table[name].to_numpy(dtype=np.float64, na_value=np.nan)
            for name in ("lon", "lat", "gsd_m", "width", "height")
        )
        sized = (table["location_precision"] == "exact").to_numpy(bool) & np.isfinite(lon)
        sized &= (gsd > 0) & (width > 0) & (height > 0)
        sized &= (lat >= _UTM_SOUTH) & (lat <= _UTM_NORTH)
        across, down = (gsd * width)[sized], (gsd * height)[sized]
        corners[sized] = _rectangles(lon[sized], lat[sized], across, down)
    if "footprint" in table:
        for position, text in enumerate(table["footprint"].tolist()):
            found = parse_corners(text) if text else None
            if found is not None:
                corners[position] = found
    return corners


def parse_corners(text: str) -> Float64[np.ndarray, "4 2"] | None:
    """Corners of a footprint column: upper left, upper right, lower right, lower left.

    Args:
        text: JSON list of [lon, lat]. Four corners are in the order of the pixels; a closed ring of
            four corners begins anywhere and is turned so that the most north-western comes first.

    Returns:
        Degrees; None for an outline of another number of corners, which does not say where the
        pixels lie.
    """
    if len(text) > _MAX_CORNER_TEXT:
        return None
    try:
        points = np.array(json.loads(text), np.float64)
    except (ValueError, TypeError):
        return None
    if points.shape not in ((4, 2), (5, 2)) or not np.isfinite(points).all():
        return None
    points = np.column_stack([unwrap_longitudes(points[:, 0]), points[:, 1]])
    if np.abs(points[:, 1]).max() > 90:
        return None
    return points if len(points) == 4 else _north_up(points)


def _north_up(ring: Float64[np.ndarray, "5 2"]) -> Float64[np.ndarray, "4 2"] | None:
    """Corners of a closed ring, clockwise from the most north-western one."""
    if not np.allclose(ring[0], ring[4]):
        return None
    corners = ring[:4]
    lon, lat = corners.T
    area = float(np.sum(lon * np.roll(lat, -1) - np.roll(lon, -1) * lat))
    if area > 0:  # counterclockwise, as RFC 7946 asks for
        corners = corners[::-1]
    spread = np.maximum(np.ptp(corners, axis=0), 1e-12)
    first = int(np.argmin((corners / spread) @ np.array([1.0, -1.0])))
    return np.asarray(np.roll(corners, -first, axis=0))


def _rectangles(
    lon: Float64[np.ndarray, " n"],
    lat: Float64[np.ndarray, " n"],
    across: Float64[np.ndarray, " n"],
    down: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, "n 4 2"]:
    """Corners of rectangles in metres around centres, along the grid of their UTM zone."""
    corners = np.empty((len(lon), 4, 2))
    zones = np.clip((lon + 180) // 6 + 1, 1, 60).astype(int) + np.where(lat >= 0, 32600, 32700)
    for epsg in set(zones.tolist()):
        of_zone = np.flatnonzero(zones == epsg)
        to_utm, to_degrees = _transformers(epsg)
        east, north = to_utm.transform(lon[of_zone], lat[of_zone])
        for corner, (right, up) in enumerate(((-1, 1), (1, 1), (1, -1), (-1, -1))):
            x = east + right * across[of_zone] / 2
            y = north + up * down[of_zone] / 2
            corners[of_zone, corner, 0], corners[of_zone, corner, 1] = to_degrees.transform(x, y)
    turns = np.round((corners[:, :, 0] - lon[:, None]) / 360)
    corners[:, :, 0] -= 360 * turns  # beside the centre, also across the antimeridian
    return corners


@lru_cache(maxsize=120)
def _transformers(epsg: int) -> "tuple[Transformer, Transformer]":
    from pyproj import Transformer

    return (
        Transformer.from_crs(4326, epsg, always_xy=True),
        Transformer.from_crs(epsg, 4326, always_xy=True),
    )


def mercator(lonlat: Num[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
    """Positions in the Web Mercator square of side 1, y down; latitudes are cut at 85.05."""
    x = (lonlat[..., 0] + 180) / 360
    lat = np.radians(np.clip(lonlat[..., 1], -MERCATOR_LIMIT, MERCATOR_LIMIT))
    return np.stack([x, 0.5 - np.arcsinh(np.tan(lat)) / (2 * math.pi)], axis=-1)


def _mercator_sizes(corners: Float64[np.ndarray, "n 4 2"]) -> Float64[np.ndarray, " n"]:
    """Longer side of the bounds of each footprint in the Web Mercator square of side 1."""
    sizes: Float64[np.ndarray, " n"] = np.ptp(mercator(corners), axis=1).max(axis=1)
    return sizes


def _widened(tile: BBox, margin: float) -> BBox:
    """Bounds of a tile, wider by a fraction of the Web Mercator square on each side."""
    centre = mercator(np.array([[tile.west, tile.north], [tile.east, tile.south]]))
    top, bottom = centre[0, 1] - margin, centre[1, 1] + margin
    north, south = (
        math.degrees(math.atan(math.sinh(2 * math.pi * (0.5 - value)))) for value in (top, bottom)
    )
    if tile.east - tile.west + 720 * margin >= 360:
        return BBox(-180, south, 180, north)
    west, east = tile.west - 360 * margin, tile.east + 360 * margin
    west, east = (value + 360 if value < -180 else value for value in (west, east))
    return BBox(west, south, east - 360 if east > 180 else east, north)
