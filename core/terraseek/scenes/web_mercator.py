"""Images laid on the Web Mercator map exactly, as one image between four corners.

A web map stretches an image linearly between its corners in Mercator metres. So the image is
resampled onto an upright Mercator grid here; that also places rotated grids, polar grids and scenes
across the antimeridian, because the grid is centred on the scene's own meridian.
"""

import math

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from terraseek.geo import MERCATOR_LIMIT
from terraseek.scenes import Georef

__all__ = ["sample", "source_positions", "to_mercator"]

_NODE_STEP = 16
_PROBES = 33


def to_mercator(
    image: UInt8[np.ndarray, "h w bands"],
    valid: Bool[np.ndarray, "h w"],
    georef: Georef,
    max_side: int,
) -> tuple[UInt8[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"], list[list[float]] | None]:
    """Resample an image to Web Mercator (EPSG:3857 up to a shift along x).

    Args:
        image: pixels on `georef`.
        valid: which of them are shown.
        georef: their grid; without a place on the globe the image is only shrunk.
        max_side: longest side of the answer in pixels.

    Returns:
        Image, valid mask, and [lon, lat] of the corners ul, ur, lr, ll. Longitudes run on beyond
        180 across the antimeridian, as MapLibre wants them. Beyond 85.05 degrees nothing is shown.
        Without a place on the globe the corners are None.
    """
    box = _mercator_box(georef) if georef.located else None
    if box is None:
        return (*_shrunk(image, valid, max_side), None)
    lon0, west, south, east, north = box
    width, height = _size(image.shape[1], image.shape[0], (east - west) / (north - south), max_side)
    cols, rows = source_positions(georef, lon0, (west, south, east, north), width, height)
    # a smaller answer than the image would skip pixels
    shrink = max(1, round(max(image.shape[1] / width, image.shape[0] / height)))
    image, valid = _shrunk(image, valid, math.ceil(max(image.shape[:2]) / shrink))
    scale_x, scale_y = image.shape[1] / georef.width, image.shape[0] / georef.height
    warped, shown = sample(image, valid, cols * np.float32(scale_x), rows * np.float32(scale_y))
    lons = [math.degrees(x) + lon0 for x in (west, east)]
    lats = [math.degrees(math.atan(math.sinh(y))) for y in (north, south)]
    corners = [[lons[0], lats[0]], [lons[1], lats[0]], [lons[1], lats[1]], [lons[0], lats[1]]]
    return warped, shown, corners


def _mercator_box(georef: Georef) -> tuple[float, float, float, float, float] | None:
    """Central longitude in degrees; west, south, east, north in Mercator radians around it."""
    cols, rows = np.meshgrid(
        np.linspace(0, georef.width, _PROBES), np.linspace(0, georef.height, _PROBES)
    )
    lon, lat = georef.lonlat(cols, rows)
    good = np.isfinite(lon) & np.isfinite(lat)
    bounds = georef.bounds
    if not np.any(good) or bounds is None:
        return None
    if bounds.east - bounds.west >= 360:
        lon0, west, east = 0.0, -math.pi, math.pi
    else:
        middle = good.ravel().nonzero()[0]
        lon0 = float(lon.ravel()[middle[len(middle) // 2]])
        apart = np.radians((lon[good] - lon0 + 180) % 360 - 180)
        west, east = float(apart.min()), float(apart.max())
    y = np.arcsinh(np.tan(np.radians(np.clip(lat[good], -MERCATOR_LIMIT, MERCATOR_LIMIT))))
    south, north = float(y.min()), float(y.max())
    if abs(bounds.north) == 90 and bounds.west == -180:
        north = math.pi
    if abs(bounds.south) == 90 and bounds.west == -180:
        south = -math.pi
    return (lon0, west, south, east, north) if east > west and north > south else None


def _size(width: int, height: int, ratio: float, max_side: int) -> tuple[int, int]:
    """About as many pixels as the source has, at most `max_side`, of the box's shape."""
    longest = min(max_side, math.ceil(math.hypot(width, height)))
    if ratio >= 1:
        return longest, max(1, round(longest / ratio))
    return max(1, round(longest * ratio)), longest


def source_positions(
    georef: Georef,
    lon0: float,
    box: tuple[float, float, float, float],
    width: int,
    height: int,
    exact: bool = False,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Source column and row under each pixel centre of an upright Mercator image.

    Args:
        georef: grid of the source.
        lon0: longitude in degrees at Mercator x = 0.
        box: west, south, east, north in Mercator radians.
        width: columns of the image.
        height: its rows.
        exact: project every pixel; else every sixteenth, and bilinear between. Far outside what a
            projection can place, every pixel is projected anyway, and NaN where it cannot be.
    """
    across = np.arange(width, dtype=np.float64) if exact else _nodes(width)
    down = np.arange(height, dtype=np.float64) if exact else _nodes(height)
    west, south, east, north = box
    x = west + (across + 0.5) / width * (east - west)
    y = north - (down + 0.5) / height * (north - south)
    lon, lat = np.meshgrid(np.degrees(x) + lon0, np.degrees(np.arctan(np.sinh(y))))
    cols, rows = georef.pixels((lon + 180) % 360 - 180, lat)
    if exact:
        return cols.astype(np.float32), rows.astype(np.float32)
    if not (np.all(np.isfinite(cols)) and np.all(np.isfinite(rows))):
        return source_positions(georef, lon0, box, width, height, exact=True)
    by_row = _spread(np.stack([cols, rows]), down, height, axis=1)
    found = _spread(by_row, across, width, axis=2).astype(np.float32)
    return found[0], found[1]


def _nodes(count: int) -> Float64[np.ndarray, " n"]:
    return np.linspace(0, count - 1, max(2, math.ceil(count / _NODE_STEP) + 1))


def _spread(
    values: Float64[np.ndarray, "two h w"],
    nodes: Float64[np.ndarray, " n"],
    count: int,
    axis: int,
) -> Float64[np.ndarray, "two h2 w2"]:
    """Values known at `nodes` of an axis, linear between them, at positions 0 .. count-1.

    Gathered, not multiplied by a matrix of weights: for a tile that is so small a product that
    threads of the linear algebra would wait for each other longer than they compute.
    """
    where = np.arange(count, dtype=np.float64)
    before = np.clip(np.searchsorted(nodes, where, side="right") - 1, 0, len(nodes) - 2)
    gap = np.maximum(nodes[before + 1] - nodes[before], 1e-9)  # a single position has no gap
    share = ((where - nodes[before]) / gap)[:, None if axis == 1 else ...]
    step = np.take(np.diff(values, axis=axis), before, axis)
    spread: Float64[np.ndarray, "two h2 w2"] = np.take(values, before, axis) + step * share
    return spread


def sample(
    image: UInt8[np.ndarray, "h w bands"],
    valid: Bool[np.ndarray, "h w"],
    cols: Float32[np.ndarray, "h2 w2"],
    rows: Float32[np.ndarray, "h2 w2"],
) -> tuple[UInt8[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"]]:
    """Bilinear colours at source positions (0.5 is the first centre), and which are valid there."""
    import cv2

    height, width = image.shape[:2]
    inside = (cols >= 0) & (cols <= width) & (rows >= 0) & (rows <= height)
    cols, rows = np.nan_to_num(cols, nan=-1), np.nan_to_num(rows, nan=-1)
    shown = inside
    if not valid.all():
        near_cols = np.clip(cols, 0, width - 1).astype(int)
        shown = inside & valid[np.clip(rows, 0, height - 1).astype(int), near_cols]
    warped = cv2.remap(
        image,
        cols - np.float32(0.5),
        rows - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(*cols.shape, image.shape[2])
    warped[~shown] = 0
    return warped.astype(np.uint8, copy=False), shown


def _shrunk(
    image: UInt8[np.ndarray, "h w bands"], valid: Bool[np.ndarray, "h w"], max_side: int
) -> tuple[UInt8[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"]]:
    import cv2

    height, width = image.shape[:2]
    factor = max_side / max(height, width)
    if factor >= 1:
        return image, valid
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    kept = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return small.reshape(size[1], size[0], -1), kept.astype(bool)
