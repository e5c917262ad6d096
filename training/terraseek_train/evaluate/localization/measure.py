"""Measure semantic localization on annotated scenes: SeLo's four measures, and pixel ranking."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError
from terraseek.localization import HeatMap, LocalizeOptions, SeLoScore, selo_metrics
from terraseek.localization.annotations import Annotation, probability, read_annotations
from terraseek.localization.localizer import Localizer
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
class LocalizationScore:
    """The measures of the heat map of one annotation."""

    annotation: Annotation
    selo: SeLoScore
    pixel: PixelScore | None
    """None if pixels were not ranked."""


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
