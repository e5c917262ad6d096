"""Scenes with exact truth from any image set: real chips as tiles of a mosaic, some asked for.

From class folders a scene is asked for a class, and the truth is every tile of that class. From a
captioned set it is asked for a sentence, and the truth is the one tile the sentence was written
for; then tiles of one class, or with one sentence, do not share a scene where they would make the
truth doubtful.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from terraseek.errors import AnnotationError, ConfigError, OutputError
from terraseek.files import atomic_path, write_json
from terraseek.progress import Progress, silent
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.data.sources.images import ImageBytes

__all__ = ["Chip", "Mosaic", "SetPlan", "build_set", "compose", "notes_of", "plan_mosaics"]

_MAX_SIDE = 30_000
_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Chip:
    """An image that can become a tile."""

    name: str
    """Stored name in its source."""
    text: str
    """What is asked for where this tile lies."""
    kind: str
    """Tiles of one kind answer the same question; empty where nothing is known."""


@dataclass(frozen=True, slots=True)
class SetPlan:
    """Shape of a set."""

    count: int = 20
    """Scenes."""
    rows: int = 8
    """Tiles down a scene."""
    cols: int = 8
    """Tiles across a scene."""
    tile: int = 256
    """Side of a tile in pixels."""
    queries: int = 3
    """Most sentences per scene."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.count, self.rows, self.cols, self.queries) < 1 or self.tile < 16:
            raise ConfigError("count, grid and queries must be at least 1, the tile 16 pixels")
        if self.rows * self.cols < 2:
            raise ConfigError("a scene of one tile asks for nothing; give a grid like 8x8")
        if max(self.rows, self.cols) * self.tile > _MAX_SIDE:
            raise ConfigError(
                f"{self.rows}x{self.cols} tiles of {self.tile} px exceed {_MAX_SIDE} px a side"
            )


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Which chip lies where, and what is asked."""

    chips: tuple[Chip, ...]
    """Row by row."""
    questions: tuple[tuple[str, tuple[int, ...]], ...]
    """Sentence, and positions in `chips` where it is true."""


def plan_mosaics(chips: Sequence[Chip], plan: SetPlan, by_kind: bool) -> list[Mosaic]:
    """Choose tiles and questions; the same seed gives the same set.

    Chips come in random order, each once before any comes again, and none twice in a scene.

    Args:
        chips: what there is.
        plan: how many of what size.
        by_kind: whether all tiles of a kind answer its question, rather than one tile alone.

    Raises:
        AnnotationError: too few chips for one scene, or chips of which no question can be asked.
    """
    need = plan.rows * plan.cols
    if len(chips) < need:
        raise AnnotationError(
            f"{len(chips)} pictures do not fill a scene of {need} tiles; give a smaller --grid"
        )
    rng = np.random.default_rng(plan.seed)
    pick = _kinds if by_kind else _singles
    found: list[Mosaic] = []
    waiting: list[int] = []
    for _ in range(plan.count):
        if len(waiting) < need:
            waiting = rng.permutation(len(chips)).tolist()
        mine = tuple(chips[waiting.pop()] for _ in range(need))
        questions = pick(mine)
        order = rng.permutation(len(questions))[: plan.queries].tolist()
        found.append(Mosaic(mine, tuple(questions[i] for i in sorted(order))))
    if not any(mosaic.questions for mosaic in found):
        raise AnnotationError("no tile can be told from the others; are all of one class?")
    return found


_Questions = list[tuple[str, tuple[int, ...]]]


def _kinds(chips: tuple[Chip, ...]) -> _Questions:
    """A question for each kind, unless the whole scene answers it."""
    places: dict[str, list[int]] = {}
    for place, chip in enumerate(chips):
        places.setdefault(chip.kind, []).append(place)
    kept = [rows for rows in places.values() if len(rows) < len(chips)]
    return [(chips[rows[0]].text, tuple(rows)) for rows in kept]


def _singles(chips: tuple[Chip, ...]) -> _Questions:
    """A question for each chip whose kind and sentence no other tile has."""
    kinds = [chip.kind for chip in chips]
    texts = [chip.text.lower() for chip in chips]
    return [
        (chip.text, (place,))
        for place, chip in enumerate(chips)
        if texts.count(chip.text.lower()) == 1 and (not chip.kind or kinds.count(chip.kind) == 1)
    ]


def notes_of(mosaic: Mosaic, name: str, plan: SetPlan) -> list[dict[str, Any]]:
    """Entries of `anno.json` for a scene: one square ring [x, y] a tile, last pixels included."""
    side = plan.tile
    found = []
    for text, places in mosaic.questions:
        rings = []
        for place in places:
            top, left = place // plan.cols * side, place % plan.cols * side
            low, right = top + side - 1, left + side - 1
            rings.append([[left, top], [right, top], [right, low], [left, low]])
        found.append({"jpg_name": name, "caption": text, "points": rings})
    return found


def compose(
    mosaic: Mosaic, image: Callable[[str], UInt8[np.ndarray, "_ _ 3"]], plan: SetPlan
) -> UInt8[np.ndarray, "h w 3"]:
    """The scene: each chip's centred square, resized to the tile.

    Args:
        mosaic: which chip lies where.
        image: RGB pixels of a chip by name.
        plan: grid and tile.
    """
    side = plan.tile
    scene = np.empty((plan.rows * side, plan.cols * side, 3), np.uint8)
    for place, chip in enumerate(mosaic.chips):
        top, left = place // plan.cols * side, place % plan.cols * side
        scene[top : top + side, left : left + side] = _square(image(chip.name), side)
    return scene


def _square(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    height, width = rgb.shape[:2]
    whole = min(height, width)
    top, left = (height - whole) // 2, (width - whole) // 2
    cut = Image.fromarray(rgb[top : top + whole, left : left + whole])
    return np.asarray(cut.resize((side, side), Image.Resampling.BICUBIC))


def build_set(
    images: Path,
    out: Path,
    plan: SetPlan,
    captions: Path | None = None,
    split: str | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Write scenes `0.jpg`, `1.jpg`, ... and `anno.json`, last, so that a set with it is whole.

    Args:
        images: class folders; with `captions` any folder or tar of images.
        out: folder; must hold no `anno.json`.
        plan: how many scenes of what size.
        captions: caption file; its first sentence of an image is asked.
        split: part of a JSON caption file to use; None uses all.
        progress: told after every scene.

    Returns:
        The entries of `anno.json`.

    Raises:
        AnnotationError: nothing to ask, or too few images.
        SourceError: images are missing or cannot be read.
        OutputError: there is a set already, or the folder cannot be written to.
    """
    if (out / "anno.json").exists():
        raise OutputError(f"{out} holds a set already; choose another folder or remove it")
    source = open_images(images, keep_folders=captions is None)
    chips = _captioned(source, captions, split) if captions else _classes(source)
    mosaics = plan_mosaics(chips, plan, by_kind=captions is None)
    notes = []
    try:
        for number, mosaic in enumerate(mosaics):
            name = f"{number}.jpg"
            with atomic_path(out / name) as part:
                scene = Image.fromarray(compose(mosaic, source.image, plan))
                scene.save(part, "JPEG", quality=_QUALITY, subsampling=0)
            notes += notes_of(mosaic, name, plan)
            progress("scenes", number + 1, len(mosaics))
        write_json(out / "anno.json", notes)
    except OSError as error:
        raise OutputError(f"{out} cannot be written to ({error}); choose another") from error
    return notes


def _classes(source: ImageBytes) -> list[Chip]:
    from terraseek_train.evaluate.zeroshot import class_name

    chips = [Chip(name, class_name(source.folder(name)), source.folder(name)) for name in source]
    chips = [chip for chip in chips if chip.kind]
    kinds = {chip.kind for chip in chips}
    if len(kinds) < 2:
        raise AnnotationError(
            f"{source.path} has {len(kinds)} class folder(s); expected two or more, or --captions"
        )
    return chips


def _captioned(source: ImageBytes, captions: Path, split: str | None) -> list[Chip]:
    pairs = pair_images(read_captions(captions, split), source)
    return [
        Chip(name, sample.captions[0], sample.label or "")
        for sample, name in pairs
        if sample.captions
    ]
