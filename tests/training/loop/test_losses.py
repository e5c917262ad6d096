"""Losses against float64 loops written from their definitions."""

import math

import numpy as np
import pytest
import torch

from terraseek_train.loop.losses import (
    class_loss,
    contrastive_loss,
    distillation_targets,
    sentence_vector_loss,
    soft_targets,
)


def unit_rows(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, dim))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def reference_contrast(
    images: np.ndarray, texts: np.ndarray, scale: float, targets: np.ndarray, neutral: np.ndarray
) -> float:
    logits = scale * images @ texts.T
    count = len(images)
    total = 0.0
    for i in range(count):
        allowed = [j for j in range(count) if not neutral[i, j]]
        norm = math.log(sum(math.exp(logits[i, j]) for j in allowed))
        total += -sum(targets[i, j] * (logits[i, j] - norm) for j in allowed) / count
    for j in range(count):
        allowed = [i for i in range(count) if not neutral[i, j]]
        norm = math.log(sum(math.exp(logits[i, j]) for i in allowed))
        mass = targets[:, j].sum()
        total += -sum(targets[i, j] / mass * (logits[i, j] - norm) for i in allowed) / count
    return total / 2


def test_contrastive_loss_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    images, texts = unit_rows(rng, 6, 5), unit_rows(rng, 6, 5)
    same = np.eye(6, dtype=bool)
    same[0, 3] = same[3, 0] = True
    neutral = np.zeros((6, 6), bool)
    neutral[1, 2] = True
    targets = soft_targets(torch.from_numpy(same), torch.from_numpy(neutral), None, 0.2).double()
    got = contrastive_loss(
        torch.from_numpy(images),
        torch.from_numpy(texts),
        torch.tensor(20.0, dtype=torch.float64),
        targets,
        torch.from_numpy(neutral),
    )
    expected = reference_contrast(images, texts, 20.0, targets.numpy(), neutral)
    assert float(got) == pytest.approx(expected, abs=1e-6)


def test_distillation_targets_equal_the_definition() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 4, (4, 4))
    neutral = np.zeros((4, 4), bool)
    neutral[1, 2] = True
    same = np.eye(4, dtype=bool)
    same[0, 3] = True
    known = soft_targets(torch.from_numpy(same), torch.from_numpy(neutral), None, 0.0).double()
    tensors = (torch.from_numpy(scores), torch.from_numpy(neutral))
    image_to_text, text_to_image = (
        part.numpy() for part in distillation_targets(known, *tensors, 0.25)
    )
    chances = np.where(neutral, 0, np.exp(scores))
    assert image_to_text == pytest.approx(
        0.75 * known.numpy() + 0.25 * (chances.T / chances.sum(1)).T
    )
    column = known.numpy() / known.numpy().sum(0)
    assert text_to_image == pytest.approx((0.75 * column + 0.25 * chances / chances.sum(0)).T)
    assert image_to_text.sum(1) == pytest.approx(1)
    assert text_to_image.sum(1) == pytest.approx(1)
    images, texts = (torch.from_numpy(unit_rows(rng, 4, 5)) for _ in range(2))
    scale = torch.tensor(9.0, dtype=torch.float64)
    targets = (
        torch.from_numpy(image_to_text),
        torch.from_numpy(neutral),
        torch.from_numpy(text_to_image),
    )
    got = contrastive_loss(images, texts, scale, *targets)
    logits = np.where(neutral, -np.inf, 9 * images.numpy() @ texts.numpy().T)
    terms = [
        np.where(t > 0, t * -np.log(c), 0).sum()
        for t, c in ((image_to_text, softmax(logits)), (text_to_image, softmax(logits.T)))
    ]
    assert float(got) == pytest.approx(sum(terms) / 8, abs=1e-9)


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits)
    return np.where(raised > 0, raised, 1e-300) / raised.sum(1, keepdims=True)


def test_contrastive_loss_of_perfect_pairs_is_small_and_of_swapped_pairs_large() -> None:
    eye = torch.eye(4)
    none = torch.zeros(4, 4, dtype=torch.bool)
    targets = soft_targets(eye.bool(), none, None, 0.0)
    scale = torch.tensor(50.0)
    assert float(contrastive_loss(eye, eye, scale, targets, none)) < 1e-6
    assert float(contrastive_loss(eye, eye.flip(0), scale, targets, none)) > 40


def test_a_neutral_pair_has_no_gradient() -> None:
    rng = np.random.default_rng(1)
    images = torch.from_numpy(unit_rows(rng, 3, 4)).requires_grad_()
    texts = torch.from_numpy(unit_rows(rng, 3, 4))
    neutral = torch.zeros(3, 3, dtype=torch.bool)
    neutral[0, 1] = neutral[0, 2] = True
    targets = soft_targets(torch.eye(3, dtype=torch.bool), neutral, None, 0.0).double()
    row_only = contrastive_loss(images, texts, torch.tensor(10.0).double(), targets, neutral)
    row_only.backward()
    # row 0 sees only its own sentence; what is left comes from its sentence's column
    alone = torch.log_softmax(10.0 * images.detach() @ texts.T[:, :1], dim=0)
    push = torch.autograd.functional.jacobian(
        lambda x: -torch.log_softmax(10.0 * x @ texts.T[:, :1], dim=0)[0, 0] / 6, images.detach()
    )
    assert alone.shape == (3, 1)
    torch.testing.assert_close(images.grad[0], push[0])


def test_soft_targets_sum_to_one_over_positive_pairs_and_leave_out_neutral_ones() -> None:
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    neutral = torch.tensor([[0, 0, 1], [0, 0, 0], [0, 0, 0]], dtype=torch.bool)
    vectors = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.6]]), dim=1
    )
    vectors = torch.nn.functional.pad(vectors, (0, 382))
    targets = soft_targets(same, neutral, vectors, 0.3)
    torch.testing.assert_close(targets.sum(1), torch.ones(3))
    assert targets[0, 2] == 0
    assert targets[1, 2] > 0
    torch.testing.assert_close(
        soft_targets(same, neutral, vectors, 0.0)[0], torch.tensor([0.5, 0.5, 0])
    )


def test_class_loss_compares_classes_of_the_same_source_only() -> None:
    logits = torch.tensor([[2.0, 1.0, 9.0], [0.5, 0.5, 3.0], [7.0, 7.0, 7.0]])
    label = torch.tensor([0, 2, -1], dtype=torch.int16)
    source = torch.tensor([0, 1, 0], dtype=torch.int16)
    classes = torch.tensor([0, 0, 1], dtype=torch.int16)
    got = class_loss(logits, label, source, classes, smoothing=0.1)
    first = [math.exp(2.0), math.exp(1.0)]
    log = [math.log(value / sum(first)) for value in first]
    expected = (-(0.9 * log[0] + 0.1 * sum(log) / 2) - 0.0) / 2
    assert float(got) == pytest.approx(expected, rel=1e-6)


def test_class_loss_without_labels_is_zero_and_can_be_differentiated() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    nothing = torch.full((2,), -1, dtype=torch.int16)
    loss = class_loss(logits, nothing, torch.zeros(2).short(), torch.zeros(3).short())
    loss.backward()
    assert float(loss.detach()) == 0
    assert float(logits.grad.abs().sum()) == 0


def test_sentence_vector_loss_is_zero_for_the_same_direction_and_two_for_the_opposite() -> None:
    vectors = torch.eye(2, 384)
    assert float(sentence_vector_loss(3 * vectors, vectors)) == pytest.approx(0, abs=1e-6)
    assert float(sentence_vector_loss(-vectors, vectors)) == pytest.approx(2, abs=1e-6)
