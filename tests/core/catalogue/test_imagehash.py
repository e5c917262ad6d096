"""Perceptual hashes: rotated copies match, other images do not, and all pairs are found."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terraseek.imagehash import FLAT, ORIENTATIONS, distances, image_hashes, near_pairs


def scene(seed: int, side: int = 96) -> np.ndarray:
    """Smooth random image with structure at several scales."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((side, side, 3))
    for cells in (3, 6, 12):
        coarse = random.integers(0, 256, (cells, cells, 3), np.uint8)
        pixels += np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    return (pixels / 3).astype(np.uint8)


def turn(pixels: np.ndarray, name: str) -> np.ndarray:
    if name == "as is":
        return pixels
    pixels = pixels.transpose(1, 0, 2) if "t" in name else pixels
    pixels = pixels[:, ::-1] if "h" in name else pixels
    return pixels[::-1] if "v" in name else pixels


@given(st.integers(0, 10_000), st.integers(33, 140), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_rotated_copy_has_the_hash_of_that_orientation(seed, side, which):
    pixels = scene(seed, side)
    turned = np.ascontiguousarray(turn(pixels, ORIENTATIONS[which]))
    expected = image_hashes(pixels)[which]
    assert distances(image_hashes(turned)[:1], np.array([expected]))[0] <= 2  # rounding


def test_compression_and_size_change_few_bits_and_other_scenes_many():
    changed, other = [], []
    for seed in range(40):
        pixels = scene(seed)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((61, 61)).save(file, "JPEG", quality=40)
        copy = np.asarray(Image.open(file))
        ours = image_hashes(pixels)
        changed.append(int(distances(ours[:1], image_hashes(copy)[:1])[0]))
        other.append(int(distances(ours[:1], image_hashes(scene(seed + 1000))[:1])[0]))
    assert max(changed) <= 8
    assert min(other) >= 12
    assert 28 <= np.mean(other) <= 36


@pytest.mark.parametrize("level", [0, 17, 255])
def test_flat_images_match_nothing(level):
    hashes = np.stack([image_hashes(np.full((40, 50, 3), level, np.uint8))] * 2)
    assert (hashes == FLAT).all()
    assert len(near_pairs(hashes, hashes, 64)[0]) == 0
    assert (image_hashes(scene(1)) != FLAT).all()


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 30), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_pairs_equal_those_of_brute_force(seed, n, m, most):
    random = np.random.default_rng(seed)
    left = random.integers(0, 2**63, (n, 8), np.uint64) * np.uint64(2) + np.uint64(1)
    right = random.integers(0, 2**63, (m, 8), np.uint64) * np.uint64(2) + np.uint64(1)
    if n:
        right[0] = left[0] ^ np.uint64(6)
        left[n // 2] = FLAT
    expected = {
        (i, j): min(int(left[i, 0] ^ hash_).bit_count() for hash_ in right[j])
        for i in range(n)
        for j in range(m)
        if left[i, 0] != FLAT
    }
    rows, others, bits = near_pairs(left, right, most)
    found = dict(zip(zip(rows.tolist(), others.tolist(), strict=True), bits.tolist(), strict=True))
    assert found == {pair: bit for pair, bit in expected.items() if bit <= most}


def test_a_set_compared_with_itself_gives_each_pair_once():
    images = [scene(1), turn(scene(1), "tv"), scene(2), scene(1)]
    hashes = np.stack([image_hashes(np.ascontiguousarray(p)) for p in images])
    rows, others, _ = near_pairs(hashes, hashes, 4)
    assert list(zip(rows.tolist(), others.tolist(), strict=True)) == [(0, 1), (0, 3), (1, 3)]
