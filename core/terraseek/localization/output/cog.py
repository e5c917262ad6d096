"""Heat maps as cloud-optimized GeoTIFF in the scene's own CRS and grid."""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from terraseek.errors import OutputError
from terraseek.files import atomic_path
from terraseek.localization.heatmap import HeatMap
from terraseek.scenes.gdal_safety import restrict_gdal

__all__ = ["write_cog"]

_ROWS = 512
_STEP = 2.0**-17
"""Scores are rounded to this (7.6e-6): the bits below are noise and do not compress."""

_Rows = Callable[[int, int], Float32[np.ndarray, "rows width"]]


def write_cog(heat: HeatMap | Sequence[HeatMap], path: Path, layers: bool = False) -> Path:
    """Write scores as a float32 COG on the scene's grid, whole or not at all.

    One band a heat map; several heat maps get one more band, the number of the best (from 0). With
    `layers`, a single heat map gets a band for each window side and one for their spread. Nodata is
    NaN. Tags hold query, encoder and method. Rows are drawn and written in pieces, so memory does
    not grow with the scene. Without a CRS the file has none either.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    heats = [heat] if isinstance(heat, HeatMap) else list(heat)
    bands = _bands(heats, layers)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".terraseek-", dir=path.parent) as folder:
            plain = Path(folder) / "plain.tif"
            _write_plain(plain, heats[0], bands, _tags(heats))
            with atomic_path(path) as part:
                _as_cog(plain, part)
                _check_end(part)
    return path


def _bands(heats: Sequence[HeatMap], layers: bool) -> list[tuple[str, _Rows]]:
    """Description and drawing of each band."""
    found: list[tuple[str, _Rows]] = [
        (heat.query if len(heats) > 1 else f"score: {heat.query}", heat.read_rows) for heat in heats
    ]
    if len(heats) > 1:
        found.append(("best query (number of the band, from 0)", lambda a, b: _best(heats, a, b)))
    elif layers and len(heats[0].layers) > 1:
        heat = heats[0]
        for side in heat.layers:
            found.append((f"score of {side} px windows", _layer(heat, side)))
        found.append(("spread between window sides", lambda a, b: _spread(heat, a, b)))
    return found


def _layer(heat: HeatMap, side: int) -> _Rows:
    return lambda row0, row1: heat.read_rows(row0, row1, heat.layers[side])


def _spread(heat: HeatMap, row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
    drawn = [heat.read_rows(row0, row1, layer) for layer in heat.layers.values()]
    return np.asarray(np.std(drawn, axis=0), np.float32)


def _best(heats: Sequence[HeatMap], row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
    drawn = np.stack([heat.read_rows(row0, row1) for heat in heats])
    known = np.all(np.isfinite(drawn), axis=0)
    best = np.argmax(np.nan_to_num(drawn, nan=-np.inf), axis=0).astype(np.float32)
    return np.where(known, best, np.float32(np.nan))


def _tags(heats: Sequence[HeatMap]) -> dict[str, str]:
    first = heats[0]
    return {
        "TERRASEEK_QUERY": " ; ".join(heat.query for heat in heats),
        "TERRASEEK_ENCODER": first.encoder_id,
        "TERRASEEK_METHOD": first.method,
        "TERRASEEK_WINDOWS": str(first.n_windows),
        "TERRASEEK_SCENE": first.scene_name,
        "TERRASEEK_SCORE": "cosine of window and query",
    }


def _write_plain(
    path: Path, heat: HeatMap, bands: list[tuple[str, _Rows]], tags: dict[str, str]
) -> None:
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path, "w", **_profile(heat, len(bands))) as target:
        if heat.georef.bend is not None:
            target.gcps = (list(heat.georef.bend.points), heat.crs)
        target.update_tags(**tags)
        for index, (text, _) in enumerate(bands, 1):
            target.set_band_description(index, text)
        for row0 in range(0, heat.height, _ROWS):
            row1 = min(row0 + _ROWS, heat.height)
            where = Window(0, row0, heat.width, row1 - row0)
            for index, (_, draw) in enumerate(bands, 1):
                target.write(np.round(draw(row0, row1) / _STEP) * _STEP, index, window=where)


def _profile(heat: HeatMap, count: int) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": count,
        "width": heat.width,
        "height": heat.height,
        "nodata": float("nan"),
        "interleave": "band",
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "BIGTIFF": "IF_SAFER",
        "compress": "none",  # it lives for seconds; compressing twice would double the time
    }
    if heat.georef.bend is not None:
        return profile  # its place is in the control points, which a transform would contradict
    if heat.crs is not None:
        profile["crs"] = heat.crs
    if not heat.georef.transform.is_identity:
        profile["transform"] = heat.georef.transform
    return profile


def _as_cog(plain: Path, target: Path) -> None:
    from rasterio.shutil import copy

    copy(
        plain,
        target,
        driver="COG",
        COMPRESS="DEFLATE",
        LEVEL="1",  # level 6 makes it 8 % smaller and takes far longer
        PREDICTOR="YES",
        BLOCKSIZE="512",
        OVERVIEW_RESAMPLING="AVERAGE",
        NUM_THREADS="2",
        BIGTIFF="IF_SAFER",
    )


def _check_end(path: Path) -> None:
    """Read the last block of each band: GDAL writes late, and does not always tell of failures."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as written:
        last = Window(written.width - 1, written.height - 1, 1, 1)
        written.read(window=last)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    restrict_gdal()
    import rasterio
    from rasterio._err import CPLE_BaseError  # copying raises it bare, and there is no public name
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    try:
        with rasterio.Env(GDAL_CACHEMAX=256), warnings.catch_warnings():
            # a heat map of an image without a CRS has none on purpose
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except (OSError, RasterioIOError, CPLE_BaseError) as error:
        raise OutputError(
            f"{path} cannot be written ({_reason(error)}); free some disk space or choose another "
            "folder"
        ) from error


def _reason(error: BaseException) -> str:
    """GDAL's own words, found at the end of rasterio's chain of causes."""
    last = error
    while last.__cause__ is not None:
        last = last.__cause__
    return " ".join(str(last).split())[:160]
