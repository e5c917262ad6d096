"""Training of small encoders: labels of pairs, exact resume, weights that load."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.int8_storage import quantize_state
from terraseek.encoders.nets.minilm import MiniLM
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.errors import ConfigError
from terraseek.files import read_json, sha256_of
from terraseek_train.release.hubness import HubnessSettings, ModalitySettings
from terraseek_train.small.batches import PairLabels, label_pairs, make_batch, row_order
from terraseek_train.small.corpus import build_corpus
from terraseek_train.small.finish import finish
from terraseek_train.small.maps import open_maps
from terraseek_train.small.model import SmallModel, load_start, normalise_pixels
from terraseek_train.small.objective import SoftScores, cross_entropy, targets
from terraseek_train.small.settings import Settings, load_settings
from terraseek_train.small.soup import soup
from terraseek_train.small.train import Training, train

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
SIZES = {"vocab_size": 40, "width": 16, "layers": 2, "heads": 2, "positions": 32}
_NAMES = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "positions": "max_position_embeddings",
}


def _published(model: MiniLM) -> Iterator[tuple[str, torch.Tensor]]:
    """A sentence encoder's tensors under the names they are published with."""
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
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if name == "kind":
            yield "embeddings.token_type_embeddings.weight", value[None].repeat(2, 1)
        elif parts[0] == "blocks":
            yield f"encoder.layer.{parts[1]}.{inner[parts[2]]}.{parts[3]}", value
        else:
            yield f"embeddings.{top[parts[0]]}.{parts[1]}", value


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    """A sentence encoder of random weights in its published layout."""
    torch.manual_seed(0)
    folder = tmp_path / "minilm"
    folder.mkdir()
    whole = {key: value.contiguous() for key, value in _published(MiniLM(**SIZES))}
    save_file(whole, folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps({name: SIZES[key] for key, name in _NAMES.items()})
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "green", "blue", "square", "ground"]
    words += ["number", ".", "of", "image"]
    words += [str(digit) for digit in range(10)] + [f"##{digit}" for digit in range(10)]
    (folder / "vocab.txt").write_text("\n".join(words[:40]) + "\n")
    return folder


@pytest.fixture
def settings(captioned: Path, minilm: Path, tmp_path: Path) -> Settings:
    recipe: dict[str, Any] = {
        "out": str(tmp_path / "run"),
        "cache": str(tmp_path / "cache"),
        "minilm": str(minilm),
        "data": [
            {
                "name": "squares",
                "images": str(captioned / "images"),
                "captions": str(captioned / "captions.json"),
                "area": [0.6, 1.0],
            }
        ],
        "levels": [0, 2],
        "dim": 16,
        "hidden": 8,
        "side": 32,
        "frozen_blocks": 6,
        "steps": 4,
        "batch": 5,
        "others": 6,
        "queue": 8,
    }
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    return load_settings(path)


def test_every_caption_is_true_of_its_image_and_of_no_other(settings: Settings) -> None:
    corpus = build_corpus(settings)
    rows = np.array([0, 1, 3])
    own = np.concatenate([corpus.captions[row] for row in rows])
    texts = np.array(list(dict.fromkeys(own.tolist())), np.int32)
    found = label_pairs(corpus, rows, texts)
    for number, row in enumerate(rows):
        matched = [corpus.texts[text] for text in texts[found.positive[number] == 1]]
        assert sorted(matched) == sorted(corpus.texts[text] for text in corpus.captions[row])
    assert not found.neutral.any()


def test_a_class_sentence_is_neutral_where_the_class_is_unknown(settings: Settings) -> None:
    corpus = build_corpus(settings)
    texts = corpus.templates[0][:2]
    found = label_pairs(corpus, np.array([0]), texts)
    assert corpus.concept[0] == -1
    assert found.neutral.all()
    assert not found.positive.any()


def test_targets_are_shared_as_the_settings_say(settings: Settings) -> None:
    positive = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.float32)
    neutral = np.array([[False, False, False, True], [False] * 4])
    similarity, teacher = torch.zeros(2, 4), torch.zeros(2, 4)
    shares = replace(settings, similarity_share=0.1, teacher_share=0.3)
    probabilities, left_out, has_positive = targets(
        PairLabels(positive, neutral), similarity, teacher, shares
    )
    torch.testing.assert_close(
        probabilities[0, :3], torch.tensor([0.3 + 0.4 / 3, 0.3 + 0.4 / 3, 0.4 / 3])
    )
    assert float(probabilities[0, 3]) == pytest.approx(0, abs=1e-6)
    assert has_positive.tolist() == [True, False]
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    exact = torch.log_softmax(logits[0, :3], 0) @ probabilities[0, :3]
    assert float(cross_entropy(logits, probabilities, left_out, has_positive)) == pytest.approx(
        -float(exact)
    )


def test_an_epoch_has_every_image_once(settings: Settings) -> None:
    corpus = build_corpus(settings)
    orders = row_order(corpus, settings)
    seen = np.concatenate([next(orders) for _ in range(3)])
    assert sorted(seen.tolist()) == list(range(15))


def test_a_batch_has_views_and_sentences_of_others(settings: Settings) -> None:
    corpus = build_corpus(settings)
    batch = make_batch(corpus, settings, np.array([0, 1]), 3)
    assert batch.views.shape == (2, 32, 32, 3)
    assert {corpus.texts[t] for t in batch.texts[: batch.n_own]} >= {
        "a red square",
        "a green square",
    }
    assert len(set(batch.texts.tolist())) == len(batch.texts) > batch.n_own
    again = make_batch(corpus, settings, np.array([0, 1]), 3)
    np.testing.assert_array_equal(batch.views, again.views)


def test_a_resumed_run_ends_where_an_unbroken_one_does(settings: Settings, tmp_path: Path) -> None:
    train(settings)
    other = replace(settings, out=str(tmp_path / "other"))
    first = Training(other, build_corpus(other))
    batches = row_order(first.corpus, other)
    for step in range(2):
        first.train_step(make_batch(first.corpus, other, next(batches), step))
        first.step += 1
    first.save()
    train(other)
    whole, broken = (load_file(Path(s.out) / "model.safetensors") for s in (settings, other))
    for key, value in whole.items():
        torch.testing.assert_close(value, broken[key], msg=key)


def test_stored_maps_give_the_features_of_their_views(settings: Settings) -> None:
    stored = replace(settings, stored_views=10)
    training = Training(stored, build_corpus(stored))
    maps = open_maps(stored, training.corpus, training.model)
    rows = next(row_order(training.corpus, stored))
    np.testing.assert_array_equal(maps.rows[:5], rows)
    views = make_batch(training.corpus, stored, rows, 2_000_000).views
    training.model.eval()
    direct = training.model.pooled(training.model.frozen_features(normalise_pixels(views)))
    read = training.model.pooled(maps.batch(np.arange(5)))
    torch.testing.assert_close(read, direct, atol=2e-2, rtol=2e-2)  # stored as float16


def test_a_resumed_run_on_stored_maps_ends_where_an_unbroken_one_does(
    settings: Settings, tmp_path: Path
) -> None:
    whole = replace(settings, stored_views=15, maps=str(tmp_path / "maps"))
    broken = replace(whole, out=str(tmp_path / "other"))
    train(whole)
    train(replace(broken, stop=2))
    train(broken)
    first, second = (load_file(Path(s.out) / "model.safetensors") for s in (whole, broken))
    torch.testing.assert_close(first, second)


def test_a_run_is_finished_with_its_stored_maps(settings: Settings, tmp_path: Path) -> None:
    stored = replace(settings, stored_views=15)
    train(stored)
    run = Path(stored.out)
    hubness = HubnessSettings(images=ModalitySettings(3, 0.5), sentences=ModalitySettings(4))
    finish(tmp_path / "done", run, stored, side=32, pairs=15, hubness=hubness, maps=True)
    done = load_file(tmp_path / "done" / "model.safetensors")
    corpus = build_corpus(stored)
    model = SmallModel(stored, corpus)
    load_start(model, run)
    maps = open_maps(stored, corpus, model.eval())
    with torch.inference_mode():
        vectors = model.towers.visual.head(model.pooled(maps.batch(np.arange(15))))
    expected = vectors.mean(dim=0)
    torch.testing.assert_close(done["visual.level.mean"], expected, atol=1e-3, rtol=1e-3)


def test_an_earlier_run_teaches_with_half_of_the_weight(settings: Settings) -> None:
    train(settings)
    corpus = build_corpus(settings)
    rows, texts = np.arange(3), np.arange(4)
    images = np.eye(3, 8, dtype=np.float16)
    sentences = np.eye(4, 8, dtype=np.float16)
    both = replace(
        corpus,
        teachers=[
            (np.resize(images, (len(corpus.row), 8)), np.resize(sentences, (len(corpus.texts), 8)))
        ],
    )
    taught = replace(settings, teacher_run=settings.out)
    alone = SoftScores(both, settings).teacher(rows, texts)
    run = SoftScores(corpus, taught).teacher(rows, texts)
    mixed = SoftScores(both, taught).teacher(rows, texts)
    assert alone is not None
    assert run is not None
    assert mixed is not None
    torch.testing.assert_close(mixed, (alone + run) / 2)
    assert float(run.std()) > 0


def test_a_run_with_another_tower_gives_its_text_head_and_teaches(
    settings: Settings, tmp_path: Path
) -> None:
    train(settings)
    other = replace(
        settings,
        tower="efficientnet_lite1",
        trunk=None,
        out=str(tmp_path / "lite1"),
        init_text=settings.out,
        teacher_run=settings.out,
    )
    training = Training(other, build_corpus(other))
    earlier = load_file(Path(settings.out) / "model.safetensors")
    found = training.model.state_dict()
    heads = [key for key in earlier if key.startswith("towers.text.project")]
    assert heads
    for key in heads:
        torch.testing.assert_close(found[key], earlier[key])
    blocks = {key.split(".")[5] for key in found if key.startswith("towers.visual.trunk.blocks.1.")}
    assert len(blocks) == 3  # Lite0 has two layers there
    taught = training.soft_scores.teacher(np.arange(3), np.arange(4))
    assert taught is not None
    assert float(taught.std()) > 0
    training.run(lambda _: None)


def test_only_what_is_not_frozen_changes(settings: Settings) -> None:
    training = Training(settings, build_corpus(settings))
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    training.run(lambda _: None)
    changed = {
        key
        for key, value in training.model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    trunk = "towers.visual.trunk."
    assert not any(key.startswith((f"{trunk}blocks.5", "towers.text.reader")) for key in changed)
    assert {f"{trunk}conv_head.weight", f"{trunk}blocks.6.0.conv_pw.weight"} <= changed


def test_a_finished_run_loads_as_an_encoder(settings: Settings, tmp_path: Path) -> None:
    train(settings)
    run = Path(settings.out)
    soup(tmp_path / "soup", [run, run])
    mean, own = (load_file(f / "model.safetensors") for f in (tmp_path / "soup", run))
    torch.testing.assert_close(mean, own)
    hubness = HubnessSettings(images=ModalitySettings(3, 0.5), sentences=ModalitySettings(4))
    finish(tmp_path / "done", tmp_path / "soup", settings, side=64, pairs=20, hubness=hubness)
    config = read_json(tmp_path / "done" / "config.json")
    weights = tmp_path / "w.safetensors"
    save_file(
        quantize_state(
            load_file(tmp_path / "done" / "model.safetensors"), lambda key: "reader" in key
        ),
        weights,
    )
    how = Preprocess(64, tuple(config["means"]), tuple(config["stds"]))
    file = WeightsFile(str(weights), sha256_of(weights))
    encoder = OpenClipEncoder(ModelCard("made", config["arch"], file, how, 24), "cpu")
    texts = encoder.encode_texts(["a red square", "blue ground number 2 ."])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-4)
    assert encoder.token_count("red 12")[0] == 5  # with start and end


def test_shares_that_leave_nothing_are_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="sum less than 1"):
        replace(settings, teacher_share=0.95)


def test_the_readme_names_every_recipe() -> None:
    text = (RECIPES / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in RECIPES.glob("terraseek-small-*.json")]
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("terraseek-small-[0-9]*.json")))
def test_shipped_recipes_do_not_train_on_evaluation_data(
    recipe: Path, minilm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA", "DEMO", "DEMO_MORE", "COARSE", "LITE0", "LITE2"):
        monkeypatch.setenv(f"TERRASEEK_{name}", "/data")
    monkeypatch.setenv("TERRASEEK_MINILM", str(minilm))
    found = load_settings(recipe)
    assert {source.split for source in found.data if source.name == "rsicd"} == {"train"}
    assert not any(
        word in source.images for source in found.data for word in ("eurosat", "rsscn7", "aircraft")
    )
