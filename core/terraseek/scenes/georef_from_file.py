"""Georeferencing of an open file: from its transform, control points, RPCs, or `.prj` sidecar."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from terraseek.geo import unwrap_longitudes
from terraseek.scenes.gcp_polynomial import fit_gcps
from terraseek.scenes.georef import Georef

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

__all__ = ["read_georef"]

_logger = logging.getLogger(__name__)
_MIN_GCPS = 3
_UNUSABLE_POINTS = "control points that are fewer than three, on one line, or without a CRS"
_THINNEST = 1e-6
"""Least ratio of the extents of the control points, across and along them."""
_RPC_GRID = 6
"""Rows and columns of points at which RPCs are sampled."""


def read_georef(dataset: "DatasetReader", path: Path) -> Georef:
    """Georeferencing of an open file: its transform, else its control points, else its RPCs.

    Ground control points give a least squares affine transform and, if there are enough points and
    it fits better, a polynomial (see `gcp_polynomial`). Rational polynomial coefficients (RPCs) are
    sampled at their mean height and fitted in the same way. Without any of these the grid is in
    pixel space: identity, no CRS. A world file without a CRS keeps its transform and has no CRS.
    """
    transform, crs = dataset.transform, dataset.crs or None
    if transform.is_identity or transform.is_degenerate:
        points, points_crs = _control_points(dataset)
        if points and points_crs and not _on_one_line(points):
            from rasterio.transform import from_gcps

            points = _without_jumps(points, points_crs)
            fitted = from_gcps(points)
            if not fitted.is_degenerate:
                polynomial, error = fit_gcps(points, dataset.width, dataset.height)
                return Georef(dataset.width, dataset.height, fitted, points_crs, polynomial, error)
        reason = _UNUSABLE_POINTS if dataset.gcps[0] else ""
        if crs and transform.is_degenerate:
            reason = "a transform that maps all pixels to one line or point"
        return Georef(dataset.width, dataset.height, Affine.identity(), None, reason=reason)
    return Georef(dataset.width, dataset.height, transform, crs or _sidecar_crs(path))


def _control_points(dataset: "DatasetReader") -> tuple[list[Any], "CRS | None"]:
    points, crs = dataset.gcps
    if len(points) >= _MIN_GCPS:
        return list(points), crs
    if dataset.rpcs is None:
        return [], None
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.transform import RPCTransformer

    rows, cols = np.meshgrid(
        np.linspace(0, dataset.height, _RPC_GRID),
        np.linspace(0, dataset.width, _RPC_GRID),
        indexing="ij",
    )
    with RPCTransformer(dataset.rpcs) as rpc:
        height = np.full(rows.size, dataset.rpcs.height_off)
        x, y = rpc.xy(rows.ravel(), cols.ravel(), zs=height, offset="ul")
    found = [
        GroundControlPoint(row=float(r), col=float(c), x=float(a), y=float(b))
        for r, c, a, b in zip(rows.ravel(), cols.ravel(), x, y, strict=True)
    ]
    return found, CRS.from_epsg(4326)


def _on_one_line(points: list[Any]) -> bool:
    """Whether the pixels of control points are on a line, or are one point."""
    pixels = np.array([[point.col, point.row] for point in points], np.float64)
    lengths = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)
    return bool(lengths[-1] <= _THINNEST * lengths[0])


def _without_jumps(points: list[Any], crs: "CRS") -> list[Any]:
    """Control points whose longitudes continue beyond 180: 179 and -179 are neighbours."""
    if not crs.is_geographic:
        return points
    from rasterio.control import GroundControlPoint

    lon = unwrap_longitudes(np.array([point.x for point in points], np.float64))
    return [
        GroundControlPoint(row=p.row, col=p.col, x=float(x), y=p.y, z=p.z)
        for p, x in zip(points, lon, strict=True)
    ]


def _sidecar_crs(path: Path) -> "CRS | None":
    """CRS of a `.prj` file beside an image with a world file, which GDAL does not read."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    names = (path.with_suffix(".prj"), path.with_suffix(".PRJ"))
    prj = next((name for name in names if name.is_file()), None)
    if prj is None:
        return None
    try:
        return CRS.from_wkt(
            prj.read_text(encoding="utf-8", errors="replace"), morph_from_esri_dialect=True
        )
    except CRSError as error:
        _logger.warning("%s cannot be read as a CRS and is ignored: %s", prj.name, error)
        return None
