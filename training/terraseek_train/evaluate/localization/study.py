"""Methods and scale sets beside each other on scenes with known truth, and how steady they are.

Records are kept one by one, so that a study that was stopped goes on where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import AnnotationError, NoValidPixelsError
from terraseek.files import read_json, write_json
from terraseek.localization import HeatMap, LocalizeOptions, selo_metrics, stability
from terraseek.localization.methods.window_scales import DEFAULT_SCALES
from terraseek.localization.query import encode_query
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
"""Of Yuan et al. (2022), sides in pixels; s5 is the published default."""
_SAMPLE = 4
"""Every fourth row and column is ranked: neighbours hardly differ, and sorting takes the time."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A method with its window sides."""

    name: str
    method: str
    scales: tuple[int, ...] | None = None
    """None: what the method takes by itself."""
    stride: float = 0.5
    """In window sides; only windows of method terraseek have another than their own."""
    steady: bool = False
    """Whether its stability is measured."""


def variants(quick: bool = False) -> list[Variant]:
    """What is compared: each method at its default, then at the published scale sets.

    Args:
        quick: only the defaults.
    """
    default = ",".join(map(str, DEFAULT_SCALES))
    found = [
        Variant(f"terraseek, default ({default})", "terraseek", steady=True),
        Variant(f"dense, default ({default})", "dense", steady=True),
        Variant("selo-v1, s5 (published)", "selo-v1", steady=True),
        Variant("selo-v2 (published)", "selo-v2", steady=True),
    ]
    if quick:
        return found
    for method in ("terraseek", "selo-v1", "dense"):
        sets = [(name, sides) for name, sides in SCALE_SETS.items()]
        found += [
            Variant(f"{method}, {name}", method, sides)
            for name, sides in sets
            if (method, name) != ("selo-v1", "s5")
        ]
    found += [
        Variant(f"terraseek, {','.join(map(str, sides))}", "terraseek", sides)
        for sides in ((64, 128, 256), (96, 192), (192, 384))
    ]
    found += [
        Variant(f"terraseek, default, stride {words} side", "terraseek", stride=stride)
        for words, stride in (("one", 1.0), ("a quarter", 0.25))
    ]
    return found


@dataclass(frozen=True, slots=True)
class StudySet:
    """Annotated scenes."""

    name: str
    folder: Path
    """Where the scenes lie."""
    annotations: tuple[Annotation, ...]

    @classmethod
    def open(cls, folder: Path, per_scene: int | None = None) -> "StudySet":
        """A folder with `anno.json`, and the scenes beside it or in `imgs`.

        Args:
            folder: as `terraseek localization-set build` leaves it, or a demo world's `scenes`.
            per_scene: at most so many sentences of a scene, spread over its list.

        Raises:
            AnnotationError: no such set, or a scene is missing.
        """
        notes = read_annotations(folder / "anno.json")
        scenes = folder / "imgs" if (folder / "imgs").is_dir() else folder
        kept: list[Annotation] = []
        for image in dict.fromkeys(note.image for note in notes):
            if not (scenes / image).is_file():
                raise AnnotationError(f"scene {image} of {folder / 'anno.json'} is not in {scenes}")
            mine = [note for note in notes if note.image == image]
            step = max(1, -(-len(mine) // per_scene)) if per_scene else 1
            kept += mine[::step]
        return cls(folder.name, scenes, tuple(kept))


Record = dict[str, Any]


@dataclass(eq=False)
class Study:
    """Measurements of one encoder, kept in a JSON file."""

    encoder: Encoder
    path: Path | None = None
    """Records of the same encoder found there are not measured again."""
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path and self.path.is_file():
            kept = read_json(self.path)
            self.records = [r for r in kept if r["encoder_id"] == self.encoder.encoder_id]

    def measure(
        self,
        data: StudySet,
        asked: Sequence[Variant],
        steady_scenes: int = 0,
        progress: Progress = silent,
    ) -> None:
        """Measure all variants on all scenes of a set.

        Args:
            data: scenes and truth.
            asked: variants.
            steady_scenes: on so many scenes the maps' stability is measured too, each with its
                first sentence; two more encodings of the scene per variant.
            progress: told per scene and while windows are encoded.
        """
        images = list(dict.fromkeys(note.image for note in data.annotations))
        for number, image in enumerate(images):
            with Scene.open(data.folder / image) as scene:
                bank = WindowBank()
                for variant in asked:
                    for record in self._scene(data, scene, variant, bank, progress):
                        self._keep(record)
                    if variant.steady and number < steady_scenes:
                        self._steady(data, scene, variant, progress)
            progress("scenes of the study", number + 1, len(images))

    def _scene(
        self,
        data: StudySet,
        scene: Scene,
        variant: Variant,
        bank: WindowBank,
        progress: Progress,
    ) -> Iterator[Record]:
        notes = [note for note in data.annotations if note.image == scene.name]
        todo = [n for n in notes if not self._has(data.name, n.image, variant.name, n.caption)]
        if not todo:
            return
        options = _options(variant)
        localizer = BankLocalizer(
            scene, self.encoder, options, progress, bank=bank, stride=variant.stride
        )
        for note in todo:
            heat = localizer.heat_map(encode_query(note.caption, self.encoder, options))
            yield self._key(data.name, note.image, variant.name, note.caption) | {
                "windows": heat.n_windows,
                "passes": localizer.method.passes(localizer.context, heat.n_windows),
                **_measured(heat, note),
            }

    def _steady(self, data: StudySet, scene: Scene, variant: Variant, progress: Progress) -> None:
        note = next(note for note in data.annotations if note.image == scene.name)
        words = f"stability: {note.caption}"
        if self._has(data.name, scene.name, variant.name, words):
            return
        options = _options(variant)
        try:
            found = stability(scene, note.caption, self.encoder, options, progress)
        except NoValidPixelsError:  # the middle of a scene may hold nothing
            return
        self._keep(
            self._key(data.name, scene.name, variant.name, words)
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

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        if self.path:
            write_json(self.path, self.records)


def _options(variant: Variant) -> LocalizeOptions:
    # a study measures dense in order to know whether it may be offered
    return LocalizeOptions(method=variant.method, scales=variant.scales, force=True)


def _measured(heat: HeatMap, note: Annotation) -> Record:
    selo = selo_metrics(probability(heat), note.regions)
    rows, cols = (np.arange(0, side, _SAMPLE) + 0.5 for side in (heat.height, heat.width))
    truth = truth_mask(heat.height, heat.width, note.regions)[::_SAMPLE, ::_SAMPLE]
    ranked = pixel_score(heat.sample(rows, cols), truth)
    return {
        "Rsu": selo.rsu,
        "Ras": selo.ras,
        "Rda": selo.rda,
        "Rmi": selo.rmi,
        "roc_auc": ranked.roc_auc,
        "average_precision": ranked.average_precision,
        "positive_share": ranked.positive_share,
    }
