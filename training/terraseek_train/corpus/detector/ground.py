"""Photographs that are not taken from above: those that scikit-image ships, and folders of them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from terraseek.catalogue.images import decode_image
from terraseek.catalogue.records import IMAGE_SUFFIXES
from terraseek.errors import SceneError, SourceError

__all__ = ["SHIPPED", "photographs", "random_crop"]

SHIPPED = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "horse.png",
    "ihc.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
"""Images in scikit-image's package that show no ground from above."""
_MAX_SIDE = 640


def photographs(
    folders: Sequence[str], shipped: bool = True
) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
    """Decode photographs by name: all images of folders, and scikit-image's if `shipped`.

    Those of scikit-image are used where it is installed (extra `train`).

    Raises:
        SourceError: a folder contains no image, or there is no photograph at all.
    """
    package = find_spec("skimage")
    data = Path(package.origin).parent / "data" if package and package.origin else None
    known = [data / name for name in SHIPPED] if shipped and data else []
    paths = [path for path in known if path.exists()]
    for folder in folders:
        found = [p for p in sorted(Path(folder).rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES]
        if not found:
            raise SourceError(f"{folder} contains no image of the ground")
        paths += found
    if not paths:
        raise SourceError(
            "no photograph of the ground; give folders with some, or install scikit-image"
        )
    images = {}
    for path in paths:
        try:
            images[str(path)] = decode_image(path.read_bytes(), path.name, _MAX_SIDE)
        except SceneError:
            continue
    return images


def random_crop(
    rng: np.random.Generator, image: UInt8[np.ndarray, "h w 3"], side: int = 192
) -> UInt8[np.ndarray, "side side 3"]:
    """Cut a random square of 40 to 100 % of the shorter side, mirrored at random."""
    height, width = image.shape[:2]
    length = max(1, int(min(height, width) * rng.uniform(0.4, 1.0)))
    top, left = (int(rng.integers(0, n - length + 1)) for n in (height, width))
    square = image[top : top + length, left : left + length]
    square = square[:, ::-1] if rng.random() < 0.5 else square
    resized = Image.fromarray(np.ascontiguousarray(square)).resize((side, side))
    pixels = np.asarray(resized, np.float32) * rng.uniform(0.75, 1.2) + rng.uniform(-15, 15)
    return np.asarray(pixels.clip(0, 255), np.uint8)
