"""How much a map moves when nothing but the place of the windows changes.

The same ground is localized a second time from a cut of the scene whose windows fall elsewhere: cut
by half a stride of the smallest windows at the top and left, and cut to the middle. On the ground
both maps cover, 1 - r with Pearson's r is the figure: 0 is the same map up to brightness, 1 is
another map. A map that is read as "here it is" should not depend on where counting began.
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
from terraseek.scenes.gdal_safety import restrict_gdal

__all__ = ["Stability", "difference", "moved", "stability"]

_DEFAULTS = LocalizeOptions()
_SAMPLES = 1024
_ROWS = 512
_MARGIN = 0.125


@dataclass(frozen=True, slots=True)
class Stability:
    """How much a map moves; 0 is not at all."""

    shifted: float
    """1 - r after a cut of half a stride at the top and left, 0 to 2."""
    cropped: float
    """1 - r after a cut to the middle three quarters of each side, 0 to 2."""
    shift_px: int
    """Half a stride of the smallest windows in pixels."""
    difference: float
    """Mean absolute difference after that shift, in standard deviations of the map; 0 is none."""
    peak_px: float
    """Distance in pixels between the peaks of the whole and of the shifted scene."""


def stability(
    scene: Scene,
    query: LocalizeQuery,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
) -> Stability:
    """Localize a scene and two cuts of it, and compare the maps where they overlap.

    Window sides are those of the whole scene. Windows of the cuts are encoded anew and not kept.

    Raises:
        LatticeError: the scene is too small to be cut by half a stride.
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
    first, second = (_of_cut(scene, box, query, encoder, options, progress) for box in boxes)
    down = whole.peak.row - first.peak.row - shift
    across = whole.peak.col - first.peak.col - shift
    return Stability(
        shifted=moved(whole, first, *boxes[0][:2]),
        cropped=moved(whole, second, *boxes[1][:2]),
        shift_px=shift,
        difference=difference(whole, first, *boxes[0][:2]),
        peak_px=float(np.hypot(down, across)),
    )


def moved(whole: HeatMap, cut: HeatMap, row0: int, col0: int) -> float:
    """1 - Pearson's r between a map and that of a cut whose first pixel is at (row0, col0).

    Two constant maps are the same (0); a constant and a varying one have nothing in common (1).
    """
    a, b = _common(whole, cut, row0, col0)
    if a.size == 0:
        return 1.0
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    if spread == 0:
        return float(bool(a.any()) or bool(b.any()))
    return float(np.clip(1 - (a @ b) / spread, 0, 2))


def difference(whole: HeatMap, cut: HeatMap, row0: int, col0: int) -> float:
    """Mean absolute difference on common ground, in standard deviations of the whole map there.

    A constant map is compared in its own unit, the cosine.
    """
    a, b = _common(whole, cut, row0, col0)
    if a.size == 0:
        return 0.0
    spread = float(a.std())
    return float(np.abs(a - b).mean()) / (spread if spread > 0 else 1.0)


def _common(
    whole: HeatMap, cut: HeatMap, row0: int, col0: int
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Scores of both maps where both have one."""
    rows, cols = _positions(cut.height), _positions(cut.width)
    ours, theirs = whole.sample(rows + row0, cols + col0), cut.sample(rows, cols)
    known = np.isfinite(ours) & np.isfinite(theirs)
    return ours[known].astype(np.float64), theirs[known].astype(np.float64)


def _positions(length: int) -> Float64[np.ndarray, " n"]:
    count = min(length, _SAMPLES)
    return (np.arange(count) + 0.5) * (length / count)


def _of_cut(
    scene: Scene,
    box: tuple[int, int, int, int],
    query: LocalizeQuery,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress,
) -> HeatMap:
    with tempfile.TemporaryDirectory(prefix="terraseek-") as folder:
        path = Path(folder) / "cut.tif"
        _write_cut(scene, box, path)
        with Scene.open(path) as cut:
            return localize(cut, query, encoder, options, progress, cache=False)


def _write_cut(scene: Scene, box: tuple[int, int, int, int], path: Path) -> None:
    """The pixels as they are shown, in pieces, so that memory does not grow with the scene."""
    restrict_gdal()
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    row0, col0, row1, col1 = box
    profile = {"count": 3, "height": row1 - row0, "width": col1 - col0, "dtype": "uint8"}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        # a cut lives in pixel space on purpose: positions are compared in pixels
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", BIGTIFF="IF_SAFER", **profile) as target:
            for start in range(row0, row1, _ROWS):
                end = min(start + _ROWS, row1)
                rgb, valid = scene.read(start, col0, end, col1)
                where = Window(0, start - row0, col1 - col0, end - start)
                target.write(np.moveaxis(rgb, -1, 0), window=where)
                if scene.has_mask:
                    target.write_mask(valid, window=where)
