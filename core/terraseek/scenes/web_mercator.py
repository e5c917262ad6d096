"""Warp images to Web Mercator, so that a web map can place them by their four corners.

A web map stretches an image linearly between its corners in Mercator metres. So the image is
resampled onto a north-up Mercator grid here. This also places rotated grids, polar grids and scenes
across the antimeridian, because the grid is centred on the scene's own meridian.
"""

import math

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt

from terraseek.geo import MERCATOR_LIMIT
from terraseek.scenes import Georef

__all__ = ["sample", "source_positions", "to_mercator"]

_NODE_STEP = 16
"""Pixels between projected positions; those between are interpolated."""
_BOUNDARY_POINTS = 33
"""Rows and columns of points projected to find the extent of a scene."""


def to_mercator(
    image: UInt[np.ndarray, "h w bands"],
    valid: Bool[np.ndarray, "h w"],
    georef: Georef,
    max_side: int,
) -> tuple[UInt[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"], list[list[float]] | None]:
    """Resample an image to Web Mercator (EPSG:3857 up to a shift along x).

    Args:
        image: pixels on the grid of `georef`, or a reduced version of it.
        valid: mask of the valid pixels.
        georef: geometry of the image; without a location on the globe the image is only reduced.
        max_side: longest side of the result in pixels.

    Returns:
        Image, valid mask, and [lon, lat] of the corners ul, ur, lr, ll. Across the antimeridian
        longitudes continue beyond 180, as MapLibre needs them. Pixels beyond 85.05 degrees of
        latitude are cut off. Without a location on the globe the corners are None.
    """
    box = _mercator_box(georef) if georef.located else None
    if box is None:
        return (*_reduced(image, valid, max_side), None)
    lon0, west, south, east, north = box
    aspect = (east - west) / (north - south)
    width, height = _output_size(image.shape[1], image.shape[0], aspect, max_side)
    cols, rows = source_positions(georef, lon0, (west, south, east, north), width, height)
    # reduced first, because sampling a larger image would skip pixels
    factor = max(1, round(max(image.shape[1] / width, image.shape[0] / height)))
    image, valid = _reduced(image, valid, math.ceil(max(image.shape[:2]) / factor))
    scale_x, scale_y = image.shape[1] / georef.width, image.shape[0] / georef.height
    warped, inside = sample(image, valid, cols * np.float32(scale_x), rows * np.float32(scale_y))
    lons = [math.degrees(x) + lon0 for x in (west, east)]
    lats = [math.degrees(math.atan(math.sinh(y))) for y in (north, south)]
    corners = [[lons[0], lats[0]], [lons[1], lats[0]], [lons[1], lats[1]], [lons[0], lats[1]]]
    return warped, inside, corners


def _mercator_box(georef: Georef) -> tuple[float, float, float, float, float] | None:
    """Central longitude in degrees; west, south, east, north in Mercator radians around it.

    None where no point of the scene can be projected, or its extent is empty.
    """
    cols, rows = np.meshgrid(
        np.linspace(0, georef.width, _BOUNDARY_POINTS),
        np.linspace(0, georef.height, _BOUNDARY_POINTS),
    )
    lon, lat = georef.lonlat(cols, rows)
    projected = np.isfinite(lon) & np.isfinite(lat)
    bounds = georef.bounds
    if not np.any(projected) or bounds is None:
        return None
    if bounds.east - bounds.west >= 360:
        lon0, west, east = 0.0, -math.pi, math.pi
    else:
        index = projected.ravel().nonzero()[0]
        lon0 = float(lon.ravel()[index[len(index) // 2]])
        x = np.radians((lon[projected] - lon0 + 180) % 360 - 180)
        west, east = float(x.min()), float(x.max())
    y = np.arcsinh(np.tan(np.radians(np.clip(lat[projected], -MERCATOR_LIMIT, MERCATOR_LIMIT))))
    south, north = float(y.min()), float(y.max())
    if abs(bounds.north) == 90 and bounds.west == -180:
        north = math.pi
    if abs(bounds.south) == 90 and bounds.west == -180:
        south = -math.pi
    return (lon0, west, south, east, north) if east > west and north > south else None


def _output_size(width: int, height: int, aspect: float, max_side: int) -> tuple[int, int]:
    """(width, height) of the result: about as many pixels as the source, at most `max_side`."""
    longest = min(max_side, math.ceil(math.hypot(width, height)))
    if aspect >= 1:
        return longest, max(1, round(longest / aspect))
    return max(1, round(longest * aspect)), longest


def source_positions(
    georef: Georef,
    lon0: float,
    box: tuple[float, float, float, float],
    width: int,
    height: int,
    exact: bool = False,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Source column and row under each pixel centre of a north-up Mercator image.

    Args:
        georef: geometry of the source.
        lon0: longitude in degrees at Mercator x = 0.
        box: west, south, east, north in Mercator radians.
        width: columns of the image.
        height: rows of the image.
        exact: project every pixel; else every sixteenth, with bilinear interpolation between.
            Where some positions cannot be projected, every pixel is projected anyway, and
            positions that cannot be projected are NaN.
    """
    x_index = np.arange(width, dtype=np.float64) if exact else _nodes(width)
    y_index = np.arange(height, dtype=np.float64) if exact else _nodes(height)
    west, south, east, north = box
    x = west + (x_index + 0.5) / width * (east - west)
    y = north - (y_index + 0.5) / height * (north - south)
    lon, lat = np.meshgrid(np.degrees(x) + lon0, np.degrees(np.arctan(np.sinh(y))))
    cols, rows = georef.pixels((lon + 180) % 360 - 180, lat)
    if exact:
        return cols.astype(np.float32), rows.astype(np.float32)
    if not (np.all(np.isfinite(cols)) and np.all(np.isfinite(rows))):
        return source_positions(georef, lon0, box, width, height, exact=True)
    by_row = _interpolate(np.stack([cols, rows]), y_index, height, axis=1)
    both = _interpolate(by_row, x_index, width, axis=2).astype(np.float32)
    return both[0], both[1]


def _nodes(count: int) -> Float64[np.ndarray, " n"]:
    """Evenly spaced positions from 0 to count - 1, about every sixteenth pixel."""
    return np.linspace(0, count - 1, max(2, math.ceil(count / _NODE_STEP) + 1))


def _interpolate(
    values: Float64[np.ndarray, "two h w"],
    nodes: Float64[np.ndarray, " n"],
    count: int,
    axis: int,
) -> Float64[np.ndarray, "two h2 w2"]:
    """Values known at `nodes` of an axis, interpolated linearly at positions 0 to count - 1.

    Gathered, not multiplied by a matrix of weights: for a tile such a product is so small that the
    threads of the linear algebra library would wait for each other longer than they compute.
    """
    positions = np.arange(count, dtype=np.float64)
    before = np.clip(np.searchsorted(nodes, positions, side="right") - 1, 0, len(nodes) - 2)
    gap = np.maximum(nodes[before + 1] - nodes[before], 1e-9)  # a single position has no gap
    weight = ((positions - nodes[before]) / gap)[:, None if axis == 1 else ...]
    step = np.take(np.diff(values, axis=axis), before, axis)
    found: Float64[np.ndarray, "two h2 w2"] = np.take(values, before, axis) + step * weight
    return found


def sample(
    image: UInt[np.ndarray, "h w bands"],
    valid: Bool[np.ndarray, "h w"],
    cols: Float32[np.ndarray, "h2 w2"],
    rows: Float32[np.ndarray, "h2 w2"],
) -> tuple[UInt[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"]]:
    """Bilinear colours at source positions, and which positions are valid.

    Args:
        image: source pixels.
        valid: mask of the valid source pixels.
        cols: column positions; 0.5 is the centre of the first column. NaN: outside.
        rows: row positions.

    Returns:
        Colours, 0 where invalid; mask of positions inside the image and on a valid pixel.
    """
    import cv2

    height, width = image.shape[:2]
    inside = (cols >= 0) & (cols <= width) & (rows >= 0) & (rows <= height)
    cols, rows = np.nan_to_num(cols, nan=-1), np.nan_to_num(rows, nan=-1)
    visible = inside
    if not valid.all():
        nearest_cols = np.clip(cols, 0, width - 1).astype(int)
        visible = inside & valid[np.clip(rows, 0, height - 1).astype(int), nearest_cols]
    warped = cv2.remap(
        image,
        cols - np.float32(0.5),
        rows - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(*cols.shape, image.shape[2])
    warped[~visible] = 0
    return warped.astype(image.dtype, copy=False), visible


def _reduced(
    image: UInt[np.ndarray, "h w bands"], valid: Bool[np.ndarray, "h w"], max_side: int
) -> tuple[UInt[np.ndarray, "h2 w2 bands"], Bool[np.ndarray, "h2 w2"]]:
    """Image and mask with a longest side of at most `max_side` pixels; never enlarged."""
    import cv2

    height, width = image.shape[:2]
    factor = max_side / max(height, width)
    if factor >= 1:
        return image, valid
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return small.reshape(size[1], size[0], -1), mask.astype(bool)
