"""Catalogues and scenes of the benchmark, read from the data folder and encoded once."""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from terraseek.encoders.base import Encoder
from terraseek.errors import SourceError
from terraseek.files import atomic_path
from terraseek.localization import LocalizeOptions
from terraseek.localization.localizer import Localizer
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene
from terraseek_train.data.sources import open_images, read_captions
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.evaluate.localization.mosaics import Chip, Mosaic, SetPlan, compose
from terraseek_train.evaluate.significance.truth import Half, read_truth

__all__ = ["BenchmarkSet", "catalogue_sets", "scene_sets"]

_MOSAIC = SetPlan(rows=6, cols=6, tile=160)
_CLASSES_PER_MOSAIC = 3


@dataclass(frozen=True, eq=False)
class BenchmarkSet:
    """What sentences are asked of: a catalogue of images, or the windows of a scene."""

    name: str
    half: Half
    vectors: Float32[np.ndarray, "n dim"]
    """Unit vectors of its images, or of the windows of its scene."""
    data: str
    """Data set of `labels`; empty for an annotated scene."""
    labels: tuple[str, ...]
    """Class of each image; for a mosaic of each tile."""
    captions: tuple[tuple[str, ...], ...]
    """Captions of each of `labels`."""
    is_scene: bool = False


@dataclass(frozen=True, eq=False)
class _Source:
    """Images of a data set with class and captions."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    read: Callable[[str], UInt8[np.ndarray, "h w 3"]]
    path: Path

    def part(self, part: int | None, most: int) -> "_Source":
        """Images of every second class, and at most a number of images, evenly spread."""
        classes = sorted(set(self.labels))
        kept = classes if part is None else classes[part::2]
        rows = [row for row, label in enumerate(self.labels) if label in kept]
        rows.sort(key=lambda row: (self.labels[row], self.names[row]))
        if most and len(rows) > most:
            rows = [rows[int(at)] for at in np.linspace(0, len(rows) - 1, most)]
        return _Source(
            tuple(self.names[row] for row in rows),
            tuple(self.labels[row] for row in rows),
            tuple(self.captions[row] for row in rows),
            self.read,
            self.path,
        )


def catalogue_sets(
    data: Path, encoder: Encoder, cache: Path, progress: Progress = silent
) -> list[BenchmarkSet]:
    """Encode the catalogues of the benchmark.

    Args:
        data: folder with the data sets (`$TERRASEEK_DATA`).
        encoder: the encoder.
        cache: folder in which vectors are kept by encoder and content.
        progress: called while images are encoded.

    Raises:
        SourceError: a data set is missing.
    """
    found = []
    for name, entry in read_truth()["catalogues"].items():
        source = _source(data, entry["data"]).part(entry["part"], entry["images"])
        vectors = _vectors(source, encoder, cache, progress)
        found.append(
            BenchmarkSet(
                name, entry["half"], vectors, entry["data"], source.labels, source.captions
            )
        )
    return found


def scene_sets(
    data: Path,
    encoder: Encoder,
    cache: Path,
    options: LocalizeOptions | None = None,
    progress: Progress = silent,
) -> list[BenchmarkSet]:
    """Encode the scenes of the benchmark: real ones, and mosaics of the catalogues' images.

    Args:
        data: folder with the data sets.
        encoder: the encoder.
        cache: folder in which the mosaics are kept.
        options: settings of the localization; None for the defaults.
        progress: called while windows are encoded.
    """
    found = []
    settings = options or LocalizeOptions()
    for name, entry in read_truth()["scenes"].items():
        vectors = _windows(data / name, encoder, settings, progress)
        found.append(BenchmarkSet(name, entry["half"], vectors, "", (name,), ((),), True))
    for name, count in read_truth()["mosaics"].items():
        entry = read_truth()["catalogues"][name]
        source = _source(data, entry["data"]).part(entry["part"], entry["images"])
        for number in range(count):
            rows = _tiles(source, number)
            path = cache / f"mosaic-{name}-{number}.png"
            if not path.is_file():
                _write_mosaic(source, rows, path)
            found.append(
                BenchmarkSet(
                    path.stem,
                    entry["half"],
                    _windows(path, encoder, settings, progress),
                    entry["data"],
                    tuple(source.labels[row] for row in rows),
                    tuple(source.captions[row] for row in rows),
                    True,
                )
            )
    return found


def _tiles(source: _Source, seed: int) -> list[int]:
    """Rows of the tiles of a mosaic, of a few classes, so that most concepts are absent."""
    rng = np.random.default_rng(seed)
    classes = sorted(set(source.labels))
    kept = rng.permutation(classes)[:_CLASSES_PER_MOSAIC].tolist()
    rows = [row for row, label in enumerate(source.labels) if label in kept]
    count = _MOSAIC.rows * _MOSAIC.cols
    return [int(row) for row in rng.choice(rows, count, replace=len(rows) < count)]


def _write_mosaic(source: _Source, rows: list[int], path: Path) -> None:
    chips = tuple(Chip(source.names[row], "", source.labels[row]) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = compose(Mosaic(chips, ()), source.read, _MOSAIC)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def _windows(
    path: Path, encoder: Encoder, options: LocalizeOptions, progress: Progress
) -> Float32[np.ndarray, "n dim"]:
    """Unit vectors of the windows of a scene that were encoded."""
    with Scene.open(path) as scene:
        embedding = Localizer(scene, encoder, options, progress).embedding
    return np.asarray(embedding.vectors[embedding.encoded], np.float32)


def _vectors(
    source: _Source, encoder: Encoder, cache: Path, progress: Progress
) -> Float32[np.ndarray, "n dim"]:
    names = hashlib.sha256("\n".join((source.path.name, *source.names)).encode()).hexdigest()[:12]
    path = cache / f"{encoder.encoder_id}-{names}.npy"
    if path.is_file():
        kept: Float32[np.ndarray, "n dim"] = np.load(path)
        return kept
    images = open_images(source.path, keep_folders=True)
    stored = [_stored_name(images.find(name), name) for name in source.names]
    vectors = encode_named(encoder, images, stored, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, vectors)
    return vectors


def _stored_name(found: str | None, name: str) -> str:
    if found is None:
        raise SourceError(f"the image {name} of the benchmark is missing from its data set")
    return found


@lru_cache(maxsize=8)
def _source(data: Path, name: str) -> _Source:
    """Read names, classes and captions of a data set."""
    if name == "rsicd":
        path = data / "rsicd" / "RSICD_images.tar"
        samples = read_captions(data / "rsicd" / "dataset_rsicd.json", "val")
        rows = [(s.image, s.label or "", tuple(s.captions)) for s in samples if s.label]
        return _make_source(path, rows)
    if name in ("nwpu8", "rsscn7"):
        path = data / name / f"{name.upper()}.tar"
        images = open_images(path, keep_folders=True)
        return _make_source(path, [(image, images.folder(image), ()) for image in images])
    if name == "harvey":
        path = data / name
        images = open_images(path, keep_folders=True)
        labels = {image: images.folder(image) for image in images}
        rows = [
            (image, "no_damage" if "undamaged" in label else "damage", ())
            for image, label in labels.items()
        ]
        return _make_source(path, rows)
    folder, table, column = {
        "eurosat": ("eurosat", "eurosat_coord.csv", "img_name"),
        "delhi": ("delhi_s2", "labels.csv", "filename"),
    }[name]
    with (data / folder / table).open(encoding="utf-8", newline="") as file:
        rows = [(row[column], row["label"], ()) for row in csv.DictReader(file)]
    path = data / folder / "delhi_s2.tar" if name == "delhi" else data / folder
    return _make_source(path, rows)


def _make_source(path: Path, rows: list[tuple[str, str, tuple[str, ...]]]) -> _Source:
    images = open_images(path, keep_folders=True)
    return _Source(
        tuple(name for name, _, _ in rows),
        tuple(label for _, label, _ in rows),
        tuple(captions for _, _, captions in rows),
        lambda name: images.image(_stored_name(images.find(name), name)),
        path,
    )
