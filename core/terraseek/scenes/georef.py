"""Where the pixels of a scene lie on the globe."""

import logging
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from jaxtyping import Float64

from terraseek.geo import BBox
from terraseek.scenes.gcp_polynomial import Bend, fit_points

if TYPE_CHECKING:
    from pyproj import Transformer
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

__all__ = ["Georef", "read_georef", "wrap_longitude"]

_logger = logging.getLogger(__name__)
_EDGE_STEPS = 64


def wrap_longitude(lon: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """Longitudes brought into -180..180; those already there are untouched."""
    outside = (lon < -180) | (lon > 180)
    return np.where(outside, (lon + 180) % 360 - 180, lon)


@dataclass(frozen=True)
class Georef:
    """Pixel grid of `width` x `height` with its transform; without a CRS it is pixel space."""

    width: int
    height: int
    transform: Affine
    """(col, row) of pixel corners to CRS coordinates."""
    crs: "CRS | None"
    bend: Bend | None = None
    """What ground control points say beyond `transform`; None for a plain grid."""
    residual_px: float | None = None
    """By how many pixels control points are missed, see `bend.fit_points`; None without any."""

    @cached_property
    def _to_lonlat(self) -> "Transformer | None":
        """None without a CRS, and for local ones that say nothing about the globe."""
        return _transformer(self.crs, inverse=False)

    @cached_property
    def _from_lonlat(self) -> "Transformer | None":
        return _transformer(self.crs, inverse=True)

    @property
    def located(self) -> bool:
        """Whether pixels have a longitude and a latitude."""
        return self._to_lonlat is not None

    def lonlat(
        self, cols: Float64[np.ndarray, "*n"], rows: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        """Longitude and latitude in degrees (EPSG:4326) of pixel positions.

        (0, 0) is the outer corner of the first pixel, (0.5, 0.5) its centre. Points the projection
        cannot place are NaN. Only for a located grid.
        """
        transformer = self._to_lonlat
        assert transformer is not None
        x, y = self._places(cols, rows)
        lon, lat = (np.asarray(v, np.float64) for v in transformer.transform(x, y))
        bad = ~(np.isfinite(lon) & np.isfinite(lat))
        return np.where(bad, np.nan, wrap_longitude(lon)), np.where(bad, np.nan, lat)

    def _places(
        self, cols: Float64[np.ndarray, "*n"], rows: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        if self.bend is not None:
            return self.bend.places(cols, rows)
        t = self.transform
        return t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f

    def pixel_to_lonlat(self, col: float, row: float) -> tuple[float, float] | None:
        """Longitude and latitude of one pixel position, None where there is none."""
        if not self.located:
            return None
        lon, lat = self.lonlat(np.array([col], np.float64), np.array([row], np.float64))
        return (float(lon[0]), float(lat[0])) if np.isfinite(lon[0]) else None

    def pixels(
        self, lon: Float64[np.ndarray, "*n"], lat: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        """Columns and rows of places in degrees, outside the grid too; NaN where there is none.

        On a geographic grid a place counts as the one of its copies, a full turn apart, that lies
        nearest to the grid. Only for a located grid.
        """
        back = self._from_lonlat
        assert back is not None
        assert self.crs is not None
        x, y = (np.asarray(v, np.float64) for v in back.transform(lon, lat))
        if self.crs.is_geographic:
            middle, _ = self.transform @ (self.width / 2, self.height / 2)
            x = x + 360 * np.round((middle - x) / 360)
        t = ~self.transform
        good = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(good, x, np.nan), np.where(good, y, np.nan)
        if self.bend is not None:
            return self.bend.pixels(x, y, self.transform)
        return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f

    def lonlat_to_pixel(self, lon: float, lat: float) -> tuple[float, float] | None:
        """(col, row) of a place, outside the grid too; None where there is none."""
        if not self.located:
            return None
        col, row = self.pixels(np.array([lon], np.float64), np.array([lat], np.float64))
        return (float(col[0]), float(row[0])) if np.isfinite(col[0]) else None

    @property
    def footprint(self) -> list[list[float]] | None:
        """[lon, lat] of the corners: upper left, upper right, lower right, lower left."""
        if not self.located:
            return None
        w, h = float(self.width), float(self.height)
        lon, lat = self.lonlat(np.array([0.0, w, w, 0.0]), np.array([0.0, 0.0, h, h]))
        if not np.all(np.isfinite(lon)):
            return None
        return [[float(a), float(b)] for a, b in zip(lon, lat, strict=True)]

    @cached_property
    def bounds(self) -> BBox | None:
        """Box around the edges, across the antimeridian and around poles where it must be."""
        if not self.located:
            return None
        cols, rows = self._edges()
        lon, lat = self.lonlat(cols, rows)
        good = np.isfinite(lon)
        if not np.any(good):
            return None
        lon, lat = np.unwrap(lon[good], period=360), lat[good]
        south, north = float(np.clip(lat.min(), -90, 90)), float(np.clip(lat.max(), -90, 90))
        if abs(lon[-1] - lon[0]) > 180:  # the edge runs once around a pole
            if north + south >= 0:
                return BBox(-180.0, south, 180.0, 90.0)
            return BBox(-180.0, -90.0, 180.0, north)
        west, east = float(lon.min()), float(lon.max())
        if east - west >= 360 - 1e-9:
            return BBox(-180.0, south, 180.0, north)
        turn = 360 * math.floor((west + 180) / 360)
        west, east = west - turn, east - turn
        return BBox(west, south, east - 360 if east > 180 else east, north)

    def _edges(self) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """A closed walk along the four edges."""
        there = np.linspace(0, 1, _EDGE_STEPS)
        low, high = np.zeros_like(there), np.ones_like(there)
        cols = np.concatenate([there, high, there[::-1], low]) * self.width
        rows = np.concatenate([low, there, high, there[::-1]]) * self.height
        return cols, rows

    @cached_property
    def gsd_m(self) -> float | None:
        """Side in metres, on the ground, of the pixel at the centre.

        Measured along the ellipsoid, so that degrees and the stretched metres of Mercator grids
        come out right: geometric mean of one step along the columns and one along the rows.
        """
        if not self.located:
            return None
        from pyproj import Geod

        col, row = self.width / 2, self.height / 2
        lon, lat = self.lonlat(
            np.array([col, col + 1, col], np.float64), np.array([row, row, row + 1], np.float64)
        )
        if not np.all(np.isfinite(lon)):
            return None
        _, _, across = Geod(ellps="WGS84").inv(lon[[0, 0]], lat[[0, 0]], lon[1:], lat[1:])
        gsd = math.sqrt(float(across[0]) * float(across[1]))
        return gsd if gsd > 0 else None

    def reduced(self, width: int, height: int) -> "Georef":
        """The same ground in `width` x `height` larger pixels; the corners stay where they are."""
        step = Affine.scale(self.width / width, self.height / height)
        bend = None if self.bend is None else self.bend.reduced(width, height)
        return Georef(width, height, self.transform @ step, self.crs, bend, self.residual_px)


def _transformer(crs: "CRS | None", inverse: bool) -> "Transformer | None":
    from pyproj import CRS as ProjCRS
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if crs is None:
        return None
    try:
        own = ProjCRS.from_wkt(crs.to_wkt())
        globe = ProjCRS.from_epsg(4326)
        source, target = (globe, own) if inverse else (own, globe)
        return Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        _logger.warning("CRS cannot be placed on the globe, pixel space is used: %s", error)
        return None


def read_georef(dataset: "DatasetReader", path: Path) -> Georef:
    """Grid of an open file: its transform, else its ground control points, else its RPCs.

    Control points give the affine transform that fits them best (least squares) and, where they
    are enough and it places them better, a polynomial above it, see `bend`; rational polynomials
    (RPC) are fitted the same way at their mean height. Without either, the grid is
    pixel space: identity, no CRS. A world file without a CRS keeps its transform and has no CRS.
    """
    transform, crs = dataset.transform, dataset.crs or None
    if transform.is_identity or transform.is_degenerate:
        points, points_crs = _control_points(dataset)
        if points and points_crs:
            from rasterio.transform import from_gcps

            fitted = from_gcps(points)
            if not fitted.is_degenerate:
                bend, off = fit_points(points, dataset.width, dataset.height)
                return Georef(dataset.width, dataset.height, fitted, points_crs, bend, off)
        return Georef(dataset.width, dataset.height, Affine.identity(), None)
    return Georef(dataset.width, dataset.height, transform, crs or _sidecar_crs(path))


def _control_points(dataset: "DatasetReader") -> tuple[list[Any], "CRS | None"]:
    points, crs = dataset.gcps
    if len(points) >= 3:
        return list(points), crs
    if dataset.rpcs is None:
        return [], None
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.transform import RPCTransformer

    rows, cols = np.meshgrid(
        np.linspace(0, dataset.height, 6), np.linspace(0, dataset.width, 6), indexing="ij"
    )
    with RPCTransformer(dataset.rpcs) as rpc:
        height = np.full(rows.size, dataset.rpcs.height_off)
        x, y = rpc.xy(rows.ravel(), cols.ravel(), zs=height, offset="ul")
    found = [
        GroundControlPoint(row=float(r), col=float(c), x=float(a), y=float(b))
        for r, c, a, b in zip(rows.ravel(), cols.ravel(), x, y, strict=True)
    ]
    return found, CRS.from_epsg(4326)


def _sidecar_crs(path: Path) -> "CRS | None":
    """CRS of a `.prj` file beside an image with a world file, which GDAL does not look for."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    prj = path.with_suffix(".prj")
    if not prj.is_file():
        return None
    try:
        return CRS.from_wkt(
            prj.read_text(encoding="utf-8", errors="replace"), morph_from_esri_dialect=True
        )
    except CRSError as error:
        _logger.warning("%s is no CRS that can be read, it is ignored: %s", prj.name, error)
        return None
