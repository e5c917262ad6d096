"""Which copies the leakage check finds: `python benchmarks/leakage.py --images TAR|DIR [--json]`.

Transformed copies of some images are written as files and searched among all images of the source.
A share of 1 means that all copies were found. A wrong pair is a copy with another image than its
original (the source may itself contain duplicates, so inspect them). Then the comparisons between
two large sets of random hashes are timed.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from common import report, timed
from PIL import Image

from terraseek.imagehash import near_pairs
from terraseek_train.config import DataSource
from terraseek_train.data.leakage import MAX_BITS, find_leaks, fingerprints
from terraseek_train.data.sources import open_images

Pixels = np.ndarray
Transformation = tuple[Callable[[Pixels], Pixels], str, int]


def resized(image: Pixels, factor: float) -> Pixels:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=kind))


def cropped(image: Pixels, share: float) -> Pixels:
    margin = max(1, round(min(image.shape[:2]) * share / 2))
    return image[margin:-margin, margin:-margin]


TRANSFORMATIONS: dict[str, Transformation] = {
    "jpeg_30": (lambda a: a, ".jpg", 30),
    "half_size_jpeg_50": (lambda a: resized(a, 0.5), ".jpg", 50),
    "double_size": (lambda a: resized(a, 2), ".png", 0),
    "rotated_webp_50": (lambda a: np.rot90(a), ".webp", 50),
    "mirrored": (lambda a: a[:, ::-1], ".png", 0),
    "brighter_20_percent": (lambda a: np.clip(a * 1.2, 0, 255).astype(np.uint8), ".png", 0),
    "gamma_0.7": (lambda a: (255 * (a / 255.0) ** 0.7).astype(np.uint8), ".png", 0),
    "cropped_4_percent": (lambda a: cropped(a, 0.04), ".png", 0),
    "cropped_10_percent": (lambda a: cropped(a, 0.10), ".png", 0),
}


def found_copies(images: Path, count: int, seed: int) -> dict[str, float | int]:
    """Share of the copies that are found, by transformation, and the number of wrong pairs."""
    source = open_images(images, keep_folders=True)
    names = list(source)
    rows = np.random.default_rng(seed).choice(len(names), min(count, len(names)), replace=False)
    figures: dict[str, float | int] = {"images": len(names), "copies": len(rows)}
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "cache"
        originals = fingerprints(DataSource("source", str(images)), cache)
        for name, (change, suffix, quality) in TRANSFORMATIONS.items():
            folder = Path(place) / name
            folder.mkdir()
            for row in rows:
                copy = np.ascontiguousarray(change(source.image(names[row])))
                options: dict[str, Any] = {"quality": quality} if quality else {}
                Image.fromarray(copy).save(folder / f"{row}{suffix}", **options)
            leaks = find_leaks(originals, fingerprints(DataSource(name, str(folder)), cache))
            right = {leak.eval for leak in leaks if leak.train == names[int(Path(leak.eval).stem)]}
            wrong += sum(leak.train != names[int(Path(leak.eval).stem)] for leak in leaks)
            figures[name] = len(right) / len(rows)
    return figures | {"wrong_pairs": wrong}


def main(
    images: Path = typer.Option(..., "--images", help="Folder or tar of real images."),
    count: int = typer.Option(150, "--count", min=1, help="Number of images that are copied."),
    seed: int = typer.Option(0, "--seed", help="Seed that selects them."),
    large: int = typer.Option(
        20_000, "--large", help="Images in the larger of two sets of hashes."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Measure and print."""
    figures = found_copies(images, count, seed)
    rng = np.random.default_rng(seed)
    one, two = (rng.integers(1, 2**63, (n, 8), np.uint64) for n in (large, large * 11 // 20))
    timing = timed(lambda: near_pairs(one, two, MAX_BITS), repeats=1, warmup=0)
    figures["million_orientations_compared_per_second"] = len(one) * two.size / timing.median / 1e6
    report("leakage check", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
