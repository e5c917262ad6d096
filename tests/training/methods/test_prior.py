"""Parts of PIR and PriorCLIP against float64 loops, and classes of one sample."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from terraseek_train.methods.prior import (
    CrossLayer,
    InstructionEncoder,
    OpenDomainVision,
    PaeLayer,
    SelfLayer,
    SpatialPae,
    TemporalPae,
    affiliation_loss,
    belief_matrix,
    label_from_filename,
    prior_loss,
    soft_weights,
)


def seeded(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return nn.functional.normalize(seeded(*shape, seed=seed), dim=-1)


def norm(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + layer.eps)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def attend(layer: nn.MultiheadAttention, query: np.ndarray, x: np.ndarray) -> np.ndarray:
    weight, bias = layer.in_proj_weight.detach().numpy(), layer.in_proj_bias.detach().numpy()
    wq, wk, wv = np.split(weight, 3)
    bq, bk, bv = np.split(bias, 3)
    q, k, v = query @ wq.T + bq, x @ wk.T + bk, x @ wv.T + bv
    heads = []
    size = q.shape[1] // layer.num_heads
    for head in range(layer.num_heads):
        part = slice(head * size, (head + 1) * size)
        logits = np.exp(q[:, part] @ k[:, part].T / math.sqrt(size))
        heads.append(logits / logits.sum(1, keepdims=True) @ v[:, part])
    return layer.out_proj(torch.from_numpy(np.concatenate(heads, 1))).detach().numpy()


@pytest.mark.parametrize("cross", [False, True])
def test_layers_are_the_printed_post_norm_formulas(cross: bool) -> None:
    torch.manual_seed(0)
    layer: Any = (CrossLayer if cross else SelfLayer)(8, 2).double().eval()
    nn.init.normal_(layer.attention.in_proj_bias)
    a, y = seeded(1, 5, 8), seeded(1, 5, 8, seed=1)
    got = layer(a, y) if cross else layer(y)
    rows = y[0].numpy()
    first = norm(layer.ln_1, rows + attend(layer.attention, a[0].numpy() if cross else rows, rows))
    ffn = layer.ffn(torch.from_numpy(first)).detach().numpy()
    np.testing.assert_allclose(got[0].detach().numpy(), norm(layer.ln_2, first + ffn), rtol=1e-9)
    assert layer.ffn[0].out_features == 16


def test_a_pae_layer_takes_the_mapped_condition_as_query() -> None:
    torch.manual_seed(0)
    layer = PaeLayer(8, 2).double().eval()
    x, c = seeded(2, 3, 8), seeded(2, 3, 8, seed=1)
    expected = layer.cross(c @ layer.condition.weight.T + layer.condition.bias, layer.own(x))
    torch.testing.assert_close(layer(x, c), expected)


def test_belief_is_a_softmax_of_plain_products() -> None:
    tokens, u = seeded(2, 4, 3), seeded(2, 3, seed=1)
    got = belief_matrix(tokens, u).numpy()
    for row in range(2):
        raw = np.exp([float(token @ u[row]) for token in tokens[row]])
        np.testing.assert_allclose(got[row], raw / raw.sum())


def test_soft_weights_use_true_ranks_and_the_release_its_permutation() -> None:
    belief = torch.tensor([[0.1, 0.2, 0.6, 0.1]], dtype=torch.float64)
    ranks = [3, 2, 1, 4]  # equal beliefs in the order of the tokens
    expected = [b + 1 / math.sqrt(r) for b, r in zip(belief[0].tolist(), ranks, strict=True)]
    np.testing.assert_allclose(soft_weights(belief)[0], expected)
    order = [2, 1, 0, 3]  # the permutation that sorts
    released = [b + 1 / math.sqrt(o + 1) for b, o in zip(belief[0].tolist(), order, strict=True)]
    np.testing.assert_allclose(soft_weights(belief, release_compatible=True)[0], released)
    other = torch.tensor([[0.3, 0.1, 0.6]], dtype=torch.float64)  # here the two differ
    assert not torch.allclose(soft_weights(other), soft_weights(other, True))


def pae(**settings: Any) -> SpatialPae:
    torch.manual_seed(0)
    return SpatialPae(8, 2, **settings).double().eval()


def test_hard_belief_keeps_the_tokens_of_highest_belief_and_outputs_the_first() -> None:
    tokens, u = seeded(2, 6, 8), seeded(2, 8, seed=1)
    head = pae(keep=3)
    kept = head.select(tokens, u)
    for row in range(2):
        order = np.argsort(-(tokens[row] @ u[row]).numpy())[:3]
        torch.testing.assert_close(kept[row], tokens[row, order])
    x = kept
    for layer in head.layers:
        x = layer(x, u[:, None].expand(2, 3, 8))
    raw = tokens[:, 0] + head.head(x[:, 0])
    torch.testing.assert_close(head(tokens, u), raw / raw.norm(dim=1, keepdim=True))
    assert len(head.layers) == 2


def test_keep_above_the_number_of_tokens_keeps_all() -> None:
    tokens, u = seeded(1, 6, 8), seeded(1, 8, seed=1)
    assert pae(keep=40).select(tokens, u).shape == (1, 6, 8)


def test_soft_belief_keeps_all_tokens_in_place() -> None:
    tokens, u = seeded(2, 6, 8), seeded(2, 8, seed=1)
    head = pae(belief="soft")
    expected = tokens * soft_weights(belief_matrix(tokens, u))[..., None]
    torch.testing.assert_close(head.select(tokens, u), expected)
    x = expected
    for layer in head.layers:
        x = layer(x, u[:, None].expand_as(x))
    for pool, out in (("first", x[:, 0]), ("sum", x.sum(1))):
        other = pae(belief="soft", pool=pool)
        raw = tokens[:, 0] + other.head(out)
        torch.testing.assert_close(other(tokens, u), raw / raw.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("belief", ["hard", "soft"])
def test_gradients_reach_tokens_instruction_and_all_layers(belief: Any) -> None:
    head = pae(belief=belief, keep=4).train()
    tokens, u = seeded(1, 6, 8).requires_grad_(), seeded(1, 8, seed=1).requires_grad_()
    (head(tokens, u) * seeded(1, 8, seed=2)).sum().backward()
    for value in (tokens, u, *head.parameters()):
        assert value.grad is not None
        assert bool(value.grad.isfinite().all())
    assert float(u.grad.abs().max()) > 0


@pytest.mark.parametrize("belief", ["hard", "soft"])
def test_spatial_gradients_are_those_of_finite_differences(belief: Any) -> None:
    head = pae(belief=belief, keep=3, layers=1)
    tokens, u = seeded(1, 4, 8).requires_grad_(), seeded(1, 8, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(head, (tokens, u))


def test_each_step_of_a_caption_conditions_the_next() -> None:
    torch.manual_seed(0)
    head = TemporalPae(8, 2).double().eval()
    tokens = seeded(2, 5, 8)
    x = tokens
    for layer in head.layers:
        x = layer.cross(layer.condition(x), layer.own(x))
    at = torch.tensor([4, 1])
    raw = torch.stack([tokens[i, p] + head.head(x[i, p]) for i, p in enumerate(at)])
    torch.testing.assert_close(head(tokens, at), raw / raw.norm(dim=1, keepdim=True))
    assert len(head.layers) == 3
    first = tokens[:, 0] + head.head(x[:, 0])
    torch.testing.assert_close(head(tokens), first / first.norm(dim=1, keepdim=True))


def test_temporal_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    head = TemporalPae(4, 2, layers=2, dropout=0.0).double()
    assert torch.autograd.gradcheck(head, (seeded(2, 3, 4).requires_grad_(),))


def test_masked_tokens_of_a_caption_have_no_effect() -> None:
    torch.manual_seed(0)
    head = TemporalPae(8, 2).double().eval()
    tokens = seeded(1, 5, 8)
    valid = torch.tensor([[True, True, True, False, False]])
    other = tokens.clone()
    other[:, 3:] = 9.0
    torch.testing.assert_close(head(tokens, valid=valid), head(other, valid=valid))
    assert not torch.allclose(head(tokens), head(other))


class Pooled(nn.Module):
    """Mean colour, with a batch norm whose statistics must not move."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(x.mean((2, 3)))


def test_the_instruction_backbone_stays_frozen_in_training() -> None:
    encoder = InstructionEncoder(Pooled(), 3, 8)
    encoder.train()
    before = encoder.backbone.bn.running_mean.clone()
    encoder(torch.ones(1, 3, 4, 4)).sum().backward()  # one row would also upset a training bn
    torch.testing.assert_close(encoder.backbone.bn.running_mean, before)
    trained = [name for name, value in encoder.named_parameters() if value.requires_grad]
    assert trained == ["project.weight", "project.bias"]
    assert encoder.project.weight.grad is not None


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("rows", [1, 2])
def test_the_open_domain_tower_outputs_the_instruction_token(released: bool, rows: int) -> None:
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision = {"image_size": 16, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    visual = CLIP(embed_dim=12, vision_cfg=vision, text_cfg=text).visual.eval()
    tower = OpenDomainVision(visual, InstructionEncoder(Pooled(), 3, 32), released).eval()
    pixels = torch.randn(rows, 3, 16, 16)
    u = tower.instruction(pixels)
    x = visual._embeds(pixels)  # open_clip's own embedding
    b = torch.einsum("bnd,bd->bn", x, u).softmax(1)
    order = b.argsort(1, descending=True)
    place = order if released else order.argsort(1)
    x = x * (b + 1 / torch.sqrt(place + 1.0))[..., None]
    x = x / x.norm(dim=1 if released else 2, keepdim=True)
    x = visual.transformer(torch.cat([u[:, None], x], 1))
    torch.testing.assert_close(tower(pixels), visual.ln_post(x)[:, 0] @ visual.proj)
    assert x.shape == (rows, 6, 32)


def test_a_given_instruction_is_used_unchanged() -> None:
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8}
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    visual = CLIP(embed_dim=12, vision_cfg=vision, text_cfg=text).visual.eval()
    tower = OpenDomainVision(visual, InstructionEncoder(Pooled(), 3, 16))
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(tower(pixels), tower(pixels, tower.instruction(pixels)))
    assert not torch.allclose(tower(pixels), tower(pixels, torch.randn(2, 16)))


def slow_affiliation(images: np.ndarray, texts: np.ndarray, label: list[int], kind: str) -> float:
    def entropy(row: list[float], target: int) -> float:
        return -row[target] + math.log(sum(math.exp(v) for v in row))

    classes = sorted(set(label))
    total = 0.0
    for own, others in ((images, texts), (texts, images)):
        center = {
            c: np.mean([v for v, y in zip(others, label, strict=True) if y == c], axis=0)
            for c in classes
        }
        for i, vector in enumerate(own):
            keys = label if kind == "identity" else classes
            target = i if kind == "identity" else classes.index(label[i])
            total += entropy([5 * float(vector @ center[y]) for y in keys], target) / len(own)
    return total / 2


@pytest.mark.parametrize("reading", ["identity", "class"])
def test_affiliation_is_the_printed_loss_in_both_readings(reading: Any) -> None:
    images, texts = unit(5, 4), unit(5, 4, seed=1)
    label = [3, 0, 3, 3, 7]  # two classes have one sample
    got = affiliation_loss(images, texts, torch.tensor(label), torch.tensor(5.0).double(), reading)
    assert float(got) == pytest.approx(
        slow_affiliation(images.numpy(), texts.numpy(), label, reading)
    )


def test_same_class_rows_are_negatives_in_the_identity_reading_only() -> None:
    same = unit(1, 4).expand(3, 4)
    scale, label = torch.tensor(20.0).double(), torch.zeros(3, dtype=torch.long)
    assert float(affiliation_loss(same, same, label, scale, "identity")) == pytest.approx(
        math.log(3)
    )
    assert float(affiliation_loss(same, same, label, scale, "class")) == pytest.approx(0)


def test_pirs_second_direction_is_a_softmax_over_captions() -> None:
    images, texts, label = unit(3, 4), unit(3, 4, seed=1), torch.tensor([0, 0, 1])
    scale = torch.tensor(5.0).double()
    centers = torch.stack([images[:2].mean(0), images[:2].mean(0), images[2]])
    other = torch.stack([texts[:2].mean(0), texts[:2].mean(0), texts[2]])
    there = -(5 * images @ other.T).log_softmax(1).diagonal().mean()
    back = -(5 * centers @ texts.T).log_softmax(1).diagonal().mean()
    got = affiliation_loss(images, texts, label, scale, "identity", softmax_over_texts=True)
    torch.testing.assert_close(got, (there + back) / 2)


@pytest.mark.parametrize("reading", ["identity", "class"])
def test_affiliation_gradients_and_unlabelled_rows(reading: Any) -> None:
    images, texts = unit(4, 3).requires_grad_(), unit(4, 3, seed=1).requires_grad_()
    label = torch.tensor([0, -1, 0, 2])
    scale = torch.tensor(4.0).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda i, t, s: affiliation_loss(i, t, label, s, reading), (images, texts, scale)
    )
    known = label >= 0
    alone = affiliation_loss(images[known], texts[known], label[known], scale, reading)
    torch.testing.assert_close(affiliation_loss(images, texts, label, scale, reading), alone)
    nothing = affiliation_loss(images, texts, torch.full((4,), -1), scale, reading)
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert float(images.grad.abs().sum()) == 0


@pytest.mark.parametrize("reading", ["identity", "class"])
def test_a_batch_of_one_has_zero_loss(reading: Any) -> None:
    one, scale = unit(1, 4).requires_grad_(), torch.tensor(14.0).double()
    number = torch.zeros(1, dtype=torch.long)
    loss = prior_loss(one, unit(1, 4, seed=1), number, number, scale, reading=reading)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0)
    assert bool(one.grad.isfinite().all())


def test_the_total_loss_is_contrastive_plus_weighted_affiliation() -> None:
    images, texts = unit(3, 4), unit(3, 4, seed=1)
    image, label = torch.tensor([5, 5, 6]), torch.tensor([0, 1, 1])
    scale, second = torch.tensor(14.0).double(), torch.tensor(3.0).double()
    logits = 14 * images @ texts.T
    target = torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]).double()
    contrast = -(target * (logits.log_softmax(1) + logits.T.log_softmax(1))).sum() / 6
    extra = affiliation_loss(images, texts, label, second, "identity")
    got = prior_loss(images, texts, image, label, scale, second, weight=0.7)
    torch.testing.assert_close(got, contrast + 0.7 * extra)


def test_a_label_is_the_name_before_its_first_underscore() -> None:
    assert label_from_filename("images/storagetanks_12_a.jpg") == "storagetanks"
    assert label_from_filename("plain.jpg") == "plain.jpg"
