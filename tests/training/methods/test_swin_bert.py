"""Towers of PIR and PriorCLIP's closed domain: Swin-T and BERT, and their published weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.swin_transformer import SwinTransformer
from torch import Tensor, nn

from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.published.bert import BertSize, BertText, BertTransformer
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.corpus import build_corpus
from terraseek_train.data.text_table import tokenize
from terraseek_train.dry_run import dry_run
from terraseek_train.methods.tokens import image_tokens, text_tokens, trim_caption_padding
from terraseek_train.objectives.build import build_training_model

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
SMALL_BERT = {"width": 16, "layers": 2, "heads": 2}


@register_model
def swin_of_the_tests(pretrained: bool = False, **settings: Any) -> nn.Module:
    """Swin of two stages on 32 x 32 pixels; maps of 4 x 4 cells of 32 values."""
    sizes = {"img_size": 32, "patch_size": 4, "window_size": 4}
    stages = {"embed_dim": 16, "depths": (1, 2), "num_heads": (1, 2)}
    net: Any = SwinTransformer(**sizes, **stages, num_classes=settings.get("num_classes", 5))
    net.default_cfg = {"pool_size": (4, 4)}
    return net


def arch(image: str = "swin_of_the_tests") -> dict[str, Any]:
    vision = {"timm_model_name": image, "timm_pool": "", "timm_proj": "linear", "image_size": 32}
    text = {"bert": SMALL_BERT, "context_length": 12}
    return {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}


@pytest.mark.parametrize("name", ["pir", "priorclip-closed"])
def test_the_towers_of_the_recipes_have_the_published_sizes(name: str) -> None:
    recipe = load_config(RECIPES / f"{name}.json", keep_unset=True)
    with torch.device("meta"):
        model: Any = build_model(recipe.arch)
        pooled, cells = image_tokens(model, torch.empty(3, 3, 224, 224))
        sentence, words = text_tokens(model, torch.ones(3, 47, dtype=torch.long))
    assert (pooled.shape, cells.shape) == ((3, 512), (3, 49, 512))
    assert (sentence.shape, words.shape) == ((3, 512), (3, 47, 512))
    # Swin-T of 28,288,354 without its classifier, BERT-base of 109,482,240 without its pooler
    assert sum(p.numel() for p in model.visual.trunk.parameters()) == 28_288_354 - 769_000
    assert sum(p.numel() for p in model.text.transformer.parameters()) == 109_482_240 - 590_592


def test_cells_of_swin_average_to_its_feature_and_keep_their_places() -> None:
    torch.manual_seed(0)
    model: Any = build_model(arch())
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        pooled, cells = image_tokens(model, pixels)
        grid = model.visual.head(model.visual.trunk.forward_features(pixels))
    assert cells.shape == (2, 16, 16)
    torch.testing.assert_close(pooled, model.encode_image(pixels))
    torch.testing.assert_close(cells.mean(1), pooled)
    torch.testing.assert_close(cells[:, 4 * 1 + 2], grid[:, 1, 2])


def test_patches_of_a_timm_vit_are_its_tokens() -> None:
    torch.manual_seed(0)
    vision = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
    config = arch() | {"vision_cfg": vision | {"image_size": 160}}
    model: Any = build_model(config)
    pixels = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        pooled, patches = image_tokens(model, pixels)
        states = model.visual.trunk.forward_features(pixels)
        assert patches.shape == (1, 100, 16)
        torch.testing.assert_close(pooled, model.encode_image(pixels))
        torch.testing.assert_close(patches[:, -1], model.visual.head(states[:, -1]))


def torch_layer(layer: Any, size: BertSize) -> nn.TransformerEncoderLayer:
    """PyTorch's own post-norm layer with the weights of one of ours."""
    twin = nn.TransformerEncoderLayer(
        size.width, size.heads, 4 * size.width, 0.0, "gelu", size.eps, batch_first=True
    )
    attention, own = layer.attention["self"], layer.attention["output"]
    parts = [attention[name] for name in ("query", "key", "value")]
    state = {
        "self_attn.in_proj_weight": torch.cat([part.weight for part in parts]),
        "self_attn.in_proj_bias": torch.cat([part.bias for part in parts]),
    }
    pairs = {
        "self_attn.out_proj": own["dense"],
        "norm1": own["LayerNorm"],
        "linear1": layer.intermediate["dense"],
        "linear2": layer.output["dense"],
        "norm2": layer.output["LayerNorm"],
    }
    for name, module in pairs.items():
        state |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    twin.load_state_dict({key: value.detach() for key, value in state.items()})
    return twin.eval()


def test_bert_is_its_embeddings_and_post_norm_layers() -> None:
    torch.manual_seed(0)
    size = BertSize(**SMALL_BERT)
    tower: Any = BertText(size, 8).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.3)
    tokens = torch.tensor([[101, 5, 7, 102, 0, 0], [101, 9, 102, 0, 0, 0]])
    table = tower.transformer.embeddings
    x = table["word_embeddings"].weight[tokens] + table["position_embeddings"].weight[:6]
    x = table["LayerNorm"](x + table["token_type_embeddings"].weight[0])
    for layer in tower.transformer.encoder["layer"]:
        x = torch_layer(layer, size)(x, src_key_padding_mask=tokens == 0)
    expected = x @ tower.proj.weight.T
    got = tower.token_features(tokens)
    torch.testing.assert_close(got[0, :4], expected[0, :4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got[1, :3], expected[1, :3], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tower(tokens), got[:, 0])


def test_bert_drops_a_tenth_in_training_and_starts_near_zero() -> None:
    torch.manual_seed(0)
    tower = BertText(BertSize(width=64, layers=1, heads=2), 8)
    weight = tower.transformer.get_parameter("embeddings.word_embeddings.weight")
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    dropped = tower.transformer.drop(torch.ones(100_000)) == 0
    assert float(dropped.float().mean()) == pytest.approx(0.1, abs=0.01)
    tokens = torch.tensor([[101, 5, 7, 102]])
    assert not torch.equal(tower(tokens), tower(tokens))
    torch.testing.assert_close(tower.eval()(tokens), tower(tokens))


def test_bert_computes_what_transformers_computes() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    ours = BertTransformer(BertSize(**SMALL_BERT)).eval()
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.tensor([[101, 5, 7, 102, 0, 0]])
    with torch.no_grad():
        wanted = theirs(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
        torch.testing.assert_close(ours(tokens, tokens != 0)[:, :4], wanted[:, :4])


def test_captions_become_pieces_of_berts_vocabulary() -> None:
    tokens = tokenize(["Two seamounts, and trees.", "trees"], arch())
    assert tokens.shape == (2, 12)
    assert tokens[1, :4].tolist() == [101, 3628, 102, 0]  # [CLS] trees [SEP] of uncased BERT
    assert tokens[0, :10].tolist() == [
        *(101, 2048, 25180, 21723, 2015, 1010, 1998, 3628, 1012, 102)
    ]


def test_padding_is_cut_off_without_an_effect() -> None:
    torch.manual_seed(0)
    model: Any = build_model(arch())
    tokens = torch.from_numpy(tokenize(["trees", "two large trees near a road"], arch()))
    cut = trim_caption_padding(model, tokens)
    assert cut.shape == (2, 8)
    with torch.no_grad():
        torch.testing.assert_close(model.encode_text(cut), model.encode_text(tokens))


@pytest.mark.parametrize("name", ["pir", "priorclip-closed"])
def test_a_recipe_runs_on_swin_and_bert(name: str, tmp_path: Path) -> None:
    recipe = load_config(RECIPES / f"{name}.json", keep_unset=True)
    small = replace(recipe, arch=arch(), sizes=((0.0, 32),), stored_size=40, threads=1, workers=1)
    found = dry_run(small, tmp_path, batch=4, classifier="test_resnet")
    assert len(found.losses) == 2
    assert np.isfinite(found.losses).all()
    assert found.losses[0] != found.losses[1]
    assert not (tmp_path / "run" / "config.json").read_text().count('init_image": "')


def model_of(settings: dict[str, Any], folder: Path) -> Any:
    (folder / "recipe.json").write_text(json.dumps(settings))
    config: TrainConfig = load_config(folder / "recipe.json")
    torch.manual_seed(1)
    return build_training_model(config, build_corpus(config))


def published_files(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Write towers as timm and transformers do, with what we have no use for; return them."""
    torch.manual_seed(2)
    image = timm.create_model("swin_of_the_tests").state_dict()
    text = BertTransformer(BertSize(**SMALL_BERT)).state_dict()
    extra = {"cls.predictions.bias": torch.zeros(3), "bert.pooler.dense.weight": torch.zeros(2, 2)}
    old = {
        f"bert.{key}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for key, value in text.items()
    }
    save_file(image, folder / "swin.safetensors")
    (folder / "bert").mkdir()
    save_file(old | extra, folder / "bert" / "model.safetensors")
    return image, text


def test_published_weights_of_each_tower_start_a_run(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    image, text = published_files(tmp_path)
    settings |= {"method": "georsclip", "arch": arch()}
    random = model_of(settings, tmp_path).clip.state_dict()
    settings |= {"init_image": str(tmp_path / "swin.safetensors")}
    settings |= {"init_text": str(tmp_path / "bert")}
    found = model_of(settings, tmp_path).clip.state_dict()
    for key, value in found.items():
        if key.startswith("visual.trunk."):
            assert torch.equal(value, image[key.removeprefix("visual.trunk.")])
        elif key.startswith("text.transformer."):
            assert torch.equal(value, text[key.removeprefix("text.transformer.")])
        else:  # projections and the temperature
            assert torch.equal(value, random[key])


def test_weights_of_another_tower_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    image, _ = published_files(tmp_path)
    image["patch_embed.proj.weight"] = torch.zeros(8, 3, 4, 4)
    save_file(image, tmp_path / "swin.safetensors")
    settings |= {"method": "georsclip", "arch": arch()}
    with pytest.raises(WeightsLayoutError, match="patch_embed"):
        model_of(settings | {"init_image": str(tmp_path / "swin.safetensors")}, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "contrastive", "word_drop": 0.1}, "word_drop needs CLIP's own"),
        ({"method": "contrastive", "freeze_words": True}, "freeze_words needs CLIP's own"),
        ({"init": "x", "init_image": "y"}, "init and init_image cannot both be given"),
        ({"decay": "steps"}, "decay 'steps' must be cosine or linear"),
    ],
)
def test_what_bert_cannot_do_is_refused(
    change: dict[str, Any], message: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        model_of(settings | {"method": "georsclip", "arch": arch()} | change, tmp_path)


def test_an_unknown_size_of_bert_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    wrong = arch() | {"text_cfg": {"bert": {"depth": 3}, "context_length": 12}}
    with pytest.raises(ConfigError, match="cannot be read as a size"):
        model_of(settings | {"method": "georsclip", "arch": wrong}, tmp_path)
