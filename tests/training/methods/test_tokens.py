"""Captions trimmed to the longest of a batch: equal features, and when nothing is trimmed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from terraseek.encoders.nets.text_tower import encode_tokens
from terraseek.errors import ConfigError
from terraseek.files import write_json
from terraseek_train.config import DataSource
from terraseek_train.methods.ebaker import KeywordReasoner
from terraseek_train.methods.tokens import text_tokens, trim_caption_padding
from terraseek_train.peft import PeftConfig, apply
from terraseek_train.study.arm_run import build_arm_model
from terraseek_train.study.config import Arm
from terraseek_train.study.models.contrastive import ContrastiveModel

VISION = {"image_size": 16, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
TEXT = {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 2}
END = 49


def make(custom: bool = False, **text: Any) -> Any:
    torch.manual_seed(0)
    build = CustomTextCLIP if custom else CLIP
    return build(embed_dim=12, vision_cfg=VISION, text_cfg=TEXT | text).eval()


def captions_of_length(*lengths: int) -> Tensor:
    """Rows of a start, words and an end, so long, in eight columns."""
    rows = torch.zeros(len(lengths), 8, dtype=torch.long)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.arange(3, 3 + length)
        row[0], row[length - 1] = 48, END
    return rows


@given(st.lists(st.integers(2, 8), min_size=1, max_size=4), st.booleans())
@settings(max_examples=20, deadline=None)
def test_trimmed_captions_have_the_features_of_padded_ones(
    lengths: list[int], custom: bool
) -> None:
    model, tokens = make(custom), captions_of_length(*lengths)
    cut = trim_caption_padding(model, tokens)
    assert cut.shape[1] == max(lengths)
    with torch.no_grad():
        whole = model.encode_text(tokens)
        torch.testing.assert_close(encode_tokens(model, cut), whole)
        torch.testing.assert_close(encode_tokens(model, tokens), whole)
        pooled, words = text_tokens(model, cut)
        torch.testing.assert_close(pooled, whole)
        every = text_tokens(model, tokens)[1]
    assert every.shape[1] == 8
    real = cut != 0
    torch.testing.assert_close(words[real], every[:, : cut.shape[1]][real])


@pytest.mark.parametrize("kind", ["lora", "pfeiffer", "prefix"])
def test_adapters_give_the_same_features_for_trimmed_captions(kind: Any) -> None:
    model, tokens = make(), captions_of_length(4, 6)
    apply(model, PeftConfig(kind))
    with torch.no_grad():
        for value in model.parameters():
            value += 0.1 * torch.randn(value.shape)
        cut = trim_caption_padding(model, tokens)
        assert cut.shape[1] == 6
        torch.testing.assert_close(encode_tokens(model, cut), model.encode_text(tokens))


def test_nothing_is_trimmed_where_padding_counts() -> None:
    tokens = captions_of_length(4)
    gated = make()
    apply(gated, PeftConfig("unipelt"))
    assert trim_caption_padding(gated, tokens).shape[1] == 8
    images_alone = make()
    apply(images_alone, PeftConfig("unipelt", towers=("image",)))
    assert trim_caption_padding(images_alone, tokens).shape[1] == 4
    both_ways = make(custom=True, no_causal_mask=True)
    assert trim_caption_padding(both_ways, tokens).shape[1] == 8
    with torch.no_grad():
        whole = both_ways.encode_text(tokens)
        torch.testing.assert_close(encode_tokens(both_ways, tokens), whole)
        torch.testing.assert_close(text_tokens(both_ways, tokens)[0], whole)
    assert trim_caption_padding(make(), torch.zeros(2, 8, dtype=torch.long)).shape[1] == 8


def test_a_tower_without_tokens_is_refused() -> None:
    model = nn.Module()
    model.text = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match="text tower of kind Linear"):
        text_tokens(model, captions_of_length(3))


def test_the_keyword_head_ignores_padding() -> None:
    torch.manual_seed(0)
    head = KeywordReasoner(dim=16, heads=2, depth=2, vocabulary=30).double().eval()
    words, image = torch.randn(2, 6, 16).double(), torch.randn(2, 5, 16).double()
    valid = torch.arange(6)[None] < torch.tensor([[3], [4]])
    with torch.no_grad():
        long, short = head(words, image, valid), head(words[:, :4], image, valid[:, :4])
        assert not torch.allclose(head(words, image)[:, :4], short)
    torch.testing.assert_close(long[:, :4], short)
    labels = valid.long() * 7
    labels[:, 0] = 0
    losses = (
        head.loss(words, image, labels, valid),
        head.loss(words[:, :4], image, labels[:, :4], valid[:, :4]),
    )
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("method", ["contrastive", "ebaker", "prior"])
def test_a_loss_does_not_depend_on_the_amount_of_padding(
    method: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    from terraseek_train.loop.model import ClipWithHeads, save_weights
    from terraseek_train.study.inputs.base import load_base
    from terraseek_train.study.inputs.dataset import batches, read_dataset

    torch.manual_seed(0)
    arch = settings["arch"]
    save_weights(ClipWithHeads(arch, 2).state_dict(), tmp_path / "base" / "model.safetensors")
    facts = {"arch": arch, "means": [0.4] * 3, "stds": [0.2] * 3}
    write_json(tmp_path / "base" / "config.json", facts)
    base = load_base(str(tmp_path / "base"))
    pairs = read_dataset(DataSource(**settings["data"][0]), 40, 12, tmp_path / "cache")
    options = {"ebaker": {"heads": 2, "depth": 1, "vocabulary": "hidden", "keywords": 4}}
    arm = Arm("x", method, options=options.get(method, {}))
    arm_model = build_arm_model(base, arm, pairs, 0).double().eval()
    batch = next(batches(pairs, base.preprocess, (0.5, 1.0), 4, 0, 0))
    batch = replace(batch, pixels=batch.pixels.double())
    assert trim_caption_padding(arm_model.model, batch.tokens).shape[1] < 12
    cut = loss_and_gradient(arm_model, batch)
    arm_model.model.cls_emb = "some"  # such towers are left to open_clip, whole
    assert trim_caption_padding(arm_model.model, batch.tokens).shape[1] == 12
    whole = loss_and_gradient(arm_model, batch)
    # words are guessed in float32
    torch.testing.assert_close(cut[0], whole[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(cut[1], whole[1], atol=1e-7, rtol=1e-4)


def loss_and_gradient(arm_model: ContrastiveModel, batch: Any) -> tuple[Tensor, Tensor]:
    arm_model.zero_grad()
    loss = arm_model.loss(batch)
    loss.backward()
    return loss.detach(), arm_model.model.positional_embedding.grad.clone()
