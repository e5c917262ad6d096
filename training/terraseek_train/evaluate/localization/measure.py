"""Semantic localization on annotated scenes: SeLo's four measures, and pixels ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError
from terraseek.files import read_json
from terraseek.localization import HeatMap, LocalizeOptions, SeLoScore, selo_metrics
from terraseek.localization.localizer import Localizer
from terraseek.localization.methods.selo_filters import quantised
from terraseek.localization.metrics import mean_score
from terraseek.localization.query import encode_query
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek_train.evaluate.bootstrap import UnitSums
from terraseek_train.evaluate.localization.pixels import PixelScore, pixel_score, truth_mask

__all__ = [
    "Annotation",
    "Measured",
    "evaluate_localization",
    "headline",
    "measure_localization",
    "probability",
    "read_annotations",
    "unit_sums",
]


@dataclass(frozen=True)
class Annotation:
    """A sentence and the outlines in a scene where it is true."""

    image: str
    caption: str
    regions: tuple[tuple[tuple[float, float], ...], ...]
    """Rings of (x, y) in pixels of the scene."""


@dataclass(frozen=True)
class Measured:
    """What one annotation's map is worth."""

    annotation: Annotation
    selo: SeLoScore
    pixel: PixelScore | None
    """None where it was not asked for."""


def read_annotations(path: Path) -> list[Annotation]:
    """Annotations of AIR-SLT's layout: `[{"jpg_name", "caption", "points": [[[x, y], ...]]}]`.

    Raises:
        AnnotationError: no such file, not that layout, or an annotation without regions.
    """
    try:
        found = [_annotation(entry) for entry in read_json(path)]
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read ({error}); give an anno.json") from error
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path} is not in AIR-SLT's layout ({type(error).__name__}: {error}); expected "
            '[{"jpg_name", "caption", "points": [[[x, y], ...]]}]'
        ) from error
    empty = [entry.image for entry in found if not entry.regions]
    if empty or not found:
        raise AnnotationError(
            f"{path} has an annotation without regions: {empty[:1] or 'no entry'}"
        )
    return found


def _annotation(entry: dict[str, Any]) -> Annotation:
    rings = tuple(tuple((float(x), float(y)) for x, y in ring) for ring in entry["points"])
    return Annotation(str(entry["jpg_name"]), str(entry["caption"]).strip(), rings)


def evaluate_localization(
    annotations: Sequence[Annotation],
    folder: Path,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress = silent,
) -> list[SeLoScore]:
    """SeLo's measures per annotation, in their order; see `measure_localization`."""
    measured = measure_localization(annotations, folder, encoder, options, progress)
    return [one.selo for one in measured]


def measure_localization(
    annotations: Sequence[Annotation],
    folder: Path,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress = silent,
    pixel: bool = False,
    cache: bool = True,
) -> list[Measured]:
    """Localize every sentence and measure its map; each scene is opened and encoded once.

    Args:
        annotations: sentences and regions.
        folder: where the scenes lie, as images or GeoTIFFs.
        encoder: what is measured.
        options: method and window sides; `selo-v1` is the published protocol.
        progress: told after every annotation, and while windows are encoded.
        pixel: whether pixels are ranked too.
        cache: whether window vectors are read from and kept in `home()/scenes`.

    Returns:
        One per annotation, in their order.

    Raises:
        AnnotationError: a scene is missing, or regions and scene do not belong together.
        SceneError: a scene cannot be read.
        EmptyQueryError: a caption is blank.
    """
    names = sorted({entry.image for entry in annotations})
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise AnnotationError(
            f"{len(missing)} of {len(names)} annotated scenes are not in {folder}, first "
            f"{missing[0]}; check that annotations and images belong together"
        )
    found: dict[int, Measured] = {}
    for name in names:
        with Scene.open(folder / name) as scene:
            localizer = Localizer(scene, encoder, options, progress, cache)
            for row, entry in enumerate(annotations):
                if entry.image == name:
                    heat = localizer.heat_map(encode_query(entry.caption, encoder, options))
                    found[row] = _measured(entry, heat, pixel)
                    progress("localize", len(found), len(annotations))
    return [found[row] for row in range(len(annotations))]


def _measured(entry: Annotation, heat: HeatMap, pixel: bool) -> Measured:
    try:
        selo = selo_metrics(probability(heat), entry.regions)
        ranked = None
        if pixel:
            truth = truth_mask(heat.height, heat.width, entry.regions)
            ranked = pixel_score(heat.read_rows(0, heat.height), truth)
    except AnnotationError as error:
        raise AnnotationError(f"{entry.image}, {entry.caption!r}: {error}") from error
    return Measured(entry, selo, ranked)


def probability(heat: HeatMap) -> Float64[np.ndarray, "h w"]:
    """The map at full resolution in 256 levels from 0 to 1, as SeLo's measures expect it.

    The published methods' levels are taken back from the cosines they were put on, which the
    filter leaves below 255; other maps are stretched from lowest to highest score. Invalid pixels
    count as 0.
    """
    score = heat.read_rows(0, heat.height)
    if heat.level_range is None:
        return np.asarray(quantised(score) / 255, np.float64)
    low, high = heat.level_range
    if high <= low:
        return np.zeros(score.shape)
    levels = (np.nan_to_num(score, nan=low).astype(np.float64) - low) * (255 / (high - low))
    return np.asarray(np.clip(np.rint(levels), 0, 255) / 255, np.float64)


def headline(scores: Sequence[SeLoScore]) -> dict[str, float | int]:
    """Means over the samples, exactly as the command prints them: Rsu, Ras, Rda, Rmi, n."""
    mean = mean_score(scores)
    found = {"Rsu": mean.rsu, "Ras": mean.ras, "Rda": mean.rda, "Rmi": mean.rmi}
    return {name: round(value, 4) for name, value in found.items()} | {"n": len(scores)}


def unit_sums(found: Sequence[Measured]) -> tuple[UnitSums, ...]:
    """SeLo's four means, every sentence a unit; pixel means, every scene with its sentences one."""
    selo = [(one.selo.rsu, one.selo.ras, one.selo.rda, one.selo.rmi) for one in found]
    each = UnitSums.means(("Rsu", "Ras", "Rda", "Rmi"), np.array(selo, np.float64))
    ranked = [(one.annotation.image, one.pixel) for one in found if one.pixel]
    if not ranked:
        return (each,)
    values = np.array([(p.roc_auc, p.average_precision) for _, p in ranked], np.float64)
    names = ("roc_auc", "average_precision")
    return each, UnitSums.grouped(names, values, [image for image, _ in ranked])
