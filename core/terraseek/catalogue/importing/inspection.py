"""Inspection of an image at import: whether it can be decoded, its size and its location."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from terraseek.catalogue.images import (
    MAX_PIXELS,
    RASTER_SUFFIXES,
    check_image_size,
    read_bytes,
    read_image,
)
from terraseek.catalogue.records import ImageRef

__all__ = ["RASTER_SUFFIXES", "inspect"]


def inspect(ref: ImageRef, check: bool = True) -> dict[str, Any]:
    """Read the columns that the image file contains.

    These are width and height in pixels and, for georeferenced rasters, the location.

    Args:
        ref: location of the image.
        check: decode the image; otherwise only rasters are opened.

    Raises:
        SceneError: it cannot be decoded.
        OSError: it cannot be read.
    """
    if ref.suffix in RASTER_SUFFIXES:
        with _as_file(ref) as path:
            return _raster(path, check)
    if not check:
        return {}
    rgb = read_image(ref)
    return {"width": rgb.shape[1], "height": rgb.shape[0]}


@contextmanager
def _as_file(ref: ImageRef) -> Iterator[Path]:
    if not ref.member:
        yield ref.file
        return
    with NamedTemporaryFile(suffix=ref.suffix) as file:
        file.write(read_bytes(ref))
        file.flush()
        yield Path(file.name)


def _raster(path: Path, check: bool) -> dict[str, Any]:
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        check_image_size(path.name, scene.width, scene.height, MAX_PIXELS * scene.decimation**2)
        if check:
            scene.preview(64)  # a truncated file can be opened and fails only here
        columns: dict[str, Any] = {"width": scene.width, "height": scene.height}
        if scene.gsd_m is not None:
            columns["gsd_m"] = scene.gsd_m
        footprint = scene.footprint
        centre = scene.pixel_to_lonlat(scene.width / 2, scene.height / 2)
        if footprint is not None and centre is not None:
            lon, lat = centre
            corners = [[float(x), float(y)] for x, y in footprint]
            columns |= {"lon": lon, "lat": lat, "footprint": json.dumps(corners)}
        return columns
