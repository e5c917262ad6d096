"""Annotated truth of scenes: `anno.json` read and written, and heat maps measured against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from terraseek.errors import AnnotationError
from terraseek.files import read_json
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.methods.selo_filters import quantised
from terraseek.localization.metrics import Ring, SeLoScore, selo_metrics

__all__ = [
    "Annotation",
    "annotation_json",
    "measure_map",
    "parse_annotations",
    "probability",
    "read_annotations",
]

_LAYOUT = '[{"jpg_name", "caption", "points": [[[x, y], ...]]}]'


@dataclass(frozen=True)
class Annotation:
    """A sentence and the regions of a scene where it is true."""

    image: str
    caption: str
    regions: tuple[tuple[tuple[float, float], ...], ...]
    """Rings of (x, y) in pixels of the scene."""


def read_annotations(path: Path) -> list[Annotation]:
    """Read annotations: `[{"jpg_name", "caption", "points": [[[x, y], ...]]}]` (AIR-SLT's layout).

    Raises:
        AnnotationError: no such file, not that layout, or an annotation without regions.
    """
    try:
        entries = read_json(path)
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read ({error}); give an anno.json") from error
    except ValueError as error:
        raise _layout_error(str(path), error) from error
    return parse_annotations(entries, str(path))


def parse_annotations(entries: Any, name: str) -> list[Annotation]:  # noqa: ANN401 - any JSON
    """Annotations from the values of a JSON document; see `read_annotations`.

    Args:
        entries: the document.
        name: its name in errors.

    Raises:
        AnnotationError: not that layout, no annotation, or one without regions.
    """
    try:
        annotations = [_annotation(entry) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise _layout_error(name, error) from error
    if not annotations:
        raise AnnotationError(
            f"{name} has no annotations; a set without regions cannot be measured"
        )
    empty = [entry.image for entry in annotations if not entry.regions]
    if empty:
        raise AnnotationError(f"{name} has an annotation without regions, first of {empty[0]}")
    return annotations


def _layout_error(name: str, error: Exception) -> AnnotationError:
    return AnnotationError(
        f"{name} is not in AIR-SLT's layout ({type(error).__name__}: {error}); expected {_LAYOUT}"
    )


def _annotation(entry: dict[str, Any]) -> Annotation:
    rings = tuple(tuple((float(x), float(y)) for x, y in ring) for ring in entry["points"])
    return Annotation(str(entry["jpg_name"]), str(entry["caption"]).strip(), rings)


def annotation_json(annotation: Annotation) -> dict[str, Any]:
    """An entry of `anno.json`; vertices to a tenth of a pixel."""
    points = [[[round(x, 1), round(y, 1)] for x, y in ring] for ring in annotation.regions]
    return {"jpg_name": annotation.image, "caption": annotation.caption, "points": points}


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


def measure_map(heat: HeatMap, regions: Sequence[Ring]) -> SeLoScore:
    """SeLo's measures of a heat map against outlines in pixels of the scene; see `selo_metrics`.

    Raises:
        AnnotationError: there is no region, or one covers no pixel or shrinks to a point.
    """
    return selo_metrics(probability(heat), regions)
