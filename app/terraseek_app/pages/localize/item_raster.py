"""An item of the catalogue as a raster file, georeferenced if its position is known."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.files import atomic_path
from terraseek.scenes.gdal_restrictions import restrict_gdal

__all__ = ["is_located", "item_raster", "pixel_space_reason", "utm_placement"]

_PRECISE = ("exact", "point")
"""Location precisions that are good enough to georeference an image."""


def item_raster(
    item: Mapping[str, Any],
    encoded: bytes,
    image: UInt8[np.ndarray, "h w 3"],
    folder: Path,
) -> Path:
    """Write an item's image as a raster file to `folder`, unless it is there already.

    A TIFF with its own georeference is copied. Any other image with a known position and ground
    sample distance is placed north-up around its position in UTM, so that its heat map can be shown
    on the globe. Without them its bytes are copied.

    Args:
        item: row of the items table.
        encoded: bytes of the image's file.
        image: the same image, decoded.
        folder: created if missing.

    Returns:
        Path of the file; its name contains a hash of the content.
    """
    folder.mkdir(parents=True, exist_ok=True)
    placement = utm_placement(item, image.shape[1], image.shape[0])
    is_tiff = encoded[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    suffix = ".tif" if placement or is_tiff else ".img"
    digest = hashlib.sha256(encoded + repr(placement).encode()).hexdigest()[:20]
    path = folder / f"item-{digest}{suffix}"
    if path.is_file():
        return path
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)
        if placement and not (is_tiff and is_located(temporary)):
            temporary.unlink()
            _write_georeferenced(temporary, image, *placement)
    return path


def is_located(path: Path) -> bool:
    """Whether a raster file has a location on the globe of its own."""
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        return scene.footprint is not None


def pixel_space_reason(item: Mapping[str, Any]) -> str | None:
    """Why an item with coordinates is shown in its own pixels; None for one without coordinates.

    Args:
        item: row of the items table.
    """
    lon, lat, gsd = (_number(item.get(name)) for name in ("lon", "lat", "gsd_m"))
    if lon is None or lat is None:
        return None
    precision = str(item.get("location_precision"))
    if precision not in _PRECISE:
        return f"the position is not precise ({precision.replace('_', ' ')})"
    if not gsd or gsd < 0:
        return "the catalogue has no pixel size (gsd_m) for it"
    return "UTM ends at 80° S and 84° N"


def utm_placement(
    item: Mapping[str, Any], width: int, height: int
) -> tuple[int, float, float, float] | None:
    """Georeference of an item's image in its UTM zone.

    Args:
        item: row of the items table.
        width: width of the image in pixels.
        height: height of the image in pixels.

    Returns:
        EPSG code, easting and northing of the upper left corner in metres, metres per pixel. None
        unless the location precision is `exact` or `point` and the ground sample distance is known,
        and outside the latitudes of UTM (80° S to 84° N).
    """
    lon, lat, gsd = (_number(item.get(name)) for name in ("lon", "lat", "gsd_m"))
    if item.get("location_precision") not in _PRECISE or not gsd or lon is None or lat is None:
        return None
    if not (-80 <= lat <= 84 and gsd > 0):
        return None
    from pyproj import Transformer

    zone = min(60, int((lon + 180) // 6) + 1)
    epsg = (32600 if lat >= 0 else 32700) + zone
    east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return epsg, east - gsd * width / 2, north + gsd * height / 2, gsd


def _write_georeferenced(
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
