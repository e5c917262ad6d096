"""FarSLIP and LRSCLIP in their published layouts, and texts of 248 tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from terraseek.encoders import get_card
from terraseek.encoders.architecture import model_config
from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import fit_state, load_weights, read_state
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.encoders.nets.published.long_clip import merge_position_tables, stretch_positions
from terraseek.encoders.registry import add_model
from terraseek.encoders.user_cards import CardOptions
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import sha256_of

SMALL = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 248, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
FARSLIP = [f"farslip-s{stage}-vit-b-{patch}" for stage in (1, 2) for patch in (32, 16)]
LRSCLIP = ["lrsclip-vit-b-16", "lrsclip-vit-l-14"]


def blocks(prefix: str, width: int, layers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer in range(layers):
        block = f"{prefix}transformer.resblocks.{layer}."
        yield f"{block}attn.in_proj_weight", (3 * width, width)
        yield f"{block}attn.in_proj_bias", (3 * width,)
        for part, out, into in (
            ("attn.out_proj", width, width),
            ("mlp.c_fc", 4 * width, width),
            ("mlp.c_proj", width, 4 * width),
        ):
            yield f"{block}{part}.weight", (out, into)
            yield f"{block}{part}.bias", (out,)
        for part in ("ln_1", "ln_2"):
            yield f"{block}{part}.weight", (width,)
            yield f"{block}{part}.bias", (width,)


def clip_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes as OpenAI's and LongCLIP's `model.py` have them."""
    vision, text, dim = config["vision_cfg"], config["text_cfg"], config["embed_dim"]
    wide, narrow, patch = vision["width"], text["width"], vision["patch_size"]
    cells = (vision["image_size"] // patch) ** 2
    return {
        "logit_scale": (),
        "positional_embedding": (text["context_length"], narrow),
        "text_projection": (narrow, dim),
        "token_embedding.weight": (text["vocab_size"], narrow),
        "ln_final.weight": (narrow,),
        "ln_final.bias": (narrow,),
        **dict(blocks("", narrow, text["layers"])),
        "visual.class_embedding": (wide,),
        "visual.positional_embedding": (cells + 1, wide),
        "visual.proj": (wide, dim),
        "visual.conv1.weight": (wide, 3, patch, patch),
        **{f"visual.{ln}.{kind}": (wide,) for ln in ("ln_pre", "ln_post") for kind in WEIGHT_BIAS},
        **dict(blocks("visual.", wide, vision["layers"])),
    }


WEIGHT_BIAS = ("weight", "bias")


def published(name: str, device: str, config: dict[str, Any], dtype=torch.float16):
    """A checkpoint as the authors save it: FarSLIP by open_clip, LRSCLIP by LongCLIP."""
    torch.manual_seed(0)
    shapes = clip_shapes(config)
    if config["text_cfg"]["context_length"] == 248:
        shapes["positional_embedding_res"] = shapes["positional_embedding"]
    state = {key: torch.randn(shape, device=device).to(dtype) for key, shape in shapes.items()}
    if name.startswith("lrsclip"):
        return state
    wrapped = {f"module.{key}": value for key, value in state.items()}
    return {"epoch": 1, "name": "farslip", "state_dict": wrapped}


@pytest.mark.parametrize("name", FARSLIP + LRSCLIP)
def test_every_key_of_the_published_layout_has_its_place(name, tmp_path):
    card = get_card(name)
    config = model_config(card.architecture)
    with torch.device("meta"):
        model = build_model(card.architecture)
    checkpoint = published(name, "meta", config)
    state = checkpoint.get("state_dict", checkpoint)
    state = {key.removeprefix("module."): value for key, value in state.items()}
    fit_state(model, state, tmp_path)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    assert config["text_cfg"]["context_length"] == card.context_length
    assert config["quick_gelu"] is True
    assert card.languages == ("en",)
    for key in ("visual.proj", "positional_embedding"):
        with pytest.raises(WeightsLayoutError, match=f"lacks {key}"):
            fit_state(model, {k: v for k, v in state.items() if not k.startswith(key)}, tmp_path)
    with pytest.raises(WeightsLayoutError, match=r"has unknown visual\.extra"):
        fit_state(model, {**state, "visual.extra": torch.zeros(1)}, tmp_path)


@pytest.mark.parametrize("name", ["farslip-s2-vit-b-16", "lrsclip-vit-b-16"])
def test_both_position_tables_are_used_as_long_clip_uses_them(name, tmp_path):
    path = tmp_path / "made.pt"
    checkpoint = published(name, "cpu", SMALL)
    torch.save(checkpoint, path)
    model = build_model(SMALL)
    load_weights(model, path)
    state = read_state(path)
    table = model.state_dict()["positional_embedding"]
    assert torch.equal(table[:20], state["positional_embedding"][:20].float())
    assert torch.equal(table[20:], state["positional_embedding_res"][20:].float())
    assert table.dtype == torch.float32


def test_position_tables_of_different_shape_are_refused():
    tables = {
        "positional_embedding": torch.zeros(77, 4),
        "positional_embedding_res": torch.zeros(248, 4),
    }
    with pytest.raises(WeightsLayoutError, match=r"is of shape \(77, 4\)"):
        merge_position_tables(tables)
    with pytest.raises(WeightsLayoutError, match="positional_embedding is missing"):
        merge_position_tables({"positional_embedding_res": torch.zeros(248, 4)})


def long_clip_loop(old: Tensor) -> Tensor:
    """The loop of LongCLIP's `load_from_clip`, with quarters written out."""
    length, keep = len(old), 20
    new = torch.zeros(4 * length - 3 * keep, old.shape[1])
    new[:keep] = old[:keep]
    for i in range(length - 1 - keep):
        for quarter in range(4):
            left, right = old[i + keep], old[i + 1 + keep]
            new[4 * i + quarter + keep] = ((4 - quarter) * left + quarter * right) / 4
    for quarter in range(4):
        new[quarter - 4] = old[-1] + quarter * (old[-1] - old[-2]) / 4
    return new


def test_positions_are_stretched_as_in_long_clip():
    torch.manual_seed(0)
    old = torch.randn(77, 5)
    new = stretch_positions(old, 248)
    assert new.shape == (248, 5)
    assert torch.allclose(new, long_clip_loop(old), atol=1e-6)
    assert stretch_positions(old, 100).shape == (100, 5)


@pytest.mark.parametrize(("rows", "length"), [(77, 77), (77, 60), (21, 40)])
def test_positions_that_cannot_be_stretched_are_refused(rows, length):
    with pytest.raises(ConfigError, match="cannot be stretched"):
        stretch_positions(torch.zeros(rows, 2), length)


def short_file(path: Path) -> dict[str, Any]:
    config = {**SMALL, "text_cfg": {**SMALL["text_cfg"], "context_length": 77}}
    torch.manual_seed(0)
    torch.save(build_model(config).state_dict(), path)
    return config


def test_a_longer_context_stretches_the_positions_of_the_users_weights(tmp_path):
    path = tmp_path / "made.pt"
    config = short_file(path)
    card = add_model("longer", config, path, CardOptions(context_length=248))
    plain = add_model("plain", config, path)
    encoder, short = OpenClipEncoder(card, "cpu"), OpenClipEncoder(plain, "cpu")
    texts = ["a lake " * 60 + end for end in ("by a harbour", "by a runway")]
    assert encoder.token_count(texts[0]) == (125, 248)
    ends = encoder.encode_texts(texts)
    assert np.abs(ends[0] - ends[1]).max() > 1e-3
    cut = short.encode_texts(texts)
    assert np.abs(cut[0] - cut[1]).max() < 1e-6
    few = ["a lake by a harbour"]
    assert np.allclose(encoder.encode_texts(few), short.encode_texts(few), atol=1e-5)


def test_a_long_file_is_not_stretched_again(tmp_path):
    path = tmp_path / "made.pt"
    torch.save(published("lrsclip", "cpu", SMALL), path)
    config = {**SMALL, "text_cfg": {**SMALL["text_cfg"], "context_length": 77}}
    with pytest.raises(WeightsLayoutError, match="reads 248 tokens, that of the architecture 77"):
        add_model("cut", config, path)
    card = add_model("whole", config, path, CardOptions(context_length=248))
    assert isinstance(card.architecture, dict)
    direct = ModelCard(
        name="direct",
        architecture=SMALL,
        weights=WeightsFile(str(path), sha256_of(path)),
        preprocess=Preprocess(32, (0.5,) * 3, (0.5,) * 3),
        embed_dim=8,
    )
    text = ["a lake " * 60]
    got, wanted = (OpenClipEncoder(c, "cpu").encode_texts(text) for c in (card, direct))
    assert np.allclose(got, wanted, atol=1e-6)


def test_other_text_towers_cannot_be_lengthened(tmp_path):
    path = tmp_path / "made.pt"
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match="cannot be lengthened to 99"):
        add_model("odd", "roberta-ViT-B-32", path, CardOptions(context_length=99))
