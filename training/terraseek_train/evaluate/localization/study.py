"""Compare methods and scale sets on annotated scenes: quality, and stability of the heat maps.

Records are stored one by one, so an interrupted study is continued.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError, NoValidPixelsError
from terraseek.files import read_json, write_json
from terraseek.localization import HeatMap, LocalizeOptions, selo_metrics
from terraseek.localization.methods.window_scales import DEFAULT_SCALES
from terraseek.localization.query import encode_query
from terraseek.localization.stability import stability
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek_train.evaluate.localization.measure import Annotation, probability, read_annotations
from terraseek_train.evaluate.localization.pixels import pixel_score, truth_mask
from terraseek_train.evaluate.localization.window_bank import BankLocalizer, WindowBank

__all__ = ["SCALE_SETS", "Study", "StudySet", "Variant", "variants"]

SCALE_SETS: dict[str, tuple[int, ...]] = {
    "s1": (128, 256),
    "s2": (256, 512),
    "s3": (512, 768),
    "s4": (128, 256, 512),
    "s5": (256, 512, 768),
    "s6": (128, 256, 512, 768),
}
"""Scale sets of Yuan et al. (2022), sides in pixels; s5 is the published default."""
_SAMPLE_STEP = 4
"""Every fourth row and column is ranked: neighbours hardly differ, and sorting is slow."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A method with its window sides and stride."""

    name: str
    method: str
    scales: tuple[int, ...] | None = None
    """Window sides in pixels; None uses the method's default."""
    stride: float = 0.5
    """Stride of single windows in window sides; published methods keep 0.5."""
    measure_stability: bool = False
    """Whether the stability of its heat maps is measured."""


def variants(quick: bool = False) -> list[Variant]:
    """List what is compared: each method at its default, then at the published scale sets.

    Args:
        quick: only the defaults.
    """
    default = ",".join(map(str, DEFAULT_SCALES))
    found = [
        Variant(f"terraseek, cells and windows ({default})", "terraseek", measure_stability=True),
        Variant(f"windows, default ({default})", "windows", measure_stability=True),
        Variant(f"dense, default ({default})", "dense", measure_stability=True),
        Variant("selo-v1, s5 (published)", "selo-v1", measure_stability=True),
        Variant("selo-v2 (published)", "selo-v2", measure_stability=True),
    ]
    if quick:
        return found
    for method in ("terraseek", "windows", "selo-v1", "dense"):
        sets = [(name, sides) for name, sides in SCALE_SETS.items()]
        found += [
            Variant(f"{method}, {name}", method, sides)
            for name, sides in sets
            if (method, name) != ("selo-v1", "s5")
        ]
    found += [
        Variant(f"windows, {','.join(map(str, sides))}", "windows", sides)
        for sides in ((64, 128, 256), (96, 192), (192, 384))
    ]
    found += [
        Variant(f"windows, default, stride {words} side", "windows", stride=stride)
        for words, stride in (("one", 1.0), ("a quarter", 0.25))
    ]
    return found


@dataclass(frozen=True, slots=True)
class StudySet:
    """A set of annotated scenes."""

    name: str
    folder: Path
    """Folder of the scenes."""
    annotations: tuple[Annotation, ...]

    @classmethod
    def open(cls, folder: Path, per_scene: int | None = None) -> "StudySet":
        """Open a folder with `anno.json`, and the scenes beside it or in `imgs`.

        Args:
            folder: from `terraseek localization-set build`, or `scenes` of the demo world.
            per_scene: largest number of sentences per scene, spread evenly over its list; None
                uses all.

        Raises:
            AnnotationError: no such set, or a scene is missing.
        """
        annotations = read_annotations(folder / "anno.json")
        scenes = folder / "imgs" if (folder / "imgs").is_dir() else folder
        kept: list[Annotation] = []
        for image in dict.fromkeys(entry.image for entry in annotations):
            if not (scenes / image).is_file():
                raise AnnotationError(f"scene {image} of {folder / 'anno.json'} is not in {scenes}")
            of_image = [entry for entry in annotations if entry.image == image]
            step = max(1, -(-len(of_image) // per_scene)) if per_scene else 1
            kept += of_image[::step]
        return cls(folder.name, scenes, tuple(kept))


Record = dict[str, Any]
"""Measurement of one variant on one sentence, as stored."""


@dataclass(eq=False)
class Study:
    """Measurements of one encoder, kept in a JSON file."""

    encoder: Encoder
    path: Path | None = None
    """File of the records; what it has of the same encoder is not measured again."""
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path and self.path.is_file():
            stored = read_json(self.path)
            self.records = [r for r in stored if r["encoder_id"] == self.encoder.encoder_id]

    def measure(
        self,
        data: StudySet,
        variants: Sequence[Variant],
        stability_scenes: int = 0,
        progress: Progress = silent,
    ) -> None:
        """Measure variants on all scenes of a set.

        Args:
            data: scenes and annotations.
            variants: what is compared.
            stability_scenes: number of scenes on which stability is measured too, each with its
                first sentence; it needs two more encodings of the scene per variant.
            progress: called per scene and while windows are encoded.
        """
        images = list(dict.fromkeys(entry.image for entry in data.annotations))
        for number, image in enumerate(images):
            with Scene.open(data.folder / image) as scene:
                bank = WindowBank()
                for variant in variants:
                    for record in self._measure_scene(data, scene, variant, bank, progress):
                        self._store(record)
                    if variant.measure_stability and number < stability_scenes:
                        self._measure_stability(data, scene, variant, progress)
            progress("scenes of the study", number + 1, len(images))

    def _measure_scene(
        self,
        data: StudySet,
        scene: Scene,
        variant: Variant,
        bank: WindowBank,
        progress: Progress,
    ) -> Iterator[Record]:
        todo = [
            entry
            for entry in data.annotations
            if entry.image == scene.name
            and not self._has(data.name, entry.image, variant.name, entry.caption)
        ]
        if not todo:
            return
        options = _options(variant)
        localizer = BankLocalizer(
            scene, self.encoder, options, progress, bank=bank, stride=variant.stride
        )
        for entry in todo:
            heat = localizer.heat_map(encode_query(entry.caption, self.encoder, options))
            yield self._key(data.name, entry.image, variant.name, entry.caption) | {
                "windows": heat.n_windows,
                "passes": localizer.method.passes(localizer.context, heat.n_windows),
                **_measures(heat, entry),
            }

    def _measure_stability(
        self, data: StudySet, scene: Scene, variant: Variant, progress: Progress
    ) -> None:
        entry = next(entry for entry in data.annotations if entry.image == scene.name)
        caption = f"stability: {entry.caption}"
        if self._has(data.name, scene.name, variant.name, caption):
            return
        options = _options(variant)
        try:
            found = stability(scene, entry.caption, self.encoder, options, progress)
        except NoValidPixelsError:  # the crop in the middle of a scene may be empty
            return
        self._store(
            self._key(data.name, scene.name, variant.name, caption)
            | {
                "shifted": found.shifted,
                "cropped": found.cropped,
                "difference": found.difference,
                "peak_px": found.peak_px,
            }
        )

    def _key(self, data: str, image: str, variant: str, caption: str) -> Record:
        return {
            "encoder_id": self.encoder.encoder_id,
            "set": data,
            "image": image,
            "variant": variant,
            "caption": caption,
        }

    def _has(self, data: str, image: str, variant: str, caption: str) -> bool:
        key = self._key(data, image, variant, caption)
        return any(all(record[k] == v for k, v in key.items()) for record in self.records)

    def _store(self, record: Record) -> None:
        self.records.append(record)
        if self.path:
            write_json(self.path, self.records)


def _options(variant: Variant) -> LocalizeOptions:
    # force: the study decides whether method dense is available
    return LocalizeOptions(method=variant.method, scales=variant.scales, force=True)


def _measures(heat: HeatMap, entry: Annotation) -> Record:
    selo = selo_metrics(probability(heat), entry.regions)
    rows, cols = (np.arange(0, side, _SAMPLE_STEP) + 0.5 for side in (heat.height, heat.width))
    truth = truth_mask(heat.height, heat.width, entry.regions)[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    pixels = pixel_score(heat.sample(rows, cols), truth)
    return {
        "Rsu": selo.rsu,
        "Ras": selo.ras,
        "Rda": selo.rda,
        "Rmi": selo.rmi,
        "roc_auc": pixels.roc_auc,
        "average_precision": pixels.average_precision,
        "positive_share": pixels.positive_share,
    }
