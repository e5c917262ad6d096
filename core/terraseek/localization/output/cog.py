"""Write heat maps as cloud-optimized GeoTIFF on the CRS and grid of the scene."""

import json
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
from terraseek.localization.output.provenance import provenance
from terraseek.scenes.gdal_restrictions import restrict_gdal

__all__ = ["write_cog"]

_ROWS_PER_WRITE = 512
_STEP = 2.0**-17
"""Scores are rounded to multiples of this (7.6e-6): lower bits are noise and do not compress."""

_ReadRows = Callable[[int, int], Float32[np.ndarray, "rows width"]]
"""Function that gives the scores of the rows from the first up to, not including, the second."""


def write_cog(heat: HeatMap | Sequence[HeatMap], path: Path, layers: bool = False) -> Path:
    """Write scores as a float32 COG on the scene's grid, completely or not at all.

    The file has one band per heat map. Nodata is NaN. Tags hold query, subtracted
    sentences, encoder, method and window sides, and `TERRASEEK_REQUEST` all of them as JSON. Rows
    are computed and written in blocks, so memory does not grow with the scene. A scene without a
    CRS gives a file without one.

    Args:
        heat: one heat map, or several of one scene. Several get one more band with the number of
            the heat map with the highest score, from 0.
        path: file to write; its folder is created.
        layers: add a band for each window side, and one for their standard deviation, to a single
            heat map.

    Returns:
        `path`.

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
            with atomic_path(path) as temporary:
                _as_cog(plain, temporary)
                _check_last_block(temporary)
    return path


def _bands(heats: Sequence[HeatMap], layers: bool) -> list[tuple[str, _ReadRows]]:
    """Description and scores of each band."""
    found: list[tuple[str, _ReadRows]] = [
        (heat.question if len(heats) > 1 else f"score: {heat.question}", heat.read_rows)
        for heat in heats
    ]
    if len(heats) > 1:
        found.append(("best query (number of the band, from 0)", lambda a, b: _best(heats, a, b)))
    elif layers and len(heats[0].layers) > 1:
        heat = heats[0]
        for side in heat.layers:
            found.append((f"score of {side} px windows", _layer(heat, side)))
        found.append(("spread between window sides", lambda a, b: _spread(heat, a, b)))
    return found


def _layer(heat: HeatMap, side: int) -> _ReadRows:
    return lambda row0, row1: heat.read_rows(row0, row1, heat.layers[side])


def _spread(heat: HeatMap, row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
    layers = [heat.read_rows(row0, row1, layer) for layer in heat.layers.values()]
    return np.asarray(np.std(layers, axis=0), np.float32)


def _best(heats: Sequence[HeatMap], row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
    scores = np.stack([heat.read_rows(row0, row1) for heat in heats])
    valid = np.all(np.isfinite(scores), axis=0)
    best = np.argmax(np.nan_to_num(scores, nan=-np.inf), axis=0).astype(np.float32)
    return np.where(valid, best, np.float32(np.nan))


def _tags(heats: Sequence[HeatMap]) -> dict[str, str]:
    first = heats[0]
    return {
        "TERRASEEK_QUERY": " ; ".join(heat.query for heat in heats),
        "TERRASEEK_MINUS": " ; ".join(first.minus),
        "TERRASEEK_SCALES": ",".join(map(str, first.scales)),
        "TERRASEEK_REQUEST": json.dumps([provenance(heat) for heat in heats], ensure_ascii=False),
        "TERRASEEK_ENCODER": first.encoder_id,
        "TERRASEEK_METHOD": first.method,
        "TERRASEEK_WINDOWS": str(first.n_windows),
        "TERRASEEK_SCENE": first.scene_name,
        "TERRASEEK_SCORE": "cosine of window and query",
        "TERRASEEK_SIGNIFICANCE": " ; ".join(heat.significance or "" for heat in heats),
    }


def _write_plain(
    path: Path, heat: HeatMap, bands: list[tuple[str, _ReadRows]], tags: dict[str, str]
) -> None:
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path, "w", **_profile(heat, len(bands))) as target:
        if heat.georef.polynomial is not None:
            target.gcps = (list(heat.georef.polynomial.points), heat.crs)
        target.update_tags(**tags)
        for index, (description, _) in enumerate(bands, 1):
            target.set_band_description(index, description)
        for row0 in range(0, heat.height, _ROWS_PER_WRITE):
            row1 = min(row0 + _ROWS_PER_WRITE, heat.height)
            window = Window(0, row0, heat.width, row1 - row0)
            for index, (_, read_rows) in enumerate(bands, 1):
                scores = np.round(read_rows(row0, row1) / _STEP) * _STEP
                target.write(scores, index, window=window)


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
        "compress": "none",  # a temporary file; compressing twice would double the time
    }
    if heat.georef.polynomial is not None:
        return profile  # located by its control points, which a transform would contradict
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
        LEVEL="1",  # level 6 makes the file 8 % smaller and takes far longer
        PREDICTOR="YES",
        BLOCKSIZE="512",
        OVERVIEW_RESAMPLING="AVERAGE",
        NUM_THREADS="2",
        BIGTIFF="IF_SAFER",
    )


def _check_last_block(path: Path) -> None:
    """Read the last block of each band: GDAL writes late and does not report every failure."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as written:
        last = Window(written.width - 1, written.height - 1, 1, 1)
        written.read(window=last)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Settings for writing; failures of the disk become `OutputError`."""
    restrict_gdal()
    import rasterio
    from rasterio._err import CPLE_BaseError  # raised by copying; there is no public name
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
    """GDAL's message, which is at the end of rasterio's chain of causes."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())[:160]
