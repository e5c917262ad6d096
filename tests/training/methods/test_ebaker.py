"""Parts of EBAKER against loops and hand counts, and their edge cases."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from terraseek.errors import ConfigError
from terraseek_train.methods.ebaker import (
    EbakerOptions,
    KeywordReasoner,
    SimilarityBank,
    combined_scores,
    ebaker_loss,
    keep_rows,
    keyword_statistics,
    local_scores,
    local_similarity,
    mask_keywords,
    mask_keywords_as_released,
    row_contrastive,
)
from terraseek_train.methods.ebaker.keywords import MASK_ID
from terraseek_train.methods.tokens import image_tokens, text_tokens


def seeded(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def slow_local(images: Tensor, texts: Tensor, valid: Tensor | None = None) -> np.ndarray:
    """The printed formula: L2 norm over words, then over patches."""
    out = np.zeros((len(images), len(texts)))
    for i, image in enumerate(images.numpy()):
        for j, sentence in enumerate(texts.numpy()):
            rows = []
            for patch in image:
                cosines = [
                    patch @ word / np.linalg.norm(patch) / np.linalg.norm(word)
                    for k, word in enumerate(sentence)
                    if valid is None or valid[j, k]
                ]
                rows.append(math.sqrt(sum(c * c for c in cosines)))
            out[i, j] = math.sqrt(sum(r * r for r in rows))
    return out


@pytest.mark.parametrize("dim", [3, 64])  # Gram matrices below 5 * 7 products, direct above
@pytest.mark.parametrize("masked", [False, True])
def test_local_similarity_is_the_double_norm(dim: int, masked: bool) -> None:
    images, texts = seeded(3, 5, dim), seeded(2, 7, dim, seed=1)
    valid = torch.arange(7)[None] < torch.tensor([[3], [7]]) if masked else None
    got = local_similarity(images, texts, valid, scale=2.0)
    np.testing.assert_allclose(got.numpy(), 2 * slow_local(images, texts, valid), rtol=1e-10)
    blocked = local_scores(images, texts, valid, block=2)
    torch.testing.assert_close(2 * blocked, got)


@pytest.mark.parametrize("dim", [3, 64])
def test_local_similarity_can_be_differentiated_even_at_zero(dim: int) -> None:
    images = seeded(2, 5, dim).requires_grad_()
    texts = seeded(2, 7, dim, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(local_similarity, (images, texts))
    nothing = torch.zeros(2, 7, dtype=torch.bool)
    local_similarity(images, texts, nothing).sum().backward()
    assert bool(images.grad.isfinite().all())


def test_the_score_is_0_6_global_plus_0_4_local() -> None:
    got = combined_scores(torch.tensor([[0.5]]), torch.tensor([[3.0]]))
    assert float(got) == pytest.approx(0.6 * 0.5 + 0.4 * 3.0)


def test_rows_above_the_threshold_or_the_best_one_are_kept() -> None:
    positive = torch.tensor([0.1, 0.3, 0.2])
    assert keep_rows(positive, None).tolist() == [True, True, True]
    assert keep_rows(positive, 0.2).tolist() == [False, True, False]  # not the equal one
    assert keep_rows(positive, 9.0).tolist() == [False, True, False]
    assert keep_rows(positive[:1], 9.0).tolist() == [True]


def test_the_bank_holds_the_last_epoch_and_starts_late() -> None:
    bank = SimilarityBank(ratio=0.25, first_epoch=1)
    assert bank.start_epoch(0) is None
    bank.push(torch.tensor([0.4, 0.1]))
    bank.push(torch.tensor([0.3, 0.2]))
    assert bank.start_epoch(1) == pytest.approx(0.2)  # place int(0.25 * 4) of the ascending four
    bank.push(torch.tensor([0.9]))
    twin = SimilarityBank(ratio=0.25, first_epoch=1)
    twin.load_state_dict(bank.state_dict())
    assert twin.threshold == pytest.approx(0.2)
    assert bank.start_epoch(2) == twin.start_epoch(2) == pytest.approx(0.9)
    assert bank.start_epoch(3) is None  # an epoch without pairs says nothing


def test_the_released_bank_is_a_queue_of_noise_at_first() -> None:
    bank = SimilarityBank(ratio=0.01, first_epoch=4, size=2000)
    assert bank.start_epoch(3) is None
    noise = bank.start_epoch(4)
    assert -2.6 < noise < -2.05  # a hundredth of a standard normal lies below -2.33
    bank.push(torch.linspace(0, 1, 1999))
    assert len(bank.state_dict()["values"]) == 2000
    bank.push(torch.ones(1))
    assert bank.start_epoch(5) == pytest.approx(20 / 1998)


def slow_rows(logits: np.ndarray, keep: list[int]) -> float:
    def entropy(row: np.ndarray, target: int) -> float:
        return float(-math.log(math.exp(row[target]) / sum(math.exp(v) for v in row)))

    there = [entropy(logits[i], i) for i in keep]
    back = [entropy(logits.T[i], i) for i in keep]
    return sum(there) / len(keep) + sum(back) / len(keep)


def test_dropped_rows_remain_as_columns() -> None:
    logits = seeded(4, 4)
    keep = torch.tensor([True, False, True, False])
    expected = slow_rows(logits.numpy(), [0, 2])
    assert float(row_contrastive(logits, keep)) == pytest.approx(expected)
    assert float(row_contrastive(logits, keep, halved=True)) == pytest.approx(expected / 2)


def batch(rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        seeded(rows, 4),
        seeded(rows, 4, seed=1),
        seeded(rows, 3, 4, seed=2),
        seeded(rows, 5, 4, seed=3),
    )


def test_the_loss_is_the_sum_of_its_parts_over_kept_rows() -> None:
    images, texts, patches, words = batch(3)
    unit = [x / x.norm(dim=-1, keepdim=True) for x in (images, texts)]
    cosine = (unit[0] @ unit[1].T).numpy()
    bank = SimilarityBank(ratio=0.0, first_epoch=0)
    bank.push(torch.tensor([float(np.sort(np.diag(cosine))[0])]).double())
    bank.start_epoch(0)
    keep = [i for i in range(3) if np.float64(cosine[i, i]) > bank.threshold + 1e-7]
    bank.threshold += 1e-7  # float32 storage may lie just below the value itself
    ker = torch.tensor(2.0, dtype=torch.float64)
    got = ebaker_loss(images, texts, patches, words, ker, bank)
    scale = math.exp(2.996)
    first = slow_rows(scale * cosine, keep)
    second = slow_rows(scale * slow_local(patches, words), keep)
    assert got.dropped == 1
    assert float(got.global_part) == pytest.approx(first)
    assert float(got.local_part) == pytest.approx(second)
    assert float(got.total) == pytest.approx(first + second + 0.5 * 2.0)
    assert bank.state_dict()["values"].shape == (3,)


def test_parts_can_be_left_out() -> None:
    images, texts, patches, words = batch(3)
    ker = torch.tensor(2.0, dtype=torch.float64)
    bank = SimilarityBank(first_epoch=0)
    bank.threshold = 2.0
    options = EbakerOptions(ablate=frozenset(("local", "ker", "eba")))
    got = ebaker_loss(images, texts, patches, words, ker, bank, options=options)
    assert got.dropped == 0
    assert float(got.local_part) == float(got.ker_part) == 0
    torch.testing.assert_close(got.total, got.global_part)


def test_split_elimination_uses_the_local_bank() -> None:
    images, texts, patches, words = batch(4)
    local_bank = SimilarityBank(first_epoch=0)
    local = slow_local(patches, words)
    local_bank.threshold = float(np.sort(np.diag(local))[1]) + 1e-9
    keep = [i for i in range(4) if local[i, i] > local_bank.threshold]
    got = ebaker_loss(
        images, texts, patches, words, local_bank=local_bank,
        options=EbakerOptions(elimination="split"),
    )  # fmt: skip
    assert got.dropped == 0
    assert float(got.local_part) == pytest.approx(slow_rows(math.exp(2.996) * local, keep))


@pytest.mark.parametrize("rows", [1, 3])
def test_everything_eliminated_leaves_the_best_pair_and_gradients(rows: int) -> None:
    parts = [x.requires_grad_() for x in batch(rows)]
    bank = SimilarityBank(first_epoch=0)
    bank.threshold = 5.0
    got = ebaker_loss(*parts, bank=bank)
    assert got.dropped == rows - 1
    got.total.backward()
    assert all(bool(x.grad.isfinite().all()) for x in parts)


@pytest.mark.parametrize("elimination", ["joint", "split"])
def test_gradients_of_the_loss_are_those_of_finite_differences(elimination: Any) -> None:
    parts = [x.requires_grad_() for x in batch(3)]
    options = EbakerOptions(scale=3.0, elimination=elimination)

    def total(*tensors: Tensor) -> Tensor:
        banks = [SimilarityBank(first_epoch=0) for _ in range(2)]
        banks[0].threshold, banks[1].threshold = 0.0, 1.2  # each drops some pairs
        return ebaker_loss(*tensors, None, *banks, options).total

    assert torch.autograd.gradcheck(total, parts)


def test_keywords_are_the_frequent_words_of_each_set() -> None:
    captions = {
        "one": ["Many trees near a river .", "trees, trees and a Bridge"],
        "two": ["the airport has 3 runways", "an airport"],
    }
    assert keyword_statistics(captions, top=1) == ("airport", "trees")
    assert keyword_statistics(captions, top=2) == ("airport", "bridge", "runways", "trees")
    assert keyword_statistics({"none": ["a the of"]}, top=5) == ()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def test_all_tokens_of_a_keyword_are_masked(tokenizer: Any) -> None:
    word = "seamounts"  # several pieces
    pieces = tokenizer.encode(word)
    assert len(pieces) > 1
    tokens = tokenizer(["Two seamounts, and trees.", "nothing here !"])
    got = mask_keywords(tokens, {word, "trees"}, tokenizer)
    shown = tokens[0].tolist()
    start = shown.index(pieces[0])
    hidden = [*range(start, start + len(pieces)), shown.index(tokenizer.encode("trees")[0])]
    assert got.labels[0].nonzero()[:, 0].tolist() == hidden
    assert got.labels[0, hidden].tolist() == tokens[0, hidden].tolist()
    assert got.tokens[0, hidden].tolist() == [MASK_ID] * len(hidden)
    untouched = got.labels == 0
    assert bool((got.tokens[untouched] == tokens[untouched]).all())
    assert not bool(got.labels[1].any())


def test_a_word_cut_off_by_the_context_is_not_masked(tokenizer: Any) -> None:
    tokens = tokenizer(["seamounts"], context_length=3)  # start, first piece, end
    assert not bool(mask_keywords(tokens, {"seamounts", "sea"}, tokenizer).labels.any())


def test_the_released_masking_is_one_token_early(tokenizer: Any) -> None:
    text = "trees near river"
    tokens = tokenizer([text])
    got = mask_keywords_as_released(tokens, [text], {"trees", "river"})
    assert got.labels[0].nonzero()[:, 0].tolist() == [0, 2]
    assert got.labels[0, :3].tolist() == [49406, 0, tokenizer.encode("near")[0]]
    right = mask_keywords(tokens, {"trees", "river"}, tokenizer)
    assert right.labels[0].nonzero()[:, 0].tolist() == [1, 3]


def reasoner(depth: int = 2) -> KeywordReasoner:
    torch.manual_seed(0)
    return KeywordReasoner(dim=16, heads=2, depth=depth, vocabulary=30).double().eval()


def test_the_keyword_loss_counts_masked_positions_only() -> None:
    head = reasoner()
    masked, image = seeded(2, 6, 16), seeded(2, 5, 16, seed=1)
    labels = torch.zeros(2, 6, dtype=torch.long)
    labels[0, 2], labels[1, 4] = 7, 29
    everywhere = head.head(head(masked, image)).log_softmax(-1)
    expected = -(everywhere[0, 2, 7] + everywhere[1, 4, 29]) / 2
    torch.testing.assert_close(
        head.loss(masked, image, labels), expected.float(), atol=1e-6, rtol=1e-6
    )


def test_the_keyword_head_has_the_published_depths_and_depends_on_the_image() -> None:
    assert len(KeywordReasoner(16, 2, vocabulary=30).blocks) == 4
    assert len(reasoner(2).blocks) == 2
    head = reasoner()
    masked = seeded(1, 6, 16)
    image = seeded(1, 5, 16, seed=1).requires_grad_()
    labels = torch.ones(1, 6, dtype=torch.long)
    head.loss(masked, image, labels).backward()
    assert float(image.grad.abs().max()) > 0
    assert all(p.grad is not None for p in head.parameters())


def test_captions_without_keywords_have_zero_loss_with_a_gradient() -> None:
    masked = seeded(1, 6, 16).requires_grad_()
    loss = reasoner().loss(masked, seeded(1, 5, 16), torch.zeros(1, 6, dtype=torch.long))
    loss.backward()
    assert float(loss.detach()) == 0
    assert float(masked.grad.abs().sum()) == 0


def test_gradients_of_the_reasoner_are_those_of_finite_differences() -> None:
    head = reasoner(1)
    masked, image = seeded(1, 3, 16).requires_grad_(), seeded(1, 2, 16, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(head, (masked, image))


@pytest.mark.parametrize("custom", [False, True])
def test_token_features_agree_with_open_clips_pooled_ones(custom: bool) -> None:
    from open_clip.model import CLIP, CustomTextCLIP

    torch.manual_seed(0)
    vision = {"image_size": 16, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    build = CustomTextCLIP if custom else CLIP
    model = build(embed_dim=12, vision_cfg=vision, text_cfg=text).eval()
    pixels, tokens = torch.randn(2, 3, 16, 16), torch.tensor([[48, 5, 6, 49, 0, 0, 0, 0]] * 2)
    pooled, patches = image_tokens(model, pixels)
    assert patches.shape == (2, 4, 12)
    torch.testing.assert_close(pooled, model.encode_image(pixels))
    pooled, words = text_tokens(model, tokens)
    assert words.shape == (2, 8, 12)
    torch.testing.assert_close(pooled, model.encode_text(tokens))
    torch.testing.assert_close(words[:, 3], pooled)  # the end token is what is pooled


def test_cells_of_a_convolutional_tower_average_to_its_feature() -> None:
    from open_clip.model import CLIP

    torch.manual_seed(0)
    text = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    timm = {"timm_model_name": "regnetx_002", "timm_model_pretrained": False}
    vision = timm | {"timm_pool": "avg", "timm_proj": "linear", "image_size": 64}
    model = CLIP(embed_dim=12, vision_cfg=vision, text_cfg=text).eval()
    with torch.no_grad():
        pooled, cells = image_tokens(model, torch.randn(1, 3, 64, 64))
    assert cells.shape == (1, 4, 12)
    torch.testing.assert_close(cells.mean(1), pooled)

    convolutional = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 32}
    other = CLIP(embed_dim=12, vision_cfg=convolutional, text_cfg=text)
    with pytest.raises(ConfigError, match="kind ModifiedResNet"):
        image_tokens(other, torch.zeros(1, 3, 32, 32))
