"""The one place that says which formats GDAL may read in this process, and that it calls nobody.

A raster may name other files: as overviews (metadata `OVERVIEW_FILE`), as mask, as source of a
VRT. GDAL opens them with any driver it has, whatever list of drivers the raster itself was opened
with, and with `/vsicurl/` and its kin it opens addresses. So drivers are taken away for the whole
process, and network access is switched off.
"""

import ctypes
from functools import cache
from typing import TYPE_CHECKING

from terraseek.errors import MissingExtraError, UnsupportedSceneError

if TYPE_CHECKING:
    from pathlib import Path

    from rasterio.io import DatasetReader

__all__ = ["READ_DRIVERS", "refuse_references", "restrict_gdal", "sidecars"]

READ_DRIVERS = ("GTiff", "PNG", "JPEG", "WEBP", "JP2OpenJPEG", "GIF", "BMP")
"""Formats that hold all of their pixels. ENVI, Erdas Imagine and NITF are left out on purpose: they
take pixels or overviews from files they name."""
_KEPT = frozenset({*READ_DRIVERS, "COG", "MEM", "Memory"})
"""MEM and Memory are what GDAL itself works with: outlines of regions, parts of a COG."""
_OPTIONS = {
    # no name is allowed but this one, which nothing has: /vsicurl/, /vsis3/ and the others
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    # for what does not ask the line above: a port where nobody listens
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
_SIDECARS = (".ovr", ".OVR", ".msk", ".MSK")
_DEEPEST = 3


@cache
def restrict_gdal() -> None:
    """Take away every driver that is not listed, and the network, for the whole process.

    Call it before anything of rasterio that opens a file; calls after the first cost nothing. What
    else runs in this process and uses rasterio is restricted, too. The GDAL that geopandas brings
    along (pyogrio) is another one and stays as it is; nothing here reads with it.

    Raises:
        MissingExtraError: this build of rasterio keeps its GDAL out of reach.
    """
    import rasterio
    from pyproj.network import set_network_enabled  # type: ignore[attr-defined]  # no __all__
    from rasterio import _env

    set_network_enabled(active=False)  # PROJ would fetch grids, from an address a CRS may name
    try:
        # rasterio registers drivers once and has no way to take one back
        gdal = ctypes.CDLL(_env.__file__)
        find, drop, option = (
            gdal.GDALGetDriverByName,
            gdal.GDALDeregisterDriver,
            gdal.CPLSetConfigOption,
        )
        proj_network = gdal.OSRSetPROJEnableNetwork
    except (OSError, AttributeError) as error:
        raise MissingExtraError(
            "this build of rasterio does not let formats be switched off, so that no picture can "
            "be opened safely; install the one from PyPI: pip install --force-reinstall rasterio"
        ) from error
    find.argtypes, find.restype = [ctypes.c_char_p], ctypes.c_void_p
    drop.argtypes, drop.restype = [ctypes.c_void_p], None
    option.argtypes, option.restype = [ctypes.c_char_p, ctypes.c_char_p], None
    proj_network.argtypes, proj_network.restype = [ctypes.c_int], None
    with rasterio.Env() as env:
        surplus = sorted(set(env.drivers()) - _KEPT)
        for name in surplus:
            driver = find(name.encode())
            if driver:
                drop(driver)
        left = set(env.drivers()) - _KEPT
    assert not left, left
    # for another library that has GDAL register its drivers once more
    option(b"GDAL_SKIP", ",".join(surplus).encode())
    for name, value in _OPTIONS.items():
        option(name.encode(), value.encode())
    proj_network(0)


def sidecars(path: "Path", depth: int = 0) -> "list[Path]":
    """Overview and mask files that GDAL opens with a raster, those of sidecars among them.

    Raises:
        UnsupportedSceneError: one is a link to elsewhere, or they never end.
    """
    found = [side for end in _SIDECARS if (side := path.with_name(path.name + end)).exists()]
    for side in found:
        if side.resolve().parent != path.resolve().parent:
            raise UnsupportedSceneError(
                f"{side.name} is a link to a file of another folder; put the file itself beside "
                f"{path.name}, or remove the link"
            )
    if found and depth == _DEEPEST:
        raise UnsupportedSceneError(f"{path.name} has overviews of overviews of overviews")
    return found + [deep for side in found for deep in sidecars(side, depth + 1)]


def refuse_references(dataset: "DatasetReader", name: str) -> None:
    """Refuse a raster whose metadata, its own or its `.aux.xml`'s, take overviews from elsewhere.

    Raises:
        UnsupportedSceneError: it does.
    """
    if dataset.tags(ns="OVERVIEWS") or dataset.get_tag_item("OVERVIEW_FILE", "OVERVIEWS"):
        raise UnsupportedSceneError(
            f"{name} takes its overviews from another file or address, which is not followed; "
            "store them inside, for example with: gdal_translate -of COG IN OUT"
        )
