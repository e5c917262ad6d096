"""Blended images and coarse mosaics: pixels, shares and targets agree."""

import numpy as np
import pytest
import torch

from terraseek_train.data.augment import _top_of_atmosphere, augment, coarse_mosaic
from terraseek_train.data.batch import draw_mixup, drop_words, mix_pixels
from terraseek_train.loop.losses import class_loss, mixed_class_loss, mixed_targets


def test_partners_are_of_the_same_process() -> None:
    mixup = draw_mixup(12, 3, 0.5, np.random.default_rng(0))
    assert [sorted(part) for part in mixup.partner.reshape(3, 4)] == [
        [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11],
    ]  # fmt: skip
    assert mixup.lam.min() >= 0.5
    assert (mixup.lam < 1).any()
    assert (mixup.lam == 1).any()


def test_a_mixed_image_keeps_its_weight_of_itself() -> None:
    pixels = np.zeros((40, 32, 32, 3), np.uint8)
    pixels[1::2] = 200
    partner = np.arange(40).reshape(-1, 2)[:, ::-1].reshape(-1).astype(np.int64)
    lam = np.full(40, 0.75, np.float32)
    lam[:4] = 1
    out = mix_pixels(pixels, partner, lam, np.random.default_rng(0))
    assert np.array_equal(out[:4], pixels[:4])
    found = out[4::2].mean((1, 2, 3)) / 200
    assert found == pytest.approx(np.full(18, 0.25), abs=0.02)


def test_targets_of_mixed_images_are_weighted_and_neutral_pairs_stay_out() -> None:
    targets = torch.eye(3)
    none = torch.zeros(3, 3, dtype=torch.bool)
    neutral = none.clone()
    neutral[1, 2] = True
    partner, lam = torch.tensor([1, 0, 2]), torch.tensor([0.75, 1.0, 1.0])
    found, out = mixed_targets(targets, neutral, torch.eye(3).bool(), partner, lam)
    assert found[0].tolist() == pytest.approx([0.75, 0.25, 0])
    assert found[1].tolist() == [0, 1, 0]
    assert out.tolist() == [[False, False, True], [False, False, True], [False, False, False]]
    assert found.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_the_class_loss_of_a_mixed_image_is_the_weighted_sum() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    label, source = torch.tensor([0, 2]), torch.zeros(2, dtype=torch.long)
    classes = torch.zeros(3, dtype=torch.long)
    swap = torch.tensor([1, 0])
    lam = torch.tensor([0.6, 0.6])
    found = mixed_class_loss(logits, label, source, classes, swap, lam)
    own = class_loss(logits, label, source, classes)
    partners = class_loss(logits, label[swap], source, classes)
    assert float(found) == pytest.approx(float(0.6 * own + 0.4 * partners), rel=1e-5)
    plain = mixed_class_loss(logits, label, source, classes, swap, torch.ones(2))
    assert float(plain) == pytest.approx(float(own))


def test_a_mosaic_shows_its_four_images_in_their_corners() -> None:
    shades = (20, 90, 160, 230)
    images = [np.full((64, 64, 3), shade, np.uint8) for shade in shades]
    view = coarse_mosaic(images, 64, np.random.default_rng(1)).astype(int)
    assert view.shape == (64, 64, 3)
    corners = [view[:8, :8], view[:8, -8:], view[-8:, :8], view[-8:, -8:]]
    brightness = [corner.mean() for corner in corners]
    assert brightness == sorted(brightness)
    assert brightness[3] - brightness[0] > 10


def test_haze_stays_near_grey() -> None:
    """A veil that takes most of the red away once made every hazy image teal."""
    grey = np.full((48, 48, 3), 110, np.uint8)
    views = [augment(grey, 32, np.random.default_rng(seed)).mean((0, 1)) for seed in range(200)]
    spread = np.array([view.max() - view.min() for view in views])
    assert np.quantile(spread, 0.95) < 70


def test_top_of_atmosphere_adds_blue_to_dark_land_and_keeps_white() -> None:
    dark, white = np.full((48, 48, 3), 40, np.uint8), np.full((48, 48, 3), 255, np.uint8)
    for seed in range(20):
        red, green, blue = _top_of_atmosphere(dark, np.random.default_rng(seed))[0, 0].astype(int)
        assert 40 < red < green < blue <= 40 + 70
        assert (_top_of_atmosphere(white, np.random.default_rng(seed)) >= 254).all()


def test_only_sources_that_ask_for_it_are_seen_top_of_atmosphere() -> None:
    dark = np.full((48, 48, 3), 60, np.uint8)

    def blueness(air: float) -> float:
        views = [augment(dark, 32, np.random.default_rng(k), air=air) for k in range(60)]
        return float(np.mean([view[..., 2].mean() - view[..., 0].mean() for view in views]))

    assert blueness(1.0) > blueness(0.0) + 10


def test_kept_words_move_up_and_start_and_end_stay() -> None:
    rng = np.random.default_rng(0)
    sentences = np.zeros((200, 12), np.int32)
    for row in sentences:
        length = int(rng.integers(1, 11))
        row[0], row[1 + length] = 49406, 49407
        row[1 : 1 + length] = rng.integers(1, 49406, length)
    dropped = drop_words(sentences, 0.3, rng)
    for before, after in zip(sentences, dropped, strict=True):
        words, kept = before[before > 0], after[after > 0]
        assert (after[len(kept) :] == 0).all()
        assert kept[0] == 49406
        assert kept[-1] == 49407
        places = iter(words)
        assert all(word in places for word in kept)  # in their order
    share = 1 - (dropped > 0).sum() / (sentences > 0).sum()
    assert 0.15 < share < 0.3
    assert np.array_equal(drop_words(sentences, 0.0, rng), sentences)
