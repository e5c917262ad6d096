"""SigLIP 2 and RS-M-CLIP: published layouts, preprocessing, and tokenizers without a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from terraseek.encoders import get_card
from terraseek.encoders.cards import ModelCard, Preprocess, TokenizerFile, WeightsFile
from terraseek.encoders.nets.build import build_model, build_tokenizer
from terraseek.encoders.nets.checkpoints import fit_state
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.encoders.nets.published.tokenizer_file import FileTokenizer
from terraseek.encoders.nets.published.xlm_roberta import XlmRobertaSize, XlmRobertaText
from terraseek.encoders.user_cards import CardOptions, user_card
from terraseek.encoders.weight_files import weights_folder
from terraseek.errors import ConfigError, WeightsLayoutError, WeightsNotFoundError
from terraseek.files import sha256_of

WORDS = ["<s>", "<pad>", "</s>", "<eos>", "<unk>", "a", "lake", "by", "the", "town"]
SIGLIP2 = {"siglip2-vit-b-16-256": (768, 12, 3072), "siglip2-vit-so400m-16-384": (1152, 27, 4304)}


def tokenizer_json(path: Path) -> Path:
    """A word tokenizer whose file adds other special tokens than the cards name."""
    pytest.importorskip("tokenizers")
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    special = [
        {
            "id": vocabulary[word],
            "content": word,
            "special": True,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for word in WORDS[:5]
    ]
    template = [
        {"SpecialToken": {"id": "<unk>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    value = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template,
            "pair": template,
            "special_tokens": {"<unk>": {"id": "<unk>", "ids": [4], "tokens": ["<unk>"]}},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


# --- tokenizers --------------------------------------------------------------------------------


def test_texts_get_the_special_tokens_of_the_card(tmp_path):
    path = tokenizer_json(tmp_path / "tokenizer.json")
    canonical = FileTokenizer(path, TokenizerFile("x", end="<eos>", clean="canonicalize"), 6)
    assert canonical(["A lake, by THE town!"]).tolist() == [[5, 6, 7, 8, 9, 3]]
    assert canonical("the lake").tolist() == [[8, 6, 3, 1, 1, 1]]
    both = FileTokenizer(path, TokenizerFile("x", start="<s>", end="</s>"), 6)
    assert both(["the lake", "a a a a a a"]).tolist() == [[0, 8, 6, 2, 1, 1], [0, 5, 5, 5, 5, 2]]
    assert both.count("a a a a a a") == 8
    assert both.vocab_size == len(WORDS)


def test_files_that_are_no_tokenizer_are_refused(tmp_path):
    path = tokenizer_json(tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match="no token '<end>'"):
        FileTokenizer(path, TokenizerFile("x", end="<end>"), 6)
    path.write_text("{}")
    with pytest.raises(ConfigError, match=r"not a tokenizer\.json"):
        FileTokenizer(path, TokenizerFile("x"), 6)
    with pytest.raises(ConfigError, match="whitespace, lower, canonicalize"):
        TokenizerFile("x", clean="soap")


@pytest.mark.parametrize("name", [*SIGLIP2, "rs-m-clip"])
def test_the_tokenizer_comes_from_disk_and_its_absence_is_explained(name):
    card = get_card(name)
    assert card.tokenizer is not None
    with pytest.raises(
        WeightsNotFoundError, match=f"models fetch {name}.*as {card.tokenizer.file}"
    ):
        build_tokenizer(card)
    tokenizer_json(weights_folder() / card.tokenizer.file)
    assert build_tokenizer(card)(["a lake"]).shape == (1, card.context_length)


def test_the_tokenizer_is_part_of_the_encoder_id():
    card = get_card("rs-m-clip").to_json()
    other = {**card, "tokenizer": {**card["tokenizer"], "end": ""}}
    ids = {ModelCard.from_json(facts).encoder_id("0" * 64) for facts in (card, other)}
    assert len(ids) == 2


def test_towers_only_their_authors_have_are_refused_in_words():
    vision = {"image_size": 384, "timm_model_name": "dofa_vit_so400m_patch14_siglip_384"}
    architecture = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": {"layers": 1}}
    with pytest.raises(ConfigError, match=r"no image tower 'dofa_vit_so400m.*DOFA-CLIP"):
        build_model(architecture)


# --- SigLIP 2 ----------------------------------------------------------------------------------


def siglip_shapes(width: int, layers: int, hidden: int, size: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of timm's SigLIP tower and open_clip's text tower."""

    def linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

    trunk, pool = "visual.trunk.", "visual.trunk.attn_pool."
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "logit_bias": (),
        f"{trunk}pos_embed": (1, (size // 16) ** 2, width),
        f"{trunk}patch_embed.proj.weight": (width, 3, 16, 16),
        f"{trunk}patch_embed.proj.bias": (width,),
        **norm(f"{trunk}norm"),
        f"{pool}latent": (1, 1, width),
        **linear(f"{pool}q", width, width),
        **linear(f"{pool}kv", 2 * width, width),
        **linear(f"{pool}proj", width, width),
        **norm(f"{pool}norm"),
        **linear(f"{pool}mlp.fc1", hidden, width),
        **linear(f"{pool}mlp.fc2", width, hidden),
        "text.positional_embedding": (64, width),
        "text.token_embedding.weight": (256000, width),
        **norm("text.ln_final"),
        **linear("text.text_projection", width, width),
    }
    for layer in range(layers):
        block, other = f"{trunk}blocks.{layer}.", f"text.transformer.resblocks.{layer}."
        shapes |= norm(f"{block}norm1") | norm(f"{block}norm2")
        shapes |= linear(f"{block}attn.qkv", 3 * width, width)
        shapes |= linear(f"{block}attn.proj", width, width)
        shapes |= linear(f"{block}mlp.fc1", hidden, width) | linear(
            f"{block}mlp.fc2", width, hidden
        )
        shapes |= norm(f"{other}ln_1") | norm(f"{other}ln_2")
        shapes |= {f"{other}attn.in_proj_{k}": s for k, s in in_proj(width).items()}
        shapes |= linear(f"{other}attn.out_proj", width, width)
        shapes |= linear(f"{other}mlp.c_fc", hidden, width)
        shapes |= linear(f"{other}mlp.c_proj", width, hidden)
    return shapes


def in_proj(width: int) -> dict[str, tuple[int, ...]]:
    return {"weight": (3 * width, width), "bias": (3 * width,)}


@pytest.mark.parametrize("name", SIGLIP2)
def test_every_key_of_siglip2_has_its_place(name, tmp_path):
    card = get_card(name)
    shapes = siglip_shapes(*SIGLIP2[name], card.preprocess.size)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    with torch.device("meta"):
        model = build_model(card.architecture)
    fit_state(model, state, tmp_path)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    with pytest.raises(WeightsLayoutError, match=r"lacks text\.positional_embedding"):
        fit_state(model, {k: v for k, v in state.items() if "positional" not in k}, tmp_path)
    with pytest.raises(WeightsLayoutError, match=r"unknown text\.head"):
        fit_state(model, {**state, "text.head": torch.zeros(1)}, tmp_path)


@pytest.mark.parametrize("name", SIGLIP2)
def test_siglip2_is_preprocessed_as_its_published_config_says(name):
    card = get_card(name)
    published = open_clip.get_pretrained_cfg(str(card.architecture), "webli")
    got = card.preprocess
    assert (got.mean, got.std) == (published["mean"], published["std"]) == ((0.5,) * 3,) * 2
    assert (got.interpolation, got.resize_mode) == ("bicubic", "squash")
    assert (
        got.size == open_clip.get_model_config(str(card.architecture))["vision_cfg"]["image_size"]
    )


def test_the_users_siglip_file_is_not_given_clips_preprocessing(tmp_path):
    weights = tmp_path / "open_clip_model.safetensors"
    weights.write_bytes(b"x")
    tokenizer = tokenizer_json(tmp_path / "tokenizer.json")
    options = CardOptions(tokenizer=tokenizer)
    card = user_card("mine", "ViT-B-16-SigLIP2-256", weights, options)
    assert card.preprocess == get_card("siglip2-vit-b-16-256").preprocess
    assert card.tokenizer == TokenizerFile(
        str(tokenizer), end="<eos>", clean="canonicalize", sha256=sha256_of(tokenizer)
    )
    clip = user_card("clip", "ViT-L-14", weights, CardOptions())  # its publishers disagree
    assert clip.preprocess.resize_mode == "shortest"
    assert clip.preprocess.mean[0] == pytest.approx(0.48145466)
    with pytest.raises(ConfigError, match="leave the option out"):
        user_card("odd", "ViT-L-14", weights, options)


# --- RS-M-CLIP ---------------------------------------------------------------------------------


def xlm_roberta_shapes(size: XlmRobertaSize, dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of transformers' XLMRobertaModel in open_clip's HFTextEncoder."""
    width, top = size.width, "text.transformer."
    hidden = (width + dim) // 2
    shapes: dict[str, tuple[int, ...]] = {
        f"{top}embeddings.word_embeddings.weight": (size.vocab_size, width),
        f"{top}embeddings.position_embeddings.weight": (size.positions, width),
        f"{top}embeddings.token_type_embeddings.weight": (1, width),
        f"{top}embeddings.LayerNorm.weight": (width,),
        f"{top}embeddings.LayerNorm.bias": (width,),
        "text.proj.0.weight": (hidden, width),
        "text.proj.2.weight": (dim, hidden),
    }
    for layer in range(size.layers):
        block = f"{top}encoder.layer.{layer}."
        parts = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")}
        parts |= {"attention.output.dense": (width, width), "output.dense": (width, 4 * width)}
        parts |= {"intermediate.dense": (4 * width, width)}
        for part, (out, into) in parts.items():
            shapes |= {f"{block}{part}.weight": (out, into), f"{block}{part}.bias": (out,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{block}{part}.weight": (width,), f"{block}{part}.bias": (width,)}
    return shapes


def test_every_key_of_rs_m_clip_has_its_place(tmp_path):
    card = get_card("rs-m-clip")
    with torch.device("meta"):
        model = build_model(card.architecture)
        clip = build_model("ViT-B-32")
    shapes = xlm_roberta_shapes(XlmRobertaSize(768, 12, 12), 512)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    state |= {k: v for k, v in clip.state_dict().items() if k.startswith(("visual.", "logit"))}
    position_ids = torch.empty((1, 514), device="meta")
    fit_state(model, {**state, "text.transformer.embeddings.position_ids": position_ids}, tmp_path)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    assert len(card.languages) == 10
    with pytest.raises(WeightsLayoutError, match=r"unknown text\.transformer\.pooler"):
        fit_state(model, {**state, "text.transformer.pooler.dense": torch.zeros(1)}, tmp_path)
    del state["text.proj.2.weight"]
    with pytest.raises(WeightsLayoutError, match=r"lacks text\.proj\.2\.weight"):
        fit_state(model, state, tmp_path)


def test_xlm_roberta_computes_what_its_definition_says():
    torch.manual_seed(0)
    size = XlmRobertaSize(width=8, layers=1, heads=2, vocab_size=10, positions=12)
    tower: Any = XlmRobertaText(size, 4).eval()
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    weights = {key: value.double() for key, value in tower.state_dict().items()}
    tokens = torch.tensor([[0, 7, 9, 2, 1, 1]])
    got = tower(tokens)[0].double()
    assert torch.allclose(tower(tokens[:, :4])[0].double(), got, atol=1e-6)  # padding does nothing

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    table, layer = "transformer.embeddings.", "transformer.encoder.layer.0."
    x = weights[f"{table}word_embeddings.weight"][[0, 7, 9, 2]]
    x = x + weights[f"{table}position_embeddings.weight"][2:6]  # the first position is 2
    x = norm(f"{table}LayerNorm", x + weights[f"{table}token_type_embeddings.weight"])
    q, k, v = (dense(f"{layer}attention.self.{n}", x) for n in ("query", "key", "value"))
    heads = [((q[:, h] @ k[:, h].T) / 2).softmax(-1) @ v[:, h] for h in (slice(0, 4), slice(4, 8))]
    joined = dense(f"{layer}attention.output.dense", torch.cat(heads, dim=1))
    x = norm(f"{layer}attention.output.LayerNorm", x + joined)
    inner = F.gelu(dense(f"{layer}intermediate.dense", x))
    x = norm(f"{layer}output.LayerNorm", x + dense(f"{layer}output.dense", inner))
    wanted = dense("proj.2", F.gelu(dense("proj.0", x.mean(dim=0))))
    assert torch.allclose(got, wanted, atol=1e-5)


def test_a_multilingual_model_runs_without_transformers_and_network(tmp_path):
    size = {"width": 8, "layers": 1, "heads": 2, "vocab_size": 10, "positions": 12}
    architecture = {
        "embed_dim": 4,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {"xlm_roberta": size, "context_length": 8},
    }
    path = tmp_path / "made.safetensors"
    save_file(build_model(architecture).state_dict(), path)
    tokenizer = tokenizer_json(tmp_path / "tokenizer.json")
    card = ModelCard(
        name="tiny",
        architecture=architecture,
        weights=WeightsFile(str(path), sha256_of(path)),
        preprocess=Preprocess(32, (0.5,) * 3, (0.5,) * 3),
        embed_dim=4,
        tokenizer=TokenizerFile(str(tokenizer), start="<s>", end="</s>"),
    )
    encoder = OpenClipEncoder(card, "cpu")
    assert encoder.encoder_id.startswith("tiny@")
    vectors = encoder.encode_texts(["a lake", "the town"])
    assert vectors.shape == (2, 4)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert encoder.token_count("a lake by the town") == (7, 8)
