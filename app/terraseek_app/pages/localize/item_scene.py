"""An item of the catalogue as a scene: its image, laid at its place where that is known well."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.files import atomic_path
from terraseek.scenes.gdal_restrictions import restrict_gdal

__all__ = ["item_scene", "placement"]

_WELL_PLACED = ("exact", "point")


def item_scene(
    item: Mapping[str, Any],
    encoded: bytes,
    image: UInt8[np.ndarray, "h w 3"],
    folder: Path,
) -> Path:
    """A raster file of an item's image, written once to `folder`.

    With a well-known position and ground sample distance the image is laid north-up around its
    position, so that the heat map lies on the world map; otherwise the file stays as it is.

    Args:
        item: row of the items table.
        encoded: the image's file as stored; kept when it has a position of its own.
        image: the same decoded.
        folder: made when missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = placement(item, image.shape[1], image.shape[0])
    is_tiff = encoded[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    suffix = ".tif" if place or is_tiff else ".img"
    digest = hashlib.sha256(encoded + repr(place).encode()).hexdigest()[:20]
    path = folder / f"item-{digest}{suffix}"
    if path.is_file():
        return path
    with atomic_path(path) as beside:
        if place and not is_tiff:
            _write_placed(beside, image, *place)
        else:
            beside.write_bytes(encoded)
    return path


def placement(
    item: Mapping[str, Any], width: int, height: int
) -> tuple[int, float, float, float] | None:
    """(EPSG of the UTM zone, easting and northing of the upper left corner, metres per pixel).

    None unless the item's position is exact or a point and its ground sample distance is known.
    """
    lon, lat, gsd = (_number(item.get(name)) for name in ("lon", "lat", "gsd_m"))
    if item.get("location_precision") not in _WELL_PLACED or not gsd or lon is None or lat is None:
        return None
    if not (-80 <= lat <= 84 and gsd > 0):  # UTM ends there
        return None
    from pyproj import Transformer

    zone = min(60, int((lon + 180) // 6) + 1)
    epsg = (32600 if lat >= 0 else 32700) + zone
    east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return epsg, east - gsd * width / 2, north + gsd * height / 2, gsd


def _write_placed(
    path: Path,
    image: UInt8[np.ndarray, "h w 3"],
    epsg: int,
    left: float,
    top: float,
    gsd: float,
) -> None:
    restrict_gdal()
    import rasterio
    from affine import Affine

    height, width = image.shape[:2]
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 3,
        "dtype": "uint8",
        "crs": f"EPSG:{epsg}",
        "transform": Affine(gsd, 0, left, 0, -gsd, top),
        "photometric": "RGB",
    }
    with rasterio.open(path, "w", **profile) as out:
        out.write(np.moveaxis(image, 2, 0))


def _number(value: object) -> float | None:
    if isinstance(value, int | float | np.number) and math.isfinite(float(value)):
        return float(value)
    return None
