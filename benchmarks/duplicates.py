"""Which near-duplicates are found: `python benchmarks/duplicates.py SOURCE [--items N] [--json]`.

Images sampled from a source are transformed as copies are: saved again as JPEG, cropped, rotated,
brightened. A pair of an image and its transformed copy is a true pair, a pair of different images a
false one, unless the source itself contains copies: `--show` lists such pairs for inspection, and
`--same` names those that are copies.

`recall`     by transformation, and overall: share of the true pairs that are found
`false`      number of false pairs that are found, out of `of` possible ones
`precision`  true pairs found over all pairs found
"""

import io
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer
from common import machine
from PIL import Image
from rich.console import Console
from rich.table import Table

from terraseek.catalogue import Catalogue, import_source
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.imagehash import FLAT, distances, image_hashes

PilImage = Image.Image
COSINES = (0.0, 0.9, 0.95, 0.98)
BITS = (6, 10, 14, 64)


def jpeg(quality: int) -> Callable[[PilImage], PilImage]:
    """Save again as JPEG of a quality."""

    def transform(image: PilImage) -> PilImage:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return transform


def cropped(share: float) -> Callable[[PilImage], PilImage]:
    """Crop away a share of width and height, half on each side."""

    def transform(image: PilImage) -> PilImage:
        x, y = (round(side * share / 2) for side in image.size)
        return image.crop((x, y, image.width - x, image.height - y))

    return transform


def rotated(degrees: float) -> Callable[[PilImage], PilImage]:
    """Rotate about the centre and crop to the area with pixels."""

    def transform(image: PilImage) -> PilImage:
        angle = np.deg2rad(degrees)
        kept = 1 / (abs(np.cos(angle)) + abs(np.sin(angle)))
        return cropped(1 - kept)(image.rotate(degrees, Image.Resampling.BICUBIC))

    return transform


def brighter(factor: float) -> Callable[[PilImage], PilImage]:
    """Multiply all levels by a factor."""
    return lambda image: image.point(lambda level: min(255, round(level * factor)))


TRANSFORMATIONS: dict[str, Callable[[PilImage], PilImage]] = {
    "JPEG 75": jpeg(75),
    "JPEG 30": jpeg(30),
    "crop 5 %": cropped(0.05),
    "crop 10 %": cropped(0.10),
    "rotated by 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotated by 3": rotated(3),
    "brightness 1.2": brighter(1.2),
    "brightness 0.8": brighter(0.8),
}


def main(
    source: Path,
    items: int = 400,
    model: str = DEFAULT_MODEL,
    seed: int = 0,
    show: bool = typer.Option(False, help="List pairs of different images that look alike."),
    same: str = typer.Option("", help="Those of them that are copies: a|b,c|d."),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        import_source(source, Path(temporary) / "cat", check=False)
        catalogue = Catalogue.open(Path(temporary) / "cat")
        rows = np.random.default_rng(seed).permutation(catalogue.row_count)[:items]
        chosen = catalogue.items_at(np.sort(rows), ["item_id", "image"])
        plain = [Image.fromarray(catalogue.read_image(key)) for key in chosen["item_id"]]
    images = [*plain, *(transform(one) for transform in TRANSFORMATIONS.values() for one in plain)]
    encoder = load_encoder(model, "cpu")
    pixels = [np.asarray(image) for image in images]
    vectors = encoder.encode_images(pixels)
    hashes = np.stack([image_hashes(one) for one in pixels])
    names = [name.split("#")[-1] for name in chosen["image"]]
    copies = {frozenset(pair.split("|")) for pair in same.split(",") if pair}
    figures = measure(vectors, hashes, names, copies)
    if as_json:
        import json

        print(json.dumps(figures, indent=2))
    else:
        print_table(figures, len(plain))
    if show:
        for one, other in similar_pairs(vectors, hashes, names, 0.95, 10):
            print(one, other)


def compare(
    vectors: np.ndarray, hashes: np.ndarray, count: int, at: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and smallest hash distances in bits between the images and one transformation."""
    cosines = vectors[:count] @ vectors[at : at + count].T
    bits = np.full((count, count), 64)
    for row in range(count):
        for way in range(8):
            other = hashes[at : at + count, way]
            bits[row] = np.minimum(bits[row], distances(np.full(count, hashes[row, 0]), other))
    flat = hashes[:count, 0] == FLAT
    bits[flat] = 65
    bits[:, hashes[at : at + count, 0] == FLAT] = 65
    return cosines, bits


def measure(
    vectors: np.ndarray, hashes: np.ndarray, names: list[str], copies: set[frozenset[str]]
) -> list[dict[str, float | str]]:
    """Figures for each pair of thresholds."""
    count = len(names)
    different = ~np.eye(count, dtype=bool)
    for one, other in itertools.permutations(range(count), 2) if copies else ():
        if frozenset((names[one], names[other])) in copies:
            different[one, other] = False
    compared = [
        compare(vectors, hashes, count, count * (n + 1)) for n in range(len(TRANSFORMATIONS))
    ]
    rows: list[dict[str, float | str]] = []
    for least, most in itertools.product(COSINES, BITS):
        found = [(cosines >= least) & (bits <= most) for cosines, bits in compared]
        hit = [int(np.diagonal(one).sum()) for one in found]
        false = sum(int((one & different).sum()) for one in found)
        row: dict[str, float | str] = {"cosine": least, "bits": most}
        row |= {name: share / count for name, share in zip(TRANSFORMATIONS, hit, strict=True)}
        row["recall"] = sum(hit) / (count * len(hit))
        row["false"] = false
        row["of"] = int(different.sum()) * len(hit)
        row["precision"] = sum(hit) / max(1, sum(hit) + false)
        rows.append(row)
    return rows


def similar_pairs(
    vectors: np.ndarray, hashes: np.ndarray, names: list[str], least: float, most: int
) -> list[tuple[str, str]]:
    """Pairs of different untransformed images that the thresholds mark as duplicates."""
    cosines, bits = compare(vectors, hashes, len(names), 0)
    found = np.argwhere(np.triu((cosines >= least) & (bits <= most), 1))
    return [(names[one], names[other]) for one, other in found]


def print_table(figures: list[dict[str, float | str]], count: int) -> None:
    """Print the figures as a table."""
    table = Table(title=f"near-duplicates of {count} images ({machine()})")
    for name in figures[0]:
        table.add_column(name, justify="right")
    for row in figures:
        whole = ("cosine", "bits", "false", "of")
        table.add_row(*(f"{v:,}" if k in whole else f"{float(v):.3f}" for k, v in row.items()))
    Console(width=200).print(table)


if __name__ == "__main__":
    typer.run(main)
