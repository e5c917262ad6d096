"""Captions trimmed to the longest of a batch: equal features, and when nothing is trimmed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from terraseek.encoders.nets.text_tower import encode_tokens
from terraseek.errors import ConfigError
from terraseek_train.config import load_config
from terraseek_train.data.batch import make_batch
from terraseek_train.data.corpus import build_corpus
from terraseek_train.loop.device_batch import DeviceBatch, to_device
from terraseek_train.loop.model import ClipModel
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.ebaker import KeywordReasoner
from terraseek_train.methods.tokens import text_tokens, trim_caption_padding
from terraseek_train.objectives.build import build_training_model
from terraseek_train.peft import PeftConfig, apply

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


OPTIONS: dict[str, dict[str, Any]] = {
    "georsclip": {},
    "ebaker": {"heads": 2, "depth": 1, "vocabulary": "hidden", "keywords": 4},
    "priorclip": {"belief": "none"},
}


@pytest.mark.parametrize("method", OPTIONS)
def test_a_loss_does_not_depend_on_the_amount_of_padding(
    method: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.json"
    changes = {"method": method, "options": OPTIONS[method], "template_share": 0}
    path.write_text(json.dumps(settings | changes))
    config = load_config(path)
    corpus = build_corpus(config, keep_texts=True)
    torch.manual_seed(0)
    model = build_training_model(config, corpus).eval()
    model.clip.double()
    rows = np.arange(4)
    made = to_device(
        make_batch(corpus, rows, config, 0), config, ProcessGroup(), torch.device("cpu")
    )
    assert trim_caption_padding(model.clip, made.tokens).shape[1] < 12
    cut = loss_and_gradient(model, made)
    model.clip.cls_emb = "some"  # such towers are left to open_clip, whole
    assert trim_caption_padding(model.clip, made.tokens).shape[1] == 12
    whole = loss_and_gradient(model, made)
    # features leave the towers in float32
    torch.testing.assert_close(cut[0], whole[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(cut[1], whole[1], atol=1e-7, rtol=1e-4)


def loss_and_gradient(model: ClipModel, batch: DeviceBatch) -> tuple[Tensor, Tensor]:
    group = ProcessGroup()
    model.zero_grad()
    mean, std = (torch.full((1, 3, 1, 1), value, dtype=torch.double) for value in (100, 50))
    image = model.encode_pixels(batch.pixels, mean, std)
    text = model.encode_texts(model.text_inputs(batch, group))
    loss, _ = model.loss(batch, image, text, group)
    loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
    gradient = model.clip.positional_embedding.grad
    assert gradient is not None
    return loss.detach(), gradient.clone()
