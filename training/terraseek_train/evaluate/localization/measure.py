"""Measure semantic localization on annotated scenes: SeLo's four measures, and pixel ranking."""

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
    "LocalizationScore",
    "evaluate_localization",
    "headline",
    "measure_localization",
    "probability",
    "read_annotations",
    "unit_sums",
]


@dataclass(frozen=True)
class Annotation:
    """A sentence and the regions of a scene for which it is true."""

    image: str
    caption: str
    regions: tuple[tuple[tuple[float, float], ...], ...]
    """Rings of (x, y) in pixels of the scene."""


@dataclass(frozen=True)
class LocalizationScore:
    """The measures of the heat map of one annotation."""

    annotation: Annotation
    selo: SeLoScore
    pixel: PixelScore | None
    """None if pixels were not ranked."""


def read_annotations(path: Path) -> list[Annotation]:
    """Read annotations: `[{"jpg_name", "caption", "points": [[[x, y], ...]]}]` (AIR-SLT's layout).

    Raises:
        AnnotationError: no such file, not that layout, or an annotation without regions.
    """
    try:
        annotations = [_annotation(entry) for entry in read_json(path)]
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read ({error}); give an anno.json") from error
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path} is not in AIR-SLT's layout ({type(error).__name__}: {error}); expected "
            '[{"jpg_name", "caption", "points": [[[x, y], ...]]}]'
        ) from error
    if not annotations:
        raise AnnotationError(
            f"{path} has no annotations; a set without regions cannot be measured"
        )
    empty = [entry.image for entry in annotations if not entry.regions]
    if empty:
        raise AnnotationError(f"{path} has an annotation without regions, first of {empty[0]}")
    return annotations


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
    """Compute SeLo's measures per annotation, in their order; see `measure_localization`."""
    scores = measure_localization(annotations, folder, encoder, options, progress)
    return [score.selo for score in scores]


def measure_localization(
    annotations: Sequence[Annotation],
    folder: Path,
    encoder: Encoder,
    options: LocalizeOptions,
    progress: Progress = silent,
    pixel: bool = False,
    cache: bool = True,
) -> list[LocalizationScore]:
    """Localize every sentence and measure its heat map; each scene is opened and encoded once.

    Args:
        annotations: sentences and regions.
        folder: folder of the scenes, which are images or GeoTIFFs.
        encoder: the encoder to measure.
        options: method and window sides; `selo-v1` is the published protocol.
        progress: called after every annotation, and while windows are encoded.
        pixel: also rank pixels.
        cache: read window vectors from `home()/scenes`, and keep them there.

    Returns:
        One score per annotation, in their order.

    Raises:
        AnnotationError: a scene is missing, or regions do not fit their scene.
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
    scores: dict[int, LocalizationScore] = {}
    for name in names:
        with Scene.open(folder / name) as scene:
            localizer = Localizer(scene, encoder, options, progress, cache)
            for row, entry in enumerate(annotations):
                if entry.image == name:
                    heat = localizer.heat_map(encode_query(entry.caption, encoder, options))
                    scores[row] = _score(entry, heat, pixel)
                    progress("localize", len(scores), len(annotations))
    return [scores[row] for row in range(len(annotations))]


def _score(entry: Annotation, heat: HeatMap, pixel: bool) -> LocalizationScore:
    try:
        selo = selo_metrics(probability(heat), entry.regions)
        pixels = None
        if pixel:
            truth = truth_mask(heat.height, heat.width, entry.regions)
            pixels = pixel_score(heat.read_rows(0, heat.height), truth)
    except AnnotationError as error:
        raise AnnotationError(f"{entry.image}, {entry.caption!r}: {error}") from error
    return LocalizationScore(entry, selo, pixels)


def probability(heat: HeatMap) -> Float64[np.ndarray, "h w"]:
    """Convert a heat map to 256 levels from 0 to 1 at full resolution, as SeLo's measures need it.

    Heat maps of the published methods are cosines; their original levels, which the filter leaves
    below 255, are restored. Other heat maps are stretched from lowest to highest score. Invalid
    pixels are 0.
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
    """Compute the means that the command prints: Rsu, Ras, Rda, Rmi, and the number n."""
    mean = mean_score(scores)
    means = {"Rsu": mean.rsu, "Ras": mean.ras, "Rda": mean.rda, "Rmi": mean.rmi}
    return {name: round(value, 4) for name, value in means.items()} | {"n": len(scores)}


def unit_sums(scores: Sequence[LocalizationScore]) -> tuple[UnitSums, ...]:
    """Give SeLo's four means with a sentence as unit, and pixel means with a scene as unit."""
    selo = [(one.selo.rsu, one.selo.ras, one.selo.rda, one.selo.rmi) for one in scores]
    selo_sums = UnitSums.means(("Rsu", "Ras", "Rda", "Rmi"), np.array(selo, np.float64))
    pixels = [(one.annotation.image, one.pixel) for one in scores if one.pixel]
    if not pixels:
        return (selo_sums,)
    values = np.array([(p.roc_auc, p.average_precision) for _, p in pixels], np.float64)
    names = ("roc_auc", "average_precision")
    return selo_sums, UnitSums.grouped(names, values, [image for image, _ in pixels])
