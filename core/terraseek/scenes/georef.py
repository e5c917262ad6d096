"""Georeferencing of a scene: mapping between pixels, its CRS, and longitude and latitude."""

import logging
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from jaxtyping import Float64

from terraseek.errors import UnsupportedSceneError
from terraseek.geo import BBox, file_named_by_crs
from terraseek.scenes.gcp_polynomial import GcpPolynomial

if TYPE_CHECKING:
    from pyproj import Transformer
    from rasterio.crs import CRS

__all__ = ["Georef", "wrap_longitude"]

_logger = logging.getLogger(__name__)
_POINTS_PER_EDGE = 64
_BEYOND_POLE = 1.0
"""Degrees beyond a pole that count as the pole."""


def wrap_longitude(lon: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """Wrap longitudes to -180..180; those in that range, and infinite ones, are unchanged."""
    outside = np.isfinite(lon) & ((lon < -180) | (lon > 180))
    wrapped = lon.copy()
    wrapped[outside] = (lon[outside] + 180) % 360 - 180
    return wrapped


@dataclass(frozen=True)
class Georef:
    """Pixel grid of `width` x `height` with transform and CRS; in pixel space without a CRS."""

    width: int
    height: int
    transform: Affine
    """Maps (col, row) of pixel corners to CRS coordinates."""
    crs: "CRS | None"
    polynomial: GcpPolynomial | None = None
    """Used instead of `transform` if ground control points need more than an affine transform."""
    residual_px: float | None = None
    """Error of the fit to ground control points, see `fit_gcps`; None without such points."""
    reason: str = ""
    """Why what the file says of its place is not used."""

    @cached_property
    def _to_lonlat(self) -> "Transformer | None":
        """None without a CRS, and for local CRSs that are not related to the globe."""
        return _transformer(self.crs, inverse=False)

    @cached_property
    def _from_lonlat(self) -> "Transformer | None":
        return _transformer(self.crs, inverse=True)

    @property
    def located(self) -> bool:
        """Whether pixels have longitude and latitude."""
        return self._to_lonlat is not None

    @property
    def unplaced(self) -> str:
        """Why pixels have no place, although the file says something of it; empty otherwise."""
        if self.reason or (self.crs is None and self.transform.is_identity):
            return self.reason
        if self.crs is None:
            return "a transform or world file without a CRS; put a .prj file beside it"
        if not self.located:
            return "a CRS that is not related to the Earth"
        if self.pixel_to_lonlat(self.width / 2, self.height / 2) is None:
            return "a transform whose centre is not on the globe"
        return ""

    def lonlat(
        self, cols: Float64[np.ndarray, "*n"], rows: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        """Longitude and latitude in degrees (EPSG:4326) of pixel positions.

        (0, 0) is the outer corner of the first pixel, (0.5, 0.5) its centre. Points outside the
        domain of the projection are NaN. Only for a located grid.
        """
        transformer = self._to_lonlat
        assert transformer is not None
        x, y = self._to_crs(cols, rows)
        lon, lat = (np.asarray(v, np.float64) for v in transformer.transform(x, y))
        invalid = ~(np.isfinite(lon) & np.isfinite(lat)) | (np.abs(lat) > 90 + _BEYOND_POLE)
        lat = np.clip(lat, -90, 90)  # the outer half of the last pixels of a global grid
        return np.where(invalid, np.nan, wrap_longitude(lon)), np.where(invalid, np.nan, lat)

    def _to_crs(
        self, cols: Float64[np.ndarray, "*n"], rows: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        if self.polynomial is not None:
            return self.polynomial.to_crs(cols, rows)
        t = self.transform
        return t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f

    def pixel_to_lonlat(self, col: float, row: float) -> tuple[float, float] | None:
        """Longitude and latitude of one pixel position; None if it has none."""
        if not self.located:
            return None
        lon, lat = self.lonlat(np.array([col], np.float64), np.array([row], np.float64))
        return (float(lon[0]), float(lat[0])) if np.isfinite(lon[0]) else None

    def pixels(
        self, lon: Float64[np.ndarray, "*n"], lat: Float64[np.ndarray, "*n"]
    ) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
        """Columns and rows of longitudes and latitudes, also outside the grid; NaN if undefined.

        On a geographic grid, longitudes are shifted by multiples of 360 degrees to be nearest to
        the centre of the grid. Only for a located grid.
        """
        transformer = self._from_lonlat
        assert transformer is not None
        assert self.crs is not None
        x, y = (np.asarray(v, np.float64) for v in transformer.transform(lon, lat))
        if self.crs.is_geographic:
            centre, _ = self.transform @ (self.width / 2, self.height / 2)
            x = x + 360 * np.round((centre - x) / 360)
        t = ~self.transform
        finite = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(finite, x, np.nan), np.where(finite, y, np.nan)
        if self.polynomial is not None:
            return self.polynomial.to_pixels(x, y, self.transform)
        return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f

    def lonlat_to_pixel(self, lon: float, lat: float) -> tuple[float, float] | None:
        """(col, row) of a longitude and latitude, also outside the grid; None if undefined."""
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
        """Bounding box; it may cross the antimeridian or contain a pole."""
        if not self.located:
            return None
        cols, rows = self._edges()
        lon, lat = self.lonlat(cols, rows)
        finite = np.isfinite(lon)
        if not np.any(finite):
            return None
        lon, lat = np.unwrap(lon[finite], period=360), lat[finite]
        south, north = float(np.clip(lat.min(), -90, 90)), float(np.clip(lat.max(), -90, 90))
        if abs(lon[-1] - lon[0]) > 180:  # the outline goes around a pole
            if north + south >= 0:
                return BBox(-180.0, south, 180.0, 90.0)
            return BBox(-180.0, -90.0, 180.0, north)
        west, east = float(lon.min()), float(lon.max())
        if east - west >= 360 - 1e-9:
            return BBox(-180.0, south, 180.0, north)
        shift = 360 * math.floor((west + 180) / 360)
        west, east = west - shift, east - shift
        return BBox(west, south, east - 360 if east > 180 else east, north)

    def _edges(self) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """Pixel positions along the four edges, as a closed outline."""
        steps = np.linspace(0, 1, _POINTS_PER_EDGE)
        low, high = np.zeros_like(steps), np.ones_like(steps)
        cols = np.concatenate([steps, high, steps[::-1], low]) * self.width
        rows = np.concatenate([low, steps, high, steps[::-1]]) * self.height
        return cols, rows

    @cached_property
    def gsd_m(self) -> float | None:
        """Ground sample distance in metres, at the centre.

        Geometric mean of the lengths of one step along the columns and one along the rows, measured
        on the WGS84 ellipsoid, so that it is also correct for degrees and for Mercator metres.
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

    def resized(self, width: int, height: int) -> "Georef":
        """Grid of `width` x `height` pixels with the same corners."""
        scale = Affine.scale(self.width / width, self.height / height)
        polynomial = None if self.polynomial is None else self.polynomial.resized(width, height)
        return Georef(width, height, self.transform @ scale, self.crs, polynomial, self.residual_px)


def _transformer(crs: "CRS | None", inverse: bool) -> "Transformer | None":
    from pyproj import CRS as ProjCRS
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    if crs is None:
        return None
    wkt = crs.to_wkt()
    named = file_named_by_crs(wkt)
    if named:
        raise UnsupportedSceneError(
            f"the CRS of the raster names a file of this computer, {named}, which is not opened; "
            "transform the raster elsewhere, for example with: gdalwarp -t_srs EPSG:4326 IN OUT"
        )
    try:
        projected = ProjCRS.from_wkt(wkt)
        lonlat = ProjCRS.from_epsg(4326)
        source, target = (lonlat, projected) if inverse else (projected, lonlat)
        return Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        _logger.info("CRS is not related to the globe, pixel space is used: %s", error)
        return None
