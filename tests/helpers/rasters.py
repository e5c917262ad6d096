"""Rasters of any format, data type and CRS, made by code for tests."""

import warnings
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

UTM = "EPSG:32633"
UTM_GRID = Affine(2.0, 0.0, 500_000.0, 0.0, -2.0, 5_000_000.0)


def random_rgb(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random RGB image [h, w, 3], in which all windows differ."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:height, 0:width]
    bands = []
    for _ in range(3):
        down, across, phase = rng.uniform(0.5, 3, 3)
        wave = np.sin(down * rows / height * 6 + across * cols / width * 6 + phase)
        bands.append(127.5 + 120 * wave)
    return np.stack(bands, axis=-1).astype(np.uint8)


def write_raster(
    path: Path,
    bands: np.ndarray,
    *,
    crs: str | None = UTM,
    transform: Affine | None = UTM_GRID,
    gcps: list | None = None,
    mask: np.ndarray | None = None,
    descriptions: tuple[str, ...] = (),
    colorinterp: tuple | None = None,
    colormap: dict | None = None,
    overviews: tuple[int, ...] = (),
    **profile: object,
) -> Path:
    """Write [bands, h, w] unchanged; `profile` has options of GDAL (driver, nodata, tiled, ...)."""
    count, height, width = bands.shape
    profile = {"driver": "GTiff", **profile}
    if crs is not None and gcps is None:
        profile["crs"] = crs
    if transform is not None and gcps is None and crs is not None:
        profile["transform"] = transform
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", count=count, height=height, width=width, dtype=bands.dtype.name, **profile
        ) as target:
            target.write(bands)
            if gcps is not None:
                target.gcps = (gcps, rasterio.crs.CRS.from_string(crs))
            if mask is not None:
                target.write_mask(mask)
            for index, text in enumerate(descriptions, 1):
                target.set_band_description(index, text)
            if colorinterp is not None:
                target.colorinterp = colorinterp
            if colormap is not None:
                target.write_colormap(1, colormap)
            if overviews:
                target.build_overviews(overviews)
    return path


def write_rgb(path: Path, rgb: np.ndarray, **options: object) -> Path:
    """Write an RGB image [h, w, 3] of uint8; see `write_raster`."""
    return write_raster(path, np.moveaxis(rgb, -1, 0), **options)
