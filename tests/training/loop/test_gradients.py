"""Gradient caching gives the gradient of the whole batch, whatever the chunk."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from terraseek_train.loop.gradients import backward
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.loop.model import ClipWithHeads

COUNT = 11


def loss(image: Tensor, text: Tensor) -> tuple[Tensor, float]:
    none = torch.zeros(COUNT, COUNT, dtype=torch.bool)
    targets = soft_targets(torch.eye(COUNT, dtype=torch.bool), none, None, 0.1)
    image, text = F.normalize(image, dim=-1), F.normalize(text[:COUNT], dim=-1)
    value = contrastive_loss(image, text, torch.tensor(9.0), targets, none)
    return value, float(value.detach())


def sentences(count: int) -> Tensor:
    tokens = torch.zeros(count, 12, dtype=torch.long)
    for row in range(count):
        words = row % 9 + 1
        tokens[row, 0] = 49406
        tokens[row, 1 : words + 1] = torch.arange(words) + 300 + row
        tokens[row, words + 1] = 49407
    return tokens


@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_chunks_have_the_gradient_of_the_whole_batch(settings: dict[str, Any], chunk: int) -> None:
    torch.manual_seed(0)
    model = ClipWithHeads(settings["arch"], 2).train()
    inputs = (
        (model.encode_images, torch.randn(COUNT, 3, 32, 32)),
        (model.encode_texts, sentences(COUNT + 3)),
    )
    whole_loss = backward(inputs, loss, 0, model)
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    assert backward(inputs, loss, chunk, model) == pytest.approx(whole_loss, abs=1e-6)
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    assert len(found) > 20
    whole, cached = (torch.cat([g.flatten() for g in of.values()]) for of in (expected, found))
    assert float((cached - whole).norm()) < 1e-6 * float(whole.norm())
    for name, gradient in expected.items():
        close = 1e-5 * float(gradient.abs().max()) + 1e-7
        torch.testing.assert_close(found[name], gradient, atol=close, rtol=0, msg=name)


def test_dropout_is_the_same_in_both_inputs() -> None:
    torch.manual_seed(1)
    tower = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 5))
    rows = torch.randn(COUNT, 6)
    torch.manual_seed(7)
    encoded = [torch.cat([tower(chunk) for chunk in rows.split(4)]) for _ in range(2)]
    loss(*encoded)[0].backward()
    expected = [p.grad.clone() for p in tower.parameters() if p.grad is not None]
    tower.zero_grad()
    torch.manual_seed(7)
    backward(((tower, rows), (tower, rows)), loss, 4, tower)
    assert len(expected) == 4
    for parameter, gradient in zip(tower.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-5)


def test_batch_norm_counts_every_chunk_once() -> None:
    torch.manual_seed(2)
    rows = torch.randn(COUNT, 6)
    cached = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    by_hand = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    by_hand.load_state_dict(cached.state_dict())
    for chunk in rows.split(6):
        by_hand(chunk)
    keep = nn.Linear(6, 5)
    backward(((cached, rows), (keep, rows)), loss, 6, cached)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(cached.state_dict()[name], value, msg=name)


def test_with_frozen_statistics_batch_norm_is_exact_too() -> None:
    torch.manual_seed(3)
    tower = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 4)).eval()
    rows = torch.randn(COUNT, 6)
    gradients = []
    for chunk in (0, 3):
        tower.zero_grad()
        backward(((tower, rows), (tower, rows.flip(0))), loss, chunk, tower)
        gradients.append([p.grad.clone() for p in tower.parameters() if p.grad is not None])
    for whole, cached in zip(*gradients, strict=True):
        torch.testing.assert_close(cached, whole, atol=1e-6, rtol=1e-5)


def test_a_tower_the_loss_does_not_use_gets_no_gradient() -> None:
    towers = [nn.Linear(3, 2) for _ in range(2)]
    rows = torch.ones(4, 3)

    def first_only(a: Tensor, _: Tensor) -> tuple[Tensor, None]:
        return a.sum(), None

    backward(((towers[0], rows), (towers[1], rows)), first_only, 2, nn.ModuleList(towers))
    assert float(towers[0].weight.grad.sum()) == pytest.approx(24)
    assert float(towers[1].weight.grad.abs().sum()) == 0
