"""Inspection of an image at import: whether it can be decoded, its size and its location."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from terraseek.catalogue.images import (
    MAX_PIXELS,
    RASTER_SUFFIXES,
    check_image_size,
    read_bytes,
    read_image,
    temporary_copy,
)
from terraseek.catalogue.importing.photographs import (
    UNPLACED,
    has_world_file,
    is_animated,
    photograph_columns,
)
from terraseek.catalogue.records import ImageRef
from terraseek.decoding import TimeLimit, guarded

__all__ = ["ANIMATED", "PAGES", "RASTER_SUFFIXES", "UNPLACED", "inspect"]

ANIMATED = "_animated"
"""Key that marks an image with more frames than the first, which is the one that is read."""
PAGES = "_pages"
"""Key of the number of further images in a TIFF file, of which the first is read."""


def inspect(ref: ImageRef, check: bool = True) -> dict[str, Any]:
    """Read the columns that the image file contains.

    These are width and height in pixels, the location and footprint of georeferenced rasters and of
    images with a world file, and place and time in the EXIF of photographs.

    Args:
        ref: location of the image.
        check: decode the image; otherwise only rasters and headers are read.

    Raises:
        SceneError: it cannot be decoded.
        OSError: it cannot be read.
    """
    with guarded(ref.label), TimeLimit(ref.label):
        if ref.suffix in RASTER_SUFFIXES:
            with _as_file(ref) as path:
                columns = _raster(path, check)
        else:
            columns = _image(ref, check)
        return columns if "lon" in columns else columns | photograph_columns(ref)


def _image(ref: ImageRef, check: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if check:
        rgb = read_image(ref, verify=True)
        columns = {"width": rgb.shape[1], "height": rgb.shape[0]}
        if is_animated(ref):
            columns[ANIMATED] = True
    if not ref.member and has_world_file(ref.file):
        columns = _raster(ref.file, check=False) | columns
    return columns


@contextmanager
def _as_file(ref: ImageRef) -> Iterator[Path]:
    if not ref.member:
        yield ref.file
        return
    with temporary_copy(read_bytes(ref), ref.member, ref.suffix) as path:
        yield path


def _raster(path: Path, check: bool) -> dict[str, Any]:
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        check_image_size(path.name, scene.width, scene.height, MAX_PIXELS * scene.decimation**2)
        if check:
            scene.preview(64)  # a truncated file can be opened and fails only here
        columns: dict[str, Any] = {"width": scene.width, "height": scene.height}
        if scene.pages > 1:
            columns[PAGES] = scene.pages - 1
        if scene.gsd_m is not None:
            columns["gsd_m"] = scene.gsd_m
        centre = scene.pixel_to_lonlat(scene.width / 2, scene.height / 2)
        if centre is None:
            if scene.georef.unplaced:
                columns[UNPLACED] = scene.georef.unplaced
            return columns
        columns |= {"lon": centre[0], "lat": centre[1], "location_precision": "exact"}
        footprint = scene.footprint
        if footprint is not None:
            corners = [[float(x), float(y)] for x, y in footprint]
            columns["footprint"] = json.dumps(corners)
        return columns
