"""Scores as an xarray DataArray with coordinates and CRS."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from terraseek.display import import_extra
from terraseek.scenes import Georef

if TYPE_CHECKING:
    from rasterio.control import GroundControlPoint
    from xarray import DataArray

__all__ = ["scores_array"]


def scores_array(
    score: Float32[np.ndarray, "h w"], scene: Georef, attributes: Mapping[str, Any]
) -> "DataArray":
    """Scores with the coordinates of their cells' centres; see `HeatMap.to_xarray`.

    Args:
        score: scores on a grid that covers the scene exactly; NaN is invalid.
        scene: geometry of the scene in full resolution.
        attributes: attributes of the array.

    Raises:
        MissingExtraError: rioxarray is not installed.
    """
    from terraseek.scenes.gdal_restrictions import restrict_gdal

    restrict_gdal()  # rioxarray imports rasterio
    xarray = import_extra("xarray", "notebook")
    import_extra("rioxarray", "notebook")  # registers the accessor `rio`
    height, width = score.shape
    grid = scene.resized(width, height)
    y, x = _coordinates(scene, grid)
    array: DataArray = xarray.DataArray(
        score, coords={"y": y, "x": x}, dims=("y", "x"), name="score", attrs=dict(attributes)
    )
    array = array.rio.write_nodata(np.nan, encoded=True)
    if grid.polynomial is not None:
        array = array.rio.write_gcps(_cell_points(scene, grid), grid.crs)
    elif grid.crs is not None:
        array = array.rio.write_crs(grid.crs).rio.write_transform(grid.transform)
    return array


def _cell_points(scene: Georef, grid: Georef) -> "list[GroundControlPoint]":
    """Control points of a scene, at rows and columns of the cells of a grid over it."""
    from rasterio.control import GroundControlPoint

    assert scene.polynomial is not None
    down, across = grid.height / scene.height, grid.width / scene.width
    return [
        GroundControlPoint(point.row * down, point.col * across, point.x, point.y, point.z)
        for point in scene.polynomial.points
    ]


def _coordinates(scene: Georef, grid: Georef) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates y and x of cell centres: of the CRS on a straight grid, else scene pixels."""
    rows, cols = np.arange(grid.height) + 0.5, np.arange(grid.width) + 0.5
    t = grid.transform
    if grid.crs is None or grid.polynomial is not None or t.b != 0 or t.d != 0:
        return rows * (scene.height / grid.height), cols * (scene.width / grid.width)
    return rows * t.e + t.f, cols * t.a + t.c
