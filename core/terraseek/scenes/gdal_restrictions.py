"""Restrictions of GDAL in this process: which formats it may read, and no network access.

A raster can name other files: as overviews (metadata `OVERVIEW_FILE`), as mask, as source of a VRT.
GDAL opens them with any driver it has, even if the raster itself was opened with a list of allowed
drivers, and it opens network addresses with `/vsicurl/` and similar prefixes. So drivers are
deregistered for the whole process, and network access is switched off.
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
"""Formats that contain all of their pixels. ENVI, Erdas Imagine and NITF are excluded because they
can take pixels or overviews from files that they name."""
_ALLOWED_DRIVERS = frozenset({*READ_DRIVERS, "COG", "MEM", "Memory"})
"""COG is written here; GDAL uses MEM and Memory for the outlines of regions and parts of a COG."""
_OPTIONS = {
    # for /vsicurl/, /vsis3/ and similar: only this name is allowed, and no file has it
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    # for drivers that ignore the option above: a port on which no server listens
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
_SIDECAR_SUFFIXES = (".ovr", ".OVR", ".msk", ".MSK")
_MAX_SIDECAR_DEPTH = 3


@cache
def restrict_gdal() -> None:
    """Deregister every driver that is not allowed, and switch off the network, in this process.

    Call it before rasterio opens a file; calls after the first return at once. Other code in this
    process that uses rasterio is restricted too. The separate GDAL of geopandas (pyogrio) is not
    restricted; TerraSeek does not read files with it.

    Raises:
        MissingExtraError: the GDAL of this build of rasterio cannot be accessed.
    """
    import rasterio
    from pyproj.network import set_network_enabled  # type: ignore[attr-defined]  # no __all__
    from rasterio import _env

    set_network_enabled(active=False)  # PROJ would download grids from addresses in a CRS
    try:
        # rasterio registers drivers once and has no function to deregister one
        gdal = ctypes.CDLL(_env.__file__)
        find, deregister, set_option = (
            gdal.GDALGetDriverByName,
            gdal.GDALDeregisterDriver,
            gdal.CPLSetConfigOption,
        )
        proj_network = gdal.OSRSetPROJEnableNetwork
    except (OSError, AttributeError) as error:
        raise MissingExtraError(
            "this build of rasterio does not let formats be switched off, so that no image can "
            "be opened safely; install the one from PyPI: pip install --force-reinstall rasterio"
        ) from error
    find.argtypes, find.restype = [ctypes.c_char_p], ctypes.c_void_p
    deregister.argtypes, deregister.restype = [ctypes.c_void_p], None
    set_option.argtypes, set_option.restype = [ctypes.c_char_p, ctypes.c_char_p], None
    proj_network.argtypes, proj_network.restype = [ctypes.c_int], None
    with rasterio.Env() as env:
        forbidden = sorted(set(env.drivers()) - _ALLOWED_DRIVERS)
        for name in forbidden:
            driver = find(name.encode())
            if driver:
                deregister(driver)
        remaining = set(env.drivers()) - _ALLOWED_DRIVERS
    assert not remaining, remaining
    # in case another library makes GDAL register its drivers again
    set_option(b"GDAL_SKIP", ",".join(forbidden).encode())
    for name, value in _OPTIONS.items():
        set_option(name.encode(), value.encode())
    proj_network(0)


def sidecars(path: "Path", depth: int = 0) -> "list[Path]":
    """Overview and mask files that GDAL opens together with a raster, including those of sidecars.

    Raises:
        UnsupportedSceneError: a sidecar is a link to another folder, or they are nested too deeply.
    """
    names = (path.with_name(path.name + suffix) for suffix in _SIDECAR_SUFFIXES)
    found = [sidecar for sidecar in names if sidecar.exists()]
    for sidecar in found:
        if sidecar.resolve().parent != path.resolve().parent:
            raise UnsupportedSceneError(
                f"{sidecar.name} is a link to a file of another folder; put the file itself beside "
                f"{path.name}, or remove the link"
            )
    if found and depth == _MAX_SIDECAR_DEPTH:
        raise UnsupportedSceneError(
            f"{path.name} has overviews of overviews of overviews; "
            "remove them and make new ones with gdaladdo"
        )
    return found + [nested for sidecar in found for nested in sidecars(sidecar, depth + 1)]


def refuse_references(dataset: "DatasetReader", name: str) -> None:
    """Refuse a raster that takes overviews from another file, by its own metadata or `.aux.xml`.

    Raises:
        UnsupportedSceneError: it names another file or address.
    """
    if dataset.tags(ns="OVERVIEWS") or dataset.get_tag_item("OVERVIEW_FILE", "OVERVIEWS"):
        raise UnsupportedSceneError(
            f"{name} takes its overviews from another file or address, which is not opened; "
            "store them in the file, for example with: gdal_translate -of COG IN OUT"
        )
