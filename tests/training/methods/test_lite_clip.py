"""LiteClip (EfficientNet and MiniLM) in the one training loop, with every method and adapter."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from helpers.method_cases import METHODS, random_classifier
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import load_weights
from terraseek.encoders.nets.published.bert import bert_tokenizer, bert_vocabulary
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.adapters import attach
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import make_batch
from terraseek_train.data.corpus import build_corpus
from terraseek_train.data.text_table import tokenize
from terraseek_train.dry_run import dry_run
from terraseek_train.loop import frozen
from terraseek_train.loop.checkpoint import load_ranks, read_log
from terraseek_train.loop.model import ClipModel, parameter_groups, save_weights
from terraseek_train.methods.ebaker import mask_keywords
from terraseek_train.methods.tokens import (
    caption_sequence,
    image_tokens,
    joint_width,
    text_tokens,
    trim_caption_padding,
)
from terraseek_train.objectives import build
from terraseek_train.objectives.build import build_training_model
from terraseek_train.objectives.masking import mask_random_pieces
from terraseek_train.peft import KINDS, PeftConfig, apply, eject, merge, remove
from terraseek_train.train import train

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
MINILM = {"levels": [0, 2], "vocab_size": 30_522, "width": 16, "layers": 2, "heads": 2}
LITE: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_efficientnet", "hidden": 8, "image_size": 64},
    "text_cfg": {
        "minilm": MINILM | {"positions": 64},
        "hidden": 8,
        "context_length": 16,
        "vocabulary_bytes": 231_507,
    },
}
TEXT_ONLY = ("pfeiffer", "prefix", "unipelt")
SENTENCES = ["red", "two long seamounts near a red road"]


def model(seed: int = 0) -> Any:
    """A network of random weights that are not those of the start, with the vocabulary."""
    torch.manual_seed(seed)
    found: Any = build_model(LITE)
    for name, value in found.named_parameters():
        if "text.reader" in name or ".outer." in name:
            nn.init.normal_(value, std=0.3)
    found.text.vocabulary.copy_(bert_vocabulary())
    return found.eval()


def tokens() -> Tensor:
    return torch.from_numpy(tokenize(SENTENCES, LITE))


def pixels() -> Tensor:
    return torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(3))


def vectors(network: Any) -> Tensor:
    with torch.no_grad():
        return torch.cat([network.encode_image(pixels()), network.encode_text(tokens())])


def settings_of(settings: dict[str, Any], folder: Path, case: str, **changes: Any) -> TrainConfig:
    options = dict(METHODS[case].get("options", {}))
    if METHODS[case]["method"] in ("pir", "priorclip") and options.get("belief") != "none":
        options["instruction"] = str(random_classifier(folder / "classes"))
    found = settings | METHODS[case] | {"options": options, "arch": LITE, "sizes": [[0, 64]]}
    (folder / "recipe.json").write_text(json.dumps(found | changes))
    return load_config(folder / "recipe.json")


def state(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(out / "resume.pt", weights_only=True)
    return found


def test_tokens_of_a_sentence_of_one_token_are_its_vector() -> None:
    network = model()
    with torch.no_grad():
        pooled, words = text_tokens(network, torch.tensor([[101], [3628]]))
    torch.testing.assert_close(words[:, 0], pooled)
    assert joint_width(network) == pooled.shape[1] == 16


def test_tokens_belong_to_the_vectors_and_padding_has_no_effect() -> None:
    network = model()
    cut = trim_caption_padding(network, tokens())
    assert cut.shape == (2, 11)  # start, nine pieces, end
    with torch.no_grad():
        pooled, words = text_tokens(network, tokens())
        torch.testing.assert_close(pooled, network.encode_text(tokens()))
        torch.testing.assert_close(text_tokens(network, cut)[1], words[:, :11])
        image, cells = image_tokens(network, pixels())
        torch.testing.assert_close(image, network.encode_image(pixels()))
        grid = network.visual.trunk.forward_features(pixels())
        one = network.visual.head(grid[:, :, 1, 0])
    assert words.shape == (2, 16, 16)
    torch.testing.assert_close(cells[:, grid.shape[3]], one)


def test_the_vector_of_a_caption_is_put_before_its_tokens() -> None:
    network = model()
    with torch.no_grad():
        sequence, pool_at, used = caption_sequence(network, tokens())
        pooled, words = text_tokens(network, tokens())
    torch.testing.assert_close(sequence[:, 0], pooled)
    torch.testing.assert_close(sequence[:, 1:], words)
    assert pool_at.tolist() == [0, 0]
    assert used.sum(1).tolist() == [4, 12]


CASES = [case for case in METHODS if case != "priorclip"]


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_of_every_method_resumes_exactly(
    case: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    changes = {"steps": 4, "ema": 0.9, "lr": 0.01, "eval_every": 4}
    whole = train(settings_of(settings, tmp_path, case, **changes))
    config = settings_of(settings, tmp_path, case, **changes, out=str(tmp_path / "killed"))
    killed = train(config, stop_after=3)
    train(config)
    first, second = state(whole), state(killed)
    for part in ("model", "average"):
        assert [k for k, v in first[part].items() if not torch.equal(v, second[part][k])] == []
    losses = [record["loss"] for record in read_log(whole)]
    assert losses == [record["loss"] for record in read_log(killed)]
    assert np.isfinite(losses).all()
    assert load_ranks(whole).score() == load_ranks(killed).score()


def test_a_belief_in_the_tower_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    config = settings_of(settings, tmp_path, "priorclip")
    with pytest.raises(ConfigError, match="needs an open_clip ViT"):
        train(config)


def trained_parts(kind: str, names: set[str]) -> set[str]:
    """Names of the network's own parameters that a kind of tuning trains."""
    image = {name for name in names if name.startswith("visual.")}
    heads = {name for name in names if ".project." in name}
    parts = {
        "full": names,
        "frozen-image": names - image,
        "frozen-text": image | {"logit_scale"},
        "linear-probe": heads | {"logit_scale"},
    }
    return parts.get(kind, set())


@pytest.mark.parametrize("kind", KINDS)
def test_tuning_moves_what_it_names_and_nothing_else(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    save_weights(model().state_dict(), tmp_path / "base.safetensors")
    tune = {"kind": kind} | ({"towers": ["text"]} if kind in TEXT_ONLY else {})
    config = settings_of(
        settings,
        tmp_path,
        "georsclip",
        **{"tune": tune, "steps": 3, "eval_every": 3, "weight_decay": 0.5, "lr": 0.01},
        init=str(tmp_path / "base.safetensors"),
    )
    start = build_training_model(config, build_corpus(config))
    before, own = start.state_dict(), {name for name, _ in model().named_parameters()}
    added = {n.removeprefix("clip.") for n, _ in start.named_parameters()} - own
    after = state(train(config))["model"]
    moved = {k.removeprefix("clip.") for k, v in after.items() if not torch.equal(v, before[k])}
    statistics = {name for name in moved if "running_" in name or "num_batches" in name}
    assert bool(statistics) == (kind in ("full", "frozen-text"))
    wanted = trained_parts(kind, own) | added
    assert moved - statistics <= wanted
    # a bias of keys changes no attention, words and positions need not all be used
    still = {n for n in wanted - moved if not n.endswith("bias") and "reader" not in n}
    assert still == set()
    assert bool(added) == (kind in ("lora", *TEXT_ONLY))
    if kind in ("lora", *TEXT_ONLY):
        assert {n for n in added if n.startswith("text.reader")} & moved


@pytest.mark.parametrize("kind", ["lora", *TEXT_ONLY])
def test_adapters_are_saved_and_attached_to_the_base(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    save_weights(model().state_dict(), tmp_path / "base.safetensors")
    tune = {"kind": kind} | ({"towers": ["text"]} if kind in TEXT_ONLY else {})
    changes = {"tune": tune, "steps": 2, "eval_every": 2, "lr": 0.05, "ema": 0.0}
    config = settings_of(
        settings, tmp_path, "georsclip", **changes, init=str(tmp_path / "base.safetensors")
    )
    out = train(config)
    trained = build_training_model(config, build_corpus(config))
    trained.load_state_dict(state(out)["average"])
    base = model()
    plain = vectors(base)
    attach(base, out / "adapter")
    torch.testing.assert_close(vectors(base), vectors(trained.clip.eval()), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(vectors(base)[2:], plain[2:], atol=1e-4)


@pytest.mark.parametrize("kind", ["lora", *TEXT_ONLY])
def test_adapters_end_where_they_began(kind: str) -> None:
    network = model()
    plain = vectors(network)
    keys = set(network.state_dict())
    towers = ("text",) if kind in TEXT_ONLY else ("image", "text")
    apply(network, PeftConfig(kind, towers))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.requires_grad:
                value += 0.3 * torch.randn_like(value)
                assert name not in keys
    changed = vectors(network)
    assert not torch.allclose(changed[2:], plain[2:], atol=1e-3)
    if kind == "prefix":
        eject(network)
        torch.testing.assert_close(vectors(network), changed)
    if kind == "lora":
        merge(network)
        torch.testing.assert_close(vectors(network), changed, rtol=1e-4, atol=1e-5)
    else:
        remove(network)
        torch.testing.assert_close(vectors(network), plain)
    assert set(network.state_dict()) == keys


BERT = {"bert": {"width": 16, "layers": 2, "heads": 2}, "context_length": 12}
XLM = {"xlm_roberta": {"width": 16, "layers": 2, "heads": 2}, "context_length": 12}


@pytest.mark.parametrize("text", [BERT, XLM], ids=["bert", "xlm-roberta"])
@pytest.mark.parametrize("kind", ["lora", *TEXT_ONLY])
def test_other_towers_of_berts_kind_take_the_same_adapters(kind: str, text: Any) -> None:
    vision = {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear"}
    torch.manual_seed(0)
    network: Any = build_model(
        {"embed_dim": 16, "vision_cfg": vision | {"image_size": 32}, "text_cfg": text}
    ).eval()
    pad = 1 if text is XLM else 0
    sentences = torch.tensor([[101, 5, 7, 102, pad, pad], [101, 9, 8, 6, 4, 102]])
    with torch.no_grad():
        plain = network.encode_text(sentences)
        apply(network, PeftConfig(kind, ("text",)))  # type: ignore[arg-type]
        for value in network.parameters():
            if value.requires_grad:
                value += 0.3 * torch.randn_like(value)
        changed = network.encode_text(sentences)
        assert not torch.allclose(changed, plain, atol=1e-3)
        torch.testing.assert_close(network.encode_text(sentences[:1]), changed[:1])
        if kind == "lora":
            merge(network)
            torch.testing.assert_close(network.encode_text(sentences), changed)
        else:
            remove(network)
            torch.testing.assert_close(network.encode_text(sentences), plain)


def test_prefixes_stand_before_the_keys_and_values_of_each_layer() -> None:
    network = model()
    apply(network, PeftConfig("prefix", ("text",), prefix_length=3))
    reader = network.text.reader
    block, table = reader.blocks[1], reader.prefix
    x = torch.randn(1, 5, 16)
    used = torch.tensor([[True, True, True, False, False]])
    with torch.no_grad():
        key, value = table.layer(1)
        keys = torch.cat([key, F.linear(x[0, :3], block.key.weight, block.key.bias)])
        values = torch.cat([value, F.linear(x[0, :3], block.value.weight, block.value.bias)])
        query = F.linear(x[0], block.query.weight, block.query.bias)
        parts = [part.split(8, dim=1) for part in (query, keys, values)]
        heads = [(q @ k.T / 8**0.5).softmax(-1) @ v for q, k, v in zip(*parts, strict=True)]
        attended = block.out_norm(x[0] + block.out(torch.cat(heads, dim=1)))
        wanted = block.outer_norm(attended + block.outer(F.gelu(block.inner(attended))))
        got = block(x, used)[0]
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_gates_see_the_padding_whatever_else_is_in_the_batch() -> None:
    network = model()
    apply(network, PeftConfig("unipelt", ("text",)))
    assert trim_caption_padding(network, tokens()).shape == tokens().shape
    with torch.no_grad():
        both, alone = network.encode_text(tokens()), network.encode_text(tokens()[:1])
    torch.testing.assert_close(both[:1], alone)


def test_keywords_are_masked_in_word_pieces() -> None:
    tokenizer = bert_tokenizer(16)
    found = mask_keywords(tokens(), {"seamounts", "road", "sea"}, tokenizer)
    pieces = [tokenizer.tokens[int(n)] for n in found.labels[1] if n]
    assert pieces == ["seam", "##ount", "##s", "road"]
    assert {tokenizer.tokens[int(n)] for n in found.tokens[found.labels != 0]} == {"[MASK]"}
    assert torch.equal(found.tokens[found.labels == 0], tokens()[found.labels == 0])
    assert not bool(found.labels[0].any())
    hidden = mask_random_pieces(tokens(), share=1.0, tokenizer=tokenizer).labels[0]
    assert hidden.nonzero()[:, 0].tolist() == [1]  # neither [CLS] nor [SEP] nor padding


def test_a_run_is_a_model_with_its_vocabulary(settings: dict[str, Any], tmp_path: Path) -> None:
    out = train(settings_of(settings, tmp_path, "contrastive", steps=2, eval_every=2, ema=0.0))
    loaded: Any = build_model(LITE)
    load_weights(loaded, out / "model.safetensors")
    assert loaded.tokenizer()(["a red road"]).tolist() == tokenize(["a red road"], LITE).tolist()
    trained = ClipModel(LITE)
    stored = state(out)["average"]
    trained.load_state_dict({k: v for k, v in stored.items() if k.startswith("clip.")})
    torch.testing.assert_close(vectors(loaded), vectors(trained.clip.eval()))


def published(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Write the towers of a network as their authors publish them; return the network's tensors."""
    whole = {k: v.contiguous() for k, v in model(5).state_dict().items()}
    trunk = {k: v for k, v in whole.items() if k.startswith("visual.trunk.")}
    renamed = {f"part.{number}": value for number, value in enumerate(trunk.values())}
    torch.save(renamed | {"classifier": torch.zeros(3)}, folder / "lite.pth")
    top = {"words": "word_embeddings", "positions": "position_embeddings", "norm": "LayerNorm"}
    inner = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "out": "attention.output.dense",
        "out_norm": "attention.output.LayerNorm",
        "inner": "intermediate.dense",
        "outer": "output.dense",
        "outer_norm": "output.LayerNorm",
    }
    text = {}
    for key, value in whole.items():
        parts = key.removeprefix("text.reader.").split(".")
        if not key.startswith("text.reader."):
            continue
        if parts[0] == "kind":
            text["embeddings.token_type_embeddings.weight"] = value[None].repeat(2, 1)
        elif parts[0] == "blocks":
            text[f"encoder.layer.{parts[1]}.{inner[parts[2]]}.{parts[3]}"] = value
        else:
            text[f"embeddings.{top[parts[0]]}.{parts[1]}"] = value
    (folder / "minilm").mkdir()
    save_file(text, folder / "minilm" / "model.safetensors")
    return trunk, {k: v for k, v in whole.items() if k.startswith("text.reader.")}


def test_published_towers_start_a_run_with_minilms_own_sentence_vectors(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    trunk, reader = published(tmp_path)
    towers = {
        "init_image": str(tmp_path / "lite.pth"),
        "init_text": str(tmp_path / "minilm"),
    }
    config = settings_of(settings, tmp_path, "georsclip", **towers)
    clip = build_training_model(config, build_corpus(config)).clip
    found = clip.state_dict()
    for key, value in (trunk | reader).items():
        assert torch.equal(found[key], value)
    with torch.no_grad():
        means = clip.text.reader(tokens())
        torch.testing.assert_close(clip.encode_text(tokens()), means[:, 16:])
    save_file({"x": torch.zeros(2)}, tmp_path / "short.safetensors")
    towers["init_image"] = str(tmp_path / "short.safetensors")
    config = settings_of(settings, tmp_path, "georsclip", **towers)
    corpus = build_corpus(config)
    with pytest.raises(WeightsLayoutError, match="image tower"):
        build_training_model(config, corpus)


def test_another_vocabulary_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    stored = model().state_dict()
    stored["text.vocabulary"][0] += 1
    save_weights(stored, tmp_path / "base.safetensors")
    config = settings_of(settings, tmp_path, "georsclip", init=str(tmp_path / "base.safetensors"))
    corpus = build_corpus(config)
    with pytest.raises(ConfigError, match="another vocabulary than uncased BERT"):
        build_training_model(config, corpus)


def test_a_run_starts_at_clips_temperature_unless_the_weights_have_one(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    for stored, wanted in ((0.0, 1 / 0.07), (2.0, float(np.exp(2.0)))):
        network = model()
        network.logit_scale.data.fill_(stored)
        save_weights(network.state_dict(), tmp_path / "base.safetensors")
        init = str(tmp_path / "base.safetensors")
        config = settings_of(settings, tmp_path, "georsclip", init=init)
        started = build_training_model(config, build_corpus(config))
        assert float(started.scale().detach()) == pytest.approx(wanted)


def test_word_embeddings_do_not_decay(settings: dict[str, Any], tmp_path: Path) -> None:
    config = settings_of(settings, tmp_path, "georsclip")
    found = build_training_model(config, build_corpus(config))
    decaying = {id(p) for p in parameter_groups(found, config)[0]["params"]}
    reader = found.clip.text.reader
    assert id(reader.words.weight) not in decaying
    assert id(reader.blocks[0].query.weight) in decaying


def test_a_guided_tower_is_saved_for_its_base(settings: dict[str, Any], tmp_path: Path) -> None:
    save_weights(model().state_dict(), tmp_path / "base.safetensors")
    config = settings_of(
        settings,
        tmp_path,
        "priorclip closed",
        **{"steps": 2, "eval_every": 2, "lr": 0.05, "ema": 0.0},
        init=str(tmp_path / "base.safetensors"),
    )
    out = train(config)
    trained = build_training_model(config, build_corpus(config))
    trained.load_state_dict(state(out)["average"])
    base = model()
    attach(base, out / "adapter")
    with torch.no_grad():
        wanted = trained.eval().encode_images(pixels())
        torch.testing.assert_close(base.visual(pixels()), wanted, rtol=1e-4, atol=1e-5)


def test_the_recipe_of_the_studys_base_runs_on_made_data(tmp_path: Path) -> None:
    recipe = load_config(RECIPES / "study-small-base.json", keep_unset=True)
    small = replace(recipe, arch=LITE, sizes=((0.0, 64),), stored_size=64)
    found = dry_run(small, tmp_path, batch=4)
    assert found.tune == "linear-probe"
    assert np.isfinite(found.losses).all()
    stored = load_file(tmp_path / "run" / "model.safetensors")
    assert torch.equal(stored["clip.text.vocabulary"], bert_vocabulary())


def test_views_come_back_and_frozen_towers_compute_them_once(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(model().state_dict(), tmp_path / "base.safetensors")
    changes = {"tune": "linear-probe", "views": 2, "steps": 6, "eval_every": 6, "lr": 0.01}
    changes |= {"init": str(tmp_path / "base.safetensors")}
    config = settings_of(settings, tmp_path, "ebaker", **changes)
    corpus = build_corpus(config)
    seen = {
        view.tobytes()
        for seed in (0, 1)
        for number in range(8)
        for view in make_batch(corpus, np.arange(4), replace(config, seed=seed), number).pixels
    }
    assert 4 < len(seen) <= 8  # two of each image, in the runs of all seeds
    monkeypatch.setattr(frozen, "_STORES", {})
    out = train(config)
    kept = {len(store) for store in frozen._STORES.values()}
    assert max(kept) <= 2 * 15 + 3 + len(corpus.tokens)
    assert len(kept) == 2
    monkeypatch.setattr(build, "remember_frozen", lambda *_: None)
    plain = train(replace(config, out=str(tmp_path / "plain")))
    losses = [[record["loss"] for record in read_log(run)] for run in (out, plain)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)
    assert load_ranks(out).score().mR == pytest.approx(load_ranks(plain).score().mR, abs=5)
