"""Levels of places: how many regions that a heat map calls likely, or possible, hold the thing.

Sentences are those of a scene's own annotations, and those of other scenes that share no noun with
them, for which every region is wrong. A region is right if its peak lies in an annotated area, or
at most half a smallest window beside one, which is as near as windows of that size can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError
from terraseek.localization import HeatMap, LocalizeOptions, regions
from terraseek.localization.localizer import Localizer
from terraseek.localization.query import encode_query
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek.significance.fit import logistic
from terraseek.significance.places import PlaceModel
from terraseek.significance.scale import Level, LevelScale
from terraseek_train.evaluate.bootstrap import Interval, UnitSums, intervals
from terraseek_train.evaluate.localization.detection import absent_sentences
from terraseek_train.evaluate.localization.pixels import truth_mask
from terraseek_train.evaluate.localization.study import StudySet

__all__ = [
    "LEVELS",
    "Place",
    "Precision",
    "fit_places",
    "halves",
    "measure_places",
    "place_table",
    "precisions",
    "with_levels_of",
]

LEVELS: tuple[Level, ...] = ("likely", "possible", "none")


@dataclass(frozen=True, slots=True)
class Place:
    """A region of a heat map, with what the annotations say about it."""

    image: str
    """Name of the set and of the scene."""
    kind: str
    """Whether the sentence is `present` in the scene or `absent`."""
    level: Level | None
    """likely, possible or none; None without a calibration."""
    right: bool
    """Whether its peak is at an annotated area of the sentence."""
    scene_level: Level | None = None
    """Level of the whole map."""
    scale: LevelScale | None = None
    """Level by score in the map; None without a calibration."""
    below_best: float = 0.0
    """How much lower its score is than the best one of the map."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How many regions of a level are right."""

    level: str
    n_present: int
    """Regions of sentences that are present in their scene."""
    n_right: int
    """How many of these are right."""
    n_absent: int
    """Regions of absent sentences, which are all wrong."""
    interval: Interval | None
    """95 % of a bootstrap over scenes of the share of right regions among all; None if unknown."""

    @property
    def share(self) -> float:
        """Share of right regions among all, 0-1; NaN without regions."""
        total = self.n_present + self.n_absent
        return self.n_right / total if total else float("nan")

    @property
    def share_of_present(self) -> float:
        """Share of right regions among those of present sentences, 0-1; NaN without regions."""
        return self.n_right / self.n_present if self.n_present else float("nan")


def measure_places(
    data: StudySet, encoder: Encoder, options: LocalizeOptions, progress: Progress = silent
) -> list[Place]:
    """Localize present and absent sentences on every scene of a set, and look at all regions.

    Args:
        data: annotated scenes.
        encoder: the model.
        options: method and window sides.
        progress: called while windows are encoded.
    """
    found = []
    for image in dict.fromkeys(entry.image for entry in data.annotations):
        own = [entry for entry in data.annotations if entry.image == image]
        truth = {
            text: [ring for entry in own if entry.caption == text for ring in entry.regions]
            for text in dict.fromkeys(entry.caption for entry in own)
        }
        asked = [(text, "present") for text in truth]
        absent = [text for text in absent_sentences(data, image) if text not in truth]
        asked += [(text, "absent") for text in absent]
        with Scene.open(data.folder / image) as scene:
            localizer = Localizer(scene, encoder, options, progress)
            for text, kind in asked:
                heat = localizer.heat_map(encode_query(text, encoder, options))
                name = f"{data.name}/{image}"
                found += _places(heat, truth.get(text, []), name, kind)
    return found


def _places(heat: HeatMap, rings: Sequence[Any], image: str, kind: str) -> list[Place]:
    mask = _grown(truth_mask(heat.height, heat.width, rings), heat.window_px // 2)
    places = []
    for region in regions(heat):
        row = min(int(region.peak.row), heat.height - 1)
        col = min(int(region.peak.col), heat.width - 1)
        places.append(
            Place(
                image,
                kind,
                heat.level_at(region.peak.score),
                bool(mask[row, col]),
                heat.significance,
                heat.level_scale,
                heat.peak.score - region.peak.score,
            )
        )
    return places


def halves(places: Sequence[Place]) -> tuple[list[Place], list[Place]]:
    """Split by scene: every second one of each set is in the first half, for fitting."""
    order: dict[str, dict[str, int]] = {}
    for place in places:
        scenes = order.setdefault(place.image.rpartition("/")[0], {})
        scenes.setdefault(place.image, len(scenes))
    even = {image for scenes in order.values() for image, at in scenes.items() if at % 2 == 0}
    first = [place for place in places if place.image in even]
    return first, [place for place in places if place.image not in even]


def fit_places(places: Sequence[Place]) -> PlaceModel:
    """Fit the levels of places, every region with the same weight.

    Args:
        places: regions of maps whose levels are those of whole scenes (a card without values for
            places).

    Raises:
        AnnotationError: no region has a level, or all are right, or none is.
    """
    known = [place for place in places if place.scale is not None]
    right = np.array([float(place.right) for place in known])
    if not 0 < right.sum() < len(right):
        raise AnnotationError(
            f"{int(right.sum())} of {len(right)} regions with a level are right; fitting needs "
            "both kinds"
        )
    features = [
        (place.scale.best, -place.scale.per_score * place.below_best)
        for place in known
        if place.scale is not None
    ]
    weights = np.full(len(right), 1 / len(right))
    intercept, best, below = logistic(np.array(features), right, weights).tolist()
    return PlaceModel(intercept, best, max(below, 1e-3))


def with_levels_of(model: PlaceModel, places: Sequence[Place]) -> list[Place]:
    """The same regions with the levels of a fitted model."""
    return [
        place
        if place.scale is None or place.scene_level is None
        else replace(
            place, level=model.scale(place.scale, place.scene_level).level(place.below_best)
        )
        for place in places
    ]


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """The mask with all pixels that are at most `reach` pixels from it, along rows and columns."""
    import cv2

    kernel = np.ones((2 * reach + 1, 1), np.uint8)
    grown = cv2.dilate(cv2.dilate(mask.astype(np.uint8), kernel), kernel.T)
    return np.asarray(grown, bool)


def precisions(places: Sequence[Place]) -> list[Precision]:
    """Count right regions by level, with an interval over scenes."""
    found = []
    images = list(dict.fromkeys(place.image for place in places))
    for level in LEVELS:
        of_level = [place for place in places if place.level == level]
        present = [place for place in of_level if place.kind == "present"]
        right = np.array([[sum(p.right for p in of_level if p.image == i)] for i in images], float)
        total = np.array([[sum(p.image == i for p in of_level)] for i in images], float)
        held = total[:, 0] > 0
        sums = UnitSums(("share",), right[held], total[held], np.eye(1))
        found.append(
            Precision(
                level,
                len(present),
                sum(place.right for place in present),
                len(of_level) - len(present),
                intervals(sums)["share"] if held.sum() > 1 else None,
            )
        )
    return found


def place_table(results: Sequence[tuple[str, Sequence[Precision]]]) -> str:
    """Format a Markdown table with a row for each set and level."""
    heads = (
        "set",
        "level",
        "regions of present sentences",
        "right",
        "of absent ones",
        "right of all",
    )
    lines = [_row(heads), _row(["---"] * len(heads))]
    for name, rows in results:
        for one in rows:
            right = f"{one.n_right} ({one.share_of_present:.0%})" if one.n_present else "-"
            share = f"{one.share:.0%}" if one.n_present + one.n_absent else "-"
            if one.interval is not None:
                share += f" [{one.interval[0]:.0%}, {one.interval[1]:.0%}]"
            word = "no evidence" if one.level == "none" else one.level
            lines.append(_row([name, word, str(one.n_present), right, str(one.n_absent), share]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
