"""Which copies the leakage check finds: `python benchmarks/leakage.py --images TAR|DIR [--json]`.

Copies of some images are made in every disguise, written as files and looked for among all
images of the source. A share of 1 means that all were found. Wrong pairs are those of a copy with
another image than its own (a source may hold true duplicates of its own, so look at them).
Then the time of all comparisons between two large sets (random hashes) is taken.
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
Disguise = tuple[Callable[[Pixels], Pixels], str, int]


def resized(image: Pixels, factor: float) -> Pixels:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=kind))


def cropped(image: Pixels, share: float) -> Pixels:
    margin = max(1, round(min(image.shape[:2]) * share / 2))
    return image[margin:-margin, margin:-margin]


DISGUISES: dict[str, Disguise] = {
    "jpeg_30": (lambda a: a, ".jpg", 30),
    "half_size_jpeg_50": (lambda a: resized(a, 0.5), ".jpg", 50),
    "double_size": (lambda a: resized(a, 2), ".png", 0),
    "turned_webp_50": (lambda a: np.rot90(a), ".webp", 50),
    "mirrored": (lambda a: a[:, ::-1], ".png", 0),
    "brighter_20_percent": (lambda a: np.clip(a * 1.2, 0, 255).astype(np.uint8), ".png", 0),
    "gamma_0.7": (lambda a: (255 * (a / 255.0) ** 0.7).astype(np.uint8), ".png", 0),
    "cropped_4_percent": (lambda a: cropped(a, 0.04), ".png", 0),
    "cropped_10_percent": (lambda a: cropped(a, 0.10), ".png", 0),
}


def found_copies(images: Path, count: int, seed: int) -> dict[str, float | int]:
    """Share of the copies that are found, by disguise, and how many pairs are wrong."""
    source = open_images(images, keep_folders=True)
    names = list(source)
    drawn = np.random.default_rng(seed).choice(len(names), min(count, len(names)), replace=False)
    figures: dict[str, float | int] = {"pictures": len(names), "copies": len(drawn)}
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "cache"
        ours = fingerprints(DataSource("source", str(images)), cache)
        for disguise, (change, suffix, quality) in DISGUISES.items():
            folder = Path(place) / disguise
            folder.mkdir()
            for row in drawn:
                copy = np.ascontiguousarray(change(source.image(names[row])))
                options: dict[str, Any] = {"quality": quality} if quality else {}
                Image.fromarray(copy).save(folder / f"{row}{suffix}", **options)
            leaks = find_leaks(ours, fingerprints(DataSource(disguise, str(folder)), cache))
            right = {leak.eval for leak in leaks if leak.train == names[int(Path(leak.eval).stem)]}
            wrong += sum(leak.train != names[int(Path(leak.eval).stem)] for leak in leaks)
            figures[disguise] = len(right) / len(drawn)
    return figures | {"wrong_pairs": wrong}


def main(
    images: Path = typer.Option(..., "--images", help="Folder or tar of real pictures."),
    count: int = typer.Option(150, "--count", min=1, help="Pictures that are copied."),
    seed: int = typer.Option(0, "--seed", help="Which."),
    large: int = typer.Option(20_000, "--large", help="Pictures of the larger of two sets."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Measure and print."""
    figures = found_copies(images, count, seed)
    rng = np.random.default_rng(seed)
    one, two = (rng.integers(1, 2**63, (n, 8), np.uint64) for n in (large, large * 11 // 20))
    spent = timed(lambda: near_pairs(one, two, MAX_BITS), repeats=1, warmup=0)
    figures["million_orientations_compared_a_second"] = len(one) * two.size / spent.median / 1e6
    report("leakage check", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
