"""Write heat maps as cloud-optimized GeoTIFF on the CRS and grid of the scene."""

import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from terraseek.errors import OutputError
from terraseek.files import atomic_path
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.cog_bands import Band, heat_bands
from terraseek.localization.output.provenance import provenance
from terraseek.scenes.gdal_restrictions import restrict_gdal

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter
    from rasterio.windows import Window

__all__ = ["new_cog", "row_windows", "write_cog"]

_ROWS_PER_WRITE = 512
_STEP = 2.0**-17
"""Scores are rounded to multiples of this (7.6e-6): lower bits are noise and do not compress."""


def write_cog(
    heat: HeatMap | Sequence[HeatMap],
    path: Path,
    layers: bool = False,
    threshold: float | None = None,
    percentile: float | None = None,
) -> Path:
    """Write scores as a float32 COG on the scene's grid, completely or not at all.

    The file has the bands of `cog_bands.heat_bands`, each with description, unit, meaning, possible
    range and statistics. Nodata is NaN. Tags hold the whole question, encoder, method and window
    sides, and `TERRASEEK_REQUEST` all of them as JSON. Rows are computed and written in blocks, so
    memory does not grow with the scene. A scene without a CRS gives a file without one, and the tag
    `TERRASEEK_SPACE` is `pixel`.

    Args:
        heat: one heat map, or several of one scene. Several get one more band with the number of
            the heat map with the highest score, from 0.
        path: file to write; its folder is created.
        layers: add a band for each window side to a single heat map.
        threshold: lowest cosine of a region, for the tags; the bands hold all scores.
        percentile: the same as a percentile of the scene's scores.

    Returns:
        `path`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    heats = [heat] if isinstance(heat, HeatMap) else list(heat)
    bands = heat_bands(heats, layers)
    tags = _tags(heats, threshold, percentile)
    with new_cog(path, heats[0], len(bands)) as target:
        target.update_tags(**tags)
        _write_bands(target, heats[0], bands)
    return path


@contextmanager
def new_cog(
    path: Path,
    heat: HeatMap,
    count: int,
    resampling: str = "AVERAGE",
    **profile: Any,  # noqa: ANN401 - options of rasterio
) -> Iterator["DatasetWriter"]:
    """Open a new raster on the grid of a heat map's scene; it becomes a COG when it is complete.

    Args:
        path: file to write, completely or not at all; its folder is created.
        heat: the heat map.
        count: number of bands.
        resampling: GDAL's name of the method by which overviews are made.
        profile: options of `rasterio.open`, instead of those of scores (float32, NaN is invalid).

    Yields:
        The raster, to be written by `row_windows`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    with _writing(path):
        import rasterio

        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".terraseek-", dir=path.parent) as folder:
            plain = Path(folder) / "plain.tif"
            with rasterio.open(plain, "w", **(_profile(heat, count) | profile)) as target:
                if heat.georef.polynomial is not None:
                    target.gcps = (list(heat.georef.polynomial.points), heat.crs)
                yield target
            with atomic_path(path) as temporary:
                _as_cog(plain, temporary, resampling)
                _check_last_block(temporary)


def row_windows(heat: HeatMap) -> Iterator[tuple[int, int, "Window"]]:
    """First row, row after the last, and window of blocks that together cover the scene."""
    from rasterio.windows import Window

    for row0 in range(0, heat.height, _ROWS_PER_WRITE):
        row1 = min(row0 + _ROWS_PER_WRITE, heat.height)
        yield row0, row1, Window(0, row0, heat.width, row1 - row0)


def _tags(
    heats: Sequence[HeatMap], threshold: float | None, percentile: float | None
) -> dict[str, str]:
    first = heats[0]
    requests = [provenance(heat, threshold, percentile) for heat in heats]
    return {
        "TERRASEEK_QUESTION": " ; ".join(heat.question for heat in heats),
        "TERRASEEK_QUERY": " ; ".join(heat.query for heat in heats),
        "TERRASEEK_MINUS": " ; ".join(first.minus),
        "TERRASEEK_SCALES": ",".join(map(str, first.scales)),
        "TERRASEEK_REQUEST": json.dumps(requests, ensure_ascii=False),
        "TERRASEEK_ENCODER": first.encoder_id,
        "TERRASEEK_METHOD": first.method,
        "TERRASEEK_WINDOWS": str(first.n_windows),
        "TERRASEEK_SCENE": first.scene_name,
        "TERRASEEK_SCORE": "cosine of window and query",
        "TERRASEEK_SPACE": "CRS" if first.crs is not None else "pixel",
        "TERRASEEK_SIGNIFICANCE": " ; ".join(heat.significance or "" for heat in heats),
    }


def _write_bands(target: "DatasetWriter", heat: HeatMap, bands: Sequence[Band]) -> None:
    statistics = [_Statistics() for _ in bands]
    for row0, row1, window in row_windows(heat):
        for index, (band, stats) in enumerate(zip(bands, statistics, strict=True), 1):
            values = np.round(band.read_rows(row0, row1) / _STEP) * _STEP
            stats.add(values)
            target.write(values, index, window=window)
    for index, (band, stats) in enumerate(zip(bands, statistics, strict=True), 1):
        target.set_band_description(index, band.description)
        target.set_band_unit(index, band.unit)
        about = {"TERRASEEK_MEANING": band.meaning, "TERRASEEK_RANGE": band.value_range}
        if band.levels is not None:
            names = "TERRASEEK_POSSIBLE_FROM", "TERRASEEK_LIKELY_FROM"
            about |= dict(zip(names, map(repr, band.levels), strict=True))
        target.update_tags(index, **about, **stats.tags())


class _Statistics:
    """GDAL's statistics of a band, so that viewers need not read it to choose a colour range."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._low, self._high = np.inf, -np.inf

    def add(self, values: Float32[np.ndarray, "rows width"]) -> None:
        """Add values; NaN is left out."""
        valid = values[np.isfinite(values)].astype(np.float64)
        if valid.size:
            self._count += valid.size
            self._sum += float(valid.sum())
            self._squares += float(np.square(valid).sum())
            self._low = min(self._low, float(valid.min()))
            self._high = max(self._high, float(valid.max()))

    def tags(self) -> dict[str, str]:
        """Tags of the band; none without a valid value."""
        if not self._count:
            return {}
        mean = self._sum / self._count
        variance = max(self._squares / self._count - mean**2, 0.0)
        found = {"MINIMUM": self._low, "MAXIMUM": self._high, "MEAN": mean, "STDDEV": variance**0.5}
        return {f"STATISTICS_{name}": repr(value) for name, value in found.items()}


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


def _as_cog(plain: Path, target: Path, resampling: str) -> None:
    from rasterio.shutil import copy

    copy(
        plain,
        target,
        driver="COG",
        COMPRESS="DEFLATE",
        LEVEL="1",  # level 6 makes the file 8 % smaller and takes far longer
        PREDICTOR="YES",
        BLOCKSIZE="512",
        OVERVIEW_RESAMPLING=resampling,
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
