"""How much a heat map changes when nothing but the position of the windows changes.

The same ground is localized again from a crop of the scene, whose windows lie elsewhere: once
cropped by half a stride of the smallest windows at the top and left, once cropped to the middle.
The measure is 1 - r, with Pearson's r over the ground that both maps cover: 0 is the same map up to
brightness and contrast, 1 is an unrelated map.
"""

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from terraseek.encoders.base import Encoder
from terraseek.errors import LatticeError
from terraseek.localization.api import localize
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.options import LocalizeOptions, scales_of
from terraseek.localization.query import LocalizeQuery
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek.scenes.gdal_restrictions import restrict_gdal

__all__ = ["Stability", "correlation_distance", "mean_difference", "stability"]

_DEFAULTS = LocalizeOptions()
_MAX_SAMPLES = 1024
"""Rows and columns, at most, in which two maps are compared."""
_ROWS_PER_READ = 512
_MARGIN = 0.125
"""Fraction of each side that the second crop leaves out at either end."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Change of a heat map between a scene and two crops of it; 0 is none."""

    shifted: float
    """1 - r after a crop by half a stride at the top and left, 0 to 2."""
    cropped: float
    """1 - r after a crop to the middle three quarters of each side, 0 to 2."""
    shift_px: int
    """Half a stride of the smallest windows in pixels."""
    difference: float
    """Mean absolute difference after that shift, in standard deviations of the map."""
    peak_px: float
    """Distance in pixels between the peaks of the whole and of the shifted scene."""


def stability(
    scene: Scene,
    query: LocalizeQuery,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
) -> Stability:
    """Localize a scene and two crops of it, and compare the maps where they overlap.

    All three have the window sides of the whole scene. Windows of the crops are encoded again and
    not cached.

    Args:
        scene: open scene.
        query: a sentence, several wordings of one thing, or an image.
        encoder: the model.
        options: method, window sides, sentences to subtract.
        progress: called while windows are encoded; it may raise `Cancelled`.

    Raises:
        LatticeError: the scene is too small to be cropped by half a stride.
        SceneError: the pixels cannot be decoded or none is valid.
        EmptyQueryError: a sentence is blank.
    """
    options = replace(options, scales=scales_of(scene, options), scales_m=None)
    shift = max(1, min(options.scales or (2,)) // 4)
    if min(scene.width, scene.height) <= 2 * shift:
        raise LatticeError(
            f"{scene.name} of {scene.width} x {scene.height} pixels cannot be cut by {shift}; "
            "take smaller windows"
        )
    whole = localize(scene, query, encoder, options, progress)
    top, left = int(_MARGIN * scene.height), int(_MARGIN * scene.width)
    boxes = (
        (shift, shift, scene.height, scene.width),
        (top, left, scene.height - top, scene.width - left),
    )
    shifted, middle = (
        _localize_crop(scene, box, query, encoder, options, progress) for box in boxes
    )
    row_offset = whole.peak.row - shifted.peak.row - shift
    col_offset = whole.peak.col - shifted.peak.col - shift
    return Stability(
        shifted=correlation_distance(whole, shifted, *boxes[0][:2]),
        cropped=correlation_distance(whole, middle, *boxes[1][:2]),
        shift_px=shift,
        difference=mean_difference(whole, shifted, *boxes[0][:2]),
        peak_px=float(np.hypot(row_offset, col_offset)),
    )


def correlation_distance(whole: HeatMap, crop: HeatMap, row0: int, col0: int) -> float:
    """1 - Pearson's r between a map and that of a crop, 0 to 2.

    Two constant maps are equal (0); a constant and a varying one are unrelated (1).

    Args:
        whole: heat map of the scene.
        crop: heat map of the crop.
        row0: row of the scene at which the crop starts.
        col0: column of the scene at which the crop starts.
    """
    a, b = _common_scores(whole, crop, row0, col0)
    if a.size == 0:
        return 1.0
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    if norm == 0:
        return float(bool(a.any()) or bool(b.any()))
    return float(np.clip(1 - (a @ b) / norm, 0, 2))


def mean_difference(whole: HeatMap, crop: HeatMap, row0: int, col0: int) -> float:
    """Mean absolute difference on common ground, in standard deviations of the whole map there.

    The difference from a constant map is in cosines. Arguments as in `correlation_distance`.
    """
    a, b = _common_scores(whole, crop, row0, col0)
    if a.size == 0:
        return 0.0
    std = float(a.std())
    return float(np.abs(a - b).mean()) / (std if std > 0 else 1.0)


def _common_scores(
    whole: HeatMap, crop: HeatMap, row0: int, col0: int
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Scores of both maps at positions where both have one."""
    rows, cols = _positions(crop.height), _positions(crop.width)
    of_whole, of_crop = whole.sample(rows + row0, cols + col0), crop.sample(rows, cols)
    valid = np.isfinite(of_whole) & np.isfinite(of_crop)
    return of_whole[valid].astype(np.float64), of_crop[valid].astype(np.float64)


def _positions(length: int) -> Float64[np.ndarray, " n"]:
    count = min(length, _MAX_SAMPLES)
    return (np.arange(count) + 0.5) * (length / count)


def _localize_crop(
    scene: Scene,
    box: tuple[int, int, int, int],
    query: LocalizeQuery,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress,
) -> HeatMap:
    """Heat map of the crop (row0, col0, row1, col1) of a scene."""
    with tempfile.TemporaryDirectory(prefix="terraseek-") as folder:
        path = Path(folder) / "crop.tif"
        _write_crop(scene, box, path)
        with Scene.open(path) as crop:
            return localize(crop, query, encoder, options, progress, cache=False)


def _write_crop(scene: Scene, box: tuple[int, int, int, int], path: Path) -> None:
    """Write 8-bit RGB pixels in blocks of rows, so that memory does not grow with the scene."""
    restrict_gdal()
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    row0, col0, row1, col1 = box
    profile = {"count": 3, "height": row1 - row0, "width": col1 - col0, "dtype": "uint8"}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        # a crop is in pixel space on purpose: positions are compared in pixels
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", BIGTIFF="IF_SAFER", **profile) as target:
            for start in range(row0, row1, _ROWS_PER_READ):
                end = min(start + _ROWS_PER_READ, row1)
                rgb, valid = scene.window(start, col0, end, col1)
                window = Window(0, start - row0, col1 - col0, end - start)
                target.write(np.moveaxis(rgb, -1, 0), window=window)
                if scene.has_mask:
                    target.write_mask(valid, window=window)
