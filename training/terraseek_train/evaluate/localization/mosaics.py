"""Build annotated scenes with exact truth from any image set: mosaics of real images.

With class folders the queries of a scene are class names, and the truth is every tile of the
class. With captions the queries are captions, and the truth is the one tile of the caption; a
caption is not used where another tile of the scene has its class or its words, because then the
truth would be uncertain.
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

__all__ = ["Chip", "Mosaic", "SetPlan", "annotate", "build_set", "compose", "plan_mosaics"]

_MAX_SIDE = 30_000
_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Chip:
    """An image that can become a tile."""

    name: str
    """Stored name in its source."""
    text: str
    """Query whose answer is this tile: a class name or a caption."""
    label: str
    """Scene class; empty if unknown."""


@dataclass(frozen=True, slots=True)
class SetPlan:
    """Number and size of the scenes of a set."""

    count: int = 20
    """Number of scenes."""
    rows: int = 8
    """Rows of tiles in a scene."""
    cols: int = 8
    """Columns of tiles in a scene."""
    tile: int = 256
    """Side of a tile in pixels."""
    queries: int = 3
    """Largest number of queries per scene."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.count, self.rows, self.cols, self.queries) < 1 or self.tile < 16:
            raise ConfigError("count, grid and queries must be at least 1, the tile 16 pixels")
        if self.rows * self.cols < 2:
            raise ConfigError("a scene of one tile has nothing to localize; give a grid like 8x8")
        if max(self.rows, self.cols) * self.tile > _MAX_SIDE:
            raise ConfigError(
                f"{self.rows}x{self.cols} tiles of {self.tile} px exceed {_MAX_SIDE} px a side"
            )


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The tiles of a scene, and its queries."""

    chips: tuple[Chip, ...]
    """Row by row."""
    queries: tuple[tuple[str, tuple[int, ...]], ...]
    """Sentence, and positions in `chips` of the tiles for which it is true."""


def plan_mosaics(chips: Sequence[Chip], plan: SetPlan, by_class: bool) -> list[Mosaic]:
    """Choose tiles and queries; the same seed gives the same set.

    Chips are used in random order, each once before any is repeated, and none twice in a scene.

    Args:
        chips: the available chips.
        plan: number and size of the scenes.
        by_class: a query is true for all tiles of its class, not for a single tile.

    Raises:
        AnnotationError: too few chips for one scene, or no query has a unique answer.
    """
    need = plan.rows * plan.cols
    if len(chips) < need:
        raise AnnotationError(
            f"{len(chips)} images do not fill a scene of {need} tiles; give a smaller --grid"
        )
    rng = np.random.default_rng(plan.seed)
    choose = _class_queries if by_class else _single_tile_queries
    mosaics: list[Mosaic] = []
    unused: list[int] = []
    for _ in range(plan.count):
        if len(unused) < need:
            unused = rng.permutation(len(chips)).tolist()
        tiles = tuple(chips[unused.pop()] for _ in range(need))
        queries = choose(tiles)
        order = rng.permutation(len(queries))[: plan.queries].tolist()
        mosaics.append(Mosaic(tiles, tuple(queries[i] for i in sorted(order))))
    if not any(mosaic.queries for mosaic in mosaics):
        raise AnnotationError("no query has a unique answer; are all images of one class?")
    return mosaics


_Queries = list[tuple[str, tuple[int, ...]]]


def _class_queries(chips: tuple[Chip, ...]) -> _Queries:
    """Make a query for each class, unless all tiles of the scene are of it."""
    positions: dict[str, list[int]] = {}
    for position, chip in enumerate(chips):
        positions.setdefault(chip.label, []).append(position)
    kept = [tiles for tiles in positions.values() if len(tiles) < len(chips)]
    return [(chips[tiles[0]].text, tuple(tiles)) for tiles in kept]


def _single_tile_queries(chips: tuple[Chip, ...]) -> _Queries:
    """Make a query for each chip whose class and caption no other tile has."""
    labels = [chip.label for chip in chips]
    texts = [chip.text.lower() for chip in chips]
    return [
        (chip.text, (position,))
        for position, chip in enumerate(chips)
        if texts.count(chip.text.lower()) == 1 and (not chip.label or labels.count(chip.label) == 1)
    ]


def annotate(mosaic: Mosaic, name: str, plan: SetPlan) -> list[dict[str, Any]]:
    """Make the entries of `anno.json` for a scene.

    Each tile is a square ring of [x, y] in pixels; its last pixels are included.
    """
    side = plan.tile
    entries = []
    for text, positions in mosaic.queries:
        rings = []
        for position in positions:
            top, left = position // plan.cols * side, position % plan.cols * side
            bottom, right = top + side - 1, left + side - 1
            rings.append([[left, top], [right, top], [right, bottom], [left, bottom]])
        entries.append({"jpg_name": name, "caption": text, "points": rings})
    return entries


def compose(
    mosaic: Mosaic, image: Callable[[str], UInt8[np.ndarray, "_ _ 3"]], plan: SetPlan
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a scene from the centre squares of its chips, resized to the tile.

    Args:
        mosaic: tiles of the scene.
        image: reads the RGB pixels of a chip by name.
        plan: grid and size of a tile.
    """
    side = plan.tile
    scene = np.empty((plan.rows * side, plan.cols * side, 3), np.uint8)
    for position, chip in enumerate(mosaic.chips):
        top, left = position // plan.cols * side, position % plan.cols * side
        scene[top : top + side, left : left + side] = _square(image(chip.name), side)
    return scene


def _square(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    height, width = rgb.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = Image.fromarray(rgb[top : top + short, left : left + short])
    return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))


def build_set(
    images: Path,
    out: Path,
    plan: SetPlan,
    captions: Path | None = None,
    split: str | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Write scenes `0.jpg`, `1.jpg`, ... and `anno.json`; a set with `anno.json` is complete.

    Args:
        images: class folders; with `captions` any folder or tar of images.
        out: folder without an `anno.json`.
        plan: number and size of the scenes.
        captions: caption file; the first caption of an image is its query.
        split: split of a JSON caption file to use; None uses all.
        progress: called after every scene.

    Returns:
        The entries of `anno.json`.

    Raises:
        AnnotationError: no query is possible, or there are too few images.
        SourceError: images are missing or cannot be read.
        OutputError: there is a set already, or the folder cannot be written to.
    """
    if (out / "anno.json").exists():
        raise OutputError(f"{out} holds a set already; choose another folder or remove it")
    source = open_images(images, keep_folders=captions is None)
    chips = _captioned_chips(source, captions, split) if captions else _class_chips(source)
    mosaics = plan_mosaics(chips, plan, by_class=captions is None)
    entries = []
    try:
        for number, mosaic in enumerate(mosaics):
            name = f"{number}.jpg"
            with atomic_path(out / name) as part:
                scene = Image.fromarray(compose(mosaic, source.image, plan))
                scene.save(part, "JPEG", quality=_QUALITY, subsampling=0)
            entries += annotate(mosaic, name, plan)
            progress("scenes", number + 1, len(mosaics))
        write_json(out / "anno.json", entries)
    except OSError as error:
        raise OutputError(f"{out} cannot be written to ({error}); choose another") from error
    return entries


def _class_chips(source: ImageBytes) -> list[Chip]:
    from terraseek_train.evaluate.zeroshot import class_name

    chips = [Chip(name, class_name(source.folder(name)), source.folder(name)) for name in source]
    chips = [chip for chip in chips if chip.label]
    labels = {chip.label for chip in chips}
    if len(labels) < 2:
        raise AnnotationError(
            f"{source.path} has {len(labels)} class folder(s); expected two or more, or --captions"
        )
    return chips


def _captioned_chips(source: ImageBytes, captions: Path, split: str | None) -> list[Chip]:
    pairs = pair_images(read_captions(captions, split), source)
    return [
        Chip(name, sample.captions[0], sample.label or "")
        for sample, name in pairs
        if sample.captions
    ]
