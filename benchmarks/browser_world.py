"""Catalogue and scene for the browser benchmark: coloured noise, made by code."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from search_world import make_catalogue, make_store

from terraseek.catalogue import Catalogue
from terraseek.encoders.load import load_encoder
from terraseek.index.build import build_index

__all__ = ["make_world"]

_CHIPS = 1000
"""Different images; larger catalogues use them again."""
_CHIP_SIDE = 64


def make_world(folder: Path, items: int, side: int, model: str) -> tuple[Path, Path]:
    """Write a catalogue of located items with embeddings and index, and a scene.

    Args:
        folder: an empty folder.
        items: number of items; their vectors are those of a thousand images, with noise.
        side: pixels of a side of the scene.
        model: encoder of the embeddings.

    Returns:
        The folder of the catalogue, and that of the scene.
    """
    rng = np.random.default_rng(0)
    chips = [_noise(rng, _CHIP_SIDE) for _ in range(min(_CHIPS, items))]
    encoded = [_jpeg(chip) for chip in chips]
    (folder / "chips.bin").write_bytes(b"".join(encoded))
    catalogue, scenes = folder / "catalogue", folder / "scenes"
    catalogue.mkdir()
    make_catalogue(catalogue, items, (folder / "chips.bin", [len(data) for data in encoded]))
    encoder = load_encoder(model)
    vectors = encoder.encode_images(chips)
    at = catalogue / "embeddings" / model
    store = make_store(at, Catalogue.open(catalogue).count, 0, vectors, (model, encoder.encoder_id))
    build_index(store)
    scenes.mkdir()
    Image.fromarray(_noise(rng, side)).save(scenes / "noise.png", compress_level=1)
    return catalogue, scenes


def _noise(rng: np.random.Generator, side: int) -> np.ndarray:
    """Squares of random colours with noise."""
    squares = rng.integers(30, 220, (8, 8, 3)).repeat(side // 8, 0).repeat(side // 8, 1)
    pixels: np.ndarray = (squares + rng.integers(-30, 30, squares.shape)).astype(np.uint8)
    return pixels


def _jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=80)
    return out.getvalue()
