"""`OpenClipEncoder` against open_clip itself, and weights in all published layouts."""

import logging
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from helpers.ensemble_runs import ARCH as CONV
from terraseek.encoders import get_card, list_models, load_encoder
from terraseek.encoders.architecture import model_config, quickgelu_sibling
from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import load_weights, read_state
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder, pick_device
from terraseek.encoders.registry import add_model, save_card
from terraseek.encoders.user_cards import CardOptions
from terraseek.errors import (
    ConfigError,
    EmptyQueryError,
    MissingExtraError,
    WeightsChecksumError,
    WeightsLayoutError,
    WeightsNotFoundError,
)
from terraseek.files import sha256_of, write_json

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": TEXT,
}
MEAN, STD = (0.4, 0.42, 0.39), (0.19, 0.18, 0.2)
SENTENCE = "many planes parked next to a terminal"


def network(architecture=VIT, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = build_model(architecture)
    for (
        module
    ) in model.modules():  # statistics as after training, otherwise folding them tests nothing
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone().contiguous() for k, v in model.state_dict().items()}


def card_of(path: Path, architecture=VIT, name: str = "tiny", **changes) -> ModelCard:
    facts = {
        "name": name,
        "architecture": architecture,
        "weights": WeightsFile(str(path), sha256_of(path)),
        "preprocess": Preprocess(32, MEAN, STD),
        "embed_dim": 8,
    }
    return ModelCard(**{**facts, **changes})


@pytest.fixture(scope="module")
def vit_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    save_file(state_of(network(VIT)), path)
    return path


@pytest.fixture(scope="module")
def conv_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "conv.safetensors"
    save_file(state_of(network(CONV)), path)
    return path


def make_images(count: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (30 + 7 * i, 90 - 9 * i, 3), np.uint8) for i in range(count)]


def reference(model: torch.nn.Module, images: list[np.ndarray], **how) -> np.ndarray:
    """Vectors by open_clip's own transform and encode_image."""
    import open_clip

    settings = {"resize_mode": "shortest", "interpolation": "bicubic", **how}
    transform = open_clip.image_transform(32, is_train=False, mean=MEAN, std=STD, **settings)
    batch = torch.stack([transform(Image.fromarray(image)) for image in images])
    with torch.inference_mode():
        return model.encode_image(batch, normalize=True).numpy()


@pytest.mark.parametrize("kind", ["vit", "conv"])
def test_images_as_open_clip_encodes_them(kind, vit_file, conv_file):
    architecture, path = (VIT, vit_file) if kind == "vit" else (CONV, conv_file)
    encoder = OpenClipEncoder(card_of(path, architecture))
    wanted = reference(network(architecture), make_images())
    got = encoder.encode_images(make_images())
    assert got.dtype == np.float32
    assert np.abs(got - wanted).max() < 1e-5


def test_squash_and_bilinear_as_open_clip_does_them(conv_file):
    how = {"resize_mode": "squash", "interpolation": "bilinear"}
    encoder = OpenClipEncoder(
        card_of(
            conv_file,
            CONV,
            preprocess=Preprocess(
                32, MEAN, STD, **{"resize_mode": "squash", "interpolation": "bilinear"}
            ),
        )
    )
    wanted = reference(network(CONV), make_images(), **how)
    assert np.abs(encoder.encode_images(make_images()) - wanted).max() < 1e-5
    assert np.abs(wanted - reference(network(CONV), make_images())).max() > 1e-3


def test_sentences_as_open_clip_encodes_them(vit_file):
    import open_clip

    encoder = OpenClipEncoder(card_of(vit_file))
    tokens = open_clip.SimpleTokenizer(context_length=12)([SENTENCE, "a lake"])
    with torch.inference_mode():
        wanted = network().encode_text(tokens, normalize=True).numpy()
        raw = network().encode_text(tokens).numpy()
    assert np.abs(encoder.encode_texts([SENTENCE, "a lake"]) - wanted).max() < 1e-5
    assert np.allclose(encoder.encode_text_features([SENTENCE, "a lake"]), raw, atol=1e-5)


def test_empty_sentence_is_refused(vit_file):
    with pytest.raises(EmptyQueryError):
        OpenClipEncoder(card_of(vit_file)).encode_texts(["a lake", " "])


@pytest.mark.parametrize(
    ("text", "needed"), [("lake", 3), (SENTENCE, 9), ("a " * 20, 22), ("naïve café", 6)]
)
def test_tokens_are_counted_with_start_and_end(vit_file, text, needed):
    count, limit = OpenClipEncoder(card_of(vit_file)).token_count(text)
    assert limit == 12
    assert (count > limit) == (needed > limit)
    if "é" not in text:
        assert count == needed


def test_context_length_of_the_config_is_used(vit_file):
    encoder = OpenClipEncoder(card_of(vit_file))
    long = encoder.encode_texts([SENTENCE + " of an airport in the north of the city by the sea"])
    assert long.shape == (1, 8)


def test_batches_do_not_change_the_vectors(vit_file):
    encoder = OpenClipEncoder(card_of(vit_file))
    whole = encoder.encode_images(make_images())
    encoder.batch_size = 2
    assert np.allclose(encoder.encode_images(make_images()), whole, atol=1e-6)


def test_id_and_sizes_are_those_of_the_card(vit_file):
    card = card_of(vit_file)
    encoder = OpenClipEncoder(card)
    assert (encoder.name, encoder.dim, encoder.image_size) == ("tiny", 8, 32)
    assert encoder.encoder_id == card.encoder_id(sha256_of(vit_file))
    assert encoder.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_threads_share_one_encoder(conv_file):
    encoder = OpenClipEncoder(card_of(conv_file, CONV))
    images = make_images()
    wanted = [encoder.encode_images([image]) for image in images]
    got: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        for _ in range(5):
            got[index] = encoder.encode_images([images[index]])
            encoder.encode_texts([SENTENCE])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(got[i], wanted[i], atol=1e-6) for i in range(len(images)))


# --- layouts ---------------------------------------------------------------------------------


def itra(state):
    raw = {}
    for key, value in state.items():
        if key.startswith("visual."):
            raw["image_backbone." + key.removeprefix("visual.")] = value
        elif key == "logit_scale":
            raw[key] = value
        else:
            raw["text_backbone." + key] = value
    return raw


LAYOUTS = {
    "flat": lambda s: s,
    "ordered": OrderedDict,
    "wrapped": lambda s: {"epoch": 5, "name": "x", "state_dict": s},
    "module": lambda s: {f"module.{k}": v for k, v in s.items()},
    "wrapped module": lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
    "itra": lambda s: {"epoch": 5, "state_dict": itra(s)},
    "itra module": lambda s: {"state_dict": {f"module.{k}": v for k, v in itra(s).items()}},
    "attn_mask": lambda s: {**s, "attn_mask": torch.zeros(12, 12)},
    "scale in a list": lambda s: {**s, "logit_scale": s["logit_scale"].reshape(1)},
    "half": lambda s: {k: v.half() for k, v in s.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_published_layouts_load(layout, suffix, tmp_path):
    path = tmp_path / f"weights{suffix}"
    torch.save(LAYOUTS[layout](state_of(network())), path)
    model = build_model(VIT)
    load_weights(model, path)
    wanted = state_of(network())
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, wanted[key], atol=2e-3 if layout == "half" else 0), key


def test_half_precision_on_disk_computes_in_float32(tmp_path):
    path = tmp_path / "half.safetensors"
    save_file({k: v.half() for k, v in state_of(network()).items()}, path)
    got = OpenClipEncoder(card_of(path)).encode_images(make_images())
    assert np.abs(got - reference(network(), make_images())).max() < 5e-3


def test_top_level_layout_loads_into_a_separate_text_tower(tmp_path):
    path = tmp_path / "flat.pt"
    torch.save(state_of(network()), path)
    model = build_model({**VIT, "custom_text": True})
    load_weights(model, path)
    assert torch.equal(
        model.state_dict()["text.token_embedding.weight"],
        network().state_dict()["token_embedding.weight"],
    )


def test_mismatched_keys_are_listed(tmp_path):
    state = state_of(network())
    for key in [k for k in state if k.startswith("transformer.")]:
        del state[key]
    state["extra.weight"] = torch.zeros(1)
    state["visual.proj"] = torch.zeros(2, 2)
    path = tmp_path / "odd.pt"
    torch.save(state, path)
    with pytest.raises(WeightsLayoutError) as caught:
        load_weights(build_model(VIT), path)
    message = str(caught.value)
    assert "lacks transformer.resblocks.0.ln_1.weight" in message
    assert "and 8 more" in message
    assert "unknown extra.weight" in message
    assert "visual.proj (2, 2) for (32, 8)" in message


def test_a_mismatch_loads_nothing(tmp_path):
    path = tmp_path / "odd.pt"
    torch.save({**state_of(network(seed=1)), "extra": torch.zeros(1)}, path)
    model = network(seed=0)
    with pytest.raises(WeightsLayoutError):
        load_weights(model, path)
    assert torch.equal(model.visual.proj, network(seed=0).visual.proj)


class RunsCode:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_pickle_that_runs_code_is_refused(tmp_path, capsys):
    path = tmp_path / "bad.pt"
    torch.save({"state_dict": state_of(network()), "x": RunsCode()}, path)
    with pytest.raises(WeightsLayoutError, match="could run code"):
        read_state(path)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning"
)
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "jit.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with pytest.raises(WeightsLayoutError, match="TorchScript archive"):
        read_state(path)


@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut off"])
def test_invalid_weights_files_are_refused(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsLayoutError, match=name):
        read_state(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_refused(suffix, tmp_path):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pt":
        torch.save(state_of(network()), path)
    else:
        save_file(state_of(network()), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsLayoutError, match="is not a complete"):
        read_state(path)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {}, torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(value, tmp_path):
    path = tmp_path / "other.pt"
    torch.save(value, path)
    with pytest.raises(WeightsLayoutError, match="contains no named tensors"):
        read_state(path)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["wrap", "module"]), max_size=4))
def test_wrappers_and_prefixes_in_any_order(tmp_path_factory, layers):
    state = {"visual.proj": torch.ones(2), "logit_scale": torch.zeros(())}
    value: dict = dict(state)
    wrapped = False
    for layer in layers:
        if layer == "wrap":
            value, wrapped = {"state_dict": value}, True
        elif not wrapped:
            value = {f"module.{k}": v for k, v in value.items()}
    path = tmp_path_factory.mktemp("w") / "x.pt"
    torch.save(value, path)
    assert set(read_state(path)) == set(state)


# --- architectures, devices -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no-such-model", "hf-hub:a/b", "local-dir:/tmp"])
def test_unknown_architectures_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        model_config(name)


def test_an_incomplete_architecture_is_refused():
    with pytest.raises(ConfigError, match="text_cfg"):
        model_config({"embed_dim": 8, "vision_cfg": {}})
    with pytest.raises(ConfigError, match="cannot be built"):
        build_model({**VIT, "vision_cfg": {"wings": 2}})


def test_a_huggingface_text_tower_needs_transformers():
    architecture = {**VIT, "text_cfg": {"hf_model_name": "roberta-base"}}
    with pytest.raises(MissingExtraError, match="pip install transformers"):
        build_model(architecture)


def test_a_vocabulary_smaller_than_the_tokenizers_is_refused(tmp_path):
    small = {**VIT, "text_cfg": {**TEXT, "vocab_size": 100}}
    path = tmp_path / "small.safetensors"
    save_file(state_of(network(small)), path)
    with pytest.raises(ConfigError, match="49408 tokens, the text tower only 100"):
        OpenClipEncoder(card_of(path, small))


def test_a_card_with_another_dim_or_side_is_refused(vit_file):
    with pytest.raises(ConfigError, match="has embed_dim 9, but its network outputs 8"):
        OpenClipEncoder(card_of(vit_file, embed_dim=9))
    wrong = card_of(vit_file, preprocess=Preprocess(48, MEAN, STD))
    with pytest.raises(ConfigError, match="48-pixel squares"):
        OpenClipEncoder(wrong)


def test_equal_sentences_have_equal_vectors(vit_file):
    steps = []
    others = [f"{k} boats on a lake" for k in range(8)]
    sentences = [SENTENCE, *others, SENTENCE, "a lake", SENTENCE]
    found = OpenClipEncoder(card_of(vit_file)).encode_texts(
        sentences, lambda *step: steps.append(step)
    )
    assert (found[0] == found[9]).all()
    assert (found[0] == found[11]).all()
    assert steps[-1][1:] == (10, 10)  # every sentence is encoded once
    assert len({row.tobytes() for row in found}) == 10


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type in {"cpu", "cuda"}
    with pytest.raises(ConfigError, match="'abacus' is unknown"):
        pick_device("abacus")
    with pytest.raises(ConfigError, match="no device 'meta'"):
        pick_device("meta")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_without_a_device(vit_file, monkeypatch):
    with pytest.raises(ConfigError, match="no device 'cuda'"):
        OpenClipEncoder(card_of(vit_file), "cuda")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    with pytest.raises(ConfigError, match="bfloat16 needs a CUDA device or a CPU with AVX-512"):
        OpenClipEncoder(card_of(vit_file), "cpu", "bfloat16")


def test_bfloat16_on_a_cpu_that_supports_it(conv_file, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    card = card_of(conv_file, CONV)
    wanted = OpenClipEncoder(card, "cpu").encode_images(make_images())
    half = OpenClipEncoder(card, "cpu", "bfloat16").encode_images(make_images())
    assert half.dtype == np.float32
    assert 0 < np.abs(half - wanted).max() < 5e-2


def test_the_precision_is_an_environment_variable(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    squares = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    wanted = load_encoder("terraseek-tiny", "cpu").encode_squares(squares)
    monkeypatch.setenv("TERRASEEK_PRECISION", "bfloat16")
    half = load_encoder("terraseek-tiny", "cpu").encode_squares(squares)
    assert 0 < np.abs(half - wanted).max() < 2e-2
    monkeypatch.setenv("TERRASEEK_PRECISION", "float16")
    with pytest.raises(ConfigError, match="'float16' is unknown; use float32 or bfloat16"):
        load_encoder("terraseek-tiny", "cpu")


@pytest.mark.gpu
def test_cuda_gives_the_vectors_of_the_cpu(conv_file):
    card = card_of(conv_file, CONV)
    wanted = OpenClipEncoder(card, "cpu").encode_images(make_images())
    assert np.abs(OpenClipEncoder(card, "cuda").encode_images(make_images()) - wanted).max() < 5e-3
    half = OpenClipEncoder(card, "cuda", "bfloat16").encode_images(make_images())
    assert np.abs(half - wanted).max() < 5e-2


# --- folding batch norms ----------------------------------------------------------------------


@pytest.mark.parametrize("timm_name", ["resnet10t", "mobilenetv4_conv_small"])
def test_folding_removes_norms_and_keeps_the_vectors(timm_name):
    vision = {**CONV["vision_cfg"], "timm_model_name": timm_name, "timm_proj": ""}
    tower = network({**CONV, "vision_cfg": vision}).visual
    folded = fold_batch_norms(tower, 32)
    norms = [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not norms
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in tower.modules())  # left as it was
    batch = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        pair = [torch.nn.functional.normalize(t(batch), dim=-1) for t in (tower, folded)]
    assert (pair[0] - pair[1]).abs().max() < 1e-5


def test_a_tower_without_norms_is_returned_unchanged():
    tower = network().visual
    assert fold_batch_norms(tower, 32) is tower


class Shared(torch.nn.Module):
    """The convolution's output is read twice, so its norm must stay."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.conv(x)
        return (self.norm(y) + y).mean((2, 3))


class Twice(torch.nn.Module):
    """One convolution and one norm, called twice."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3)
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.conv(self.norm(self.conv(x)))).mean((2, 3))


class Branching(torch.nn.Module):
    """Flow that depends on the data cannot be traced."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.norm(self.conv(x)) if x.sum() > 0 else self.conv(x)
        return y.mean((2, 3))


@pytest.mark.parametrize("kind", [Shared, Twice, Branching])
def test_norms_stay_where_folding_would_be_wrong(kind):
    tower = kind().eval()
    folded = fold_batch_norms(tower, 16)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    with torch.inference_mode():
        batch = torch.rand(2, 3, 16, 16)
        assert torch.allclose(tower(batch), folded(batch), atol=1e-6)


# --- registering ------------------------------------------------------------------------------


def test_load_encoder_by_name(vit_file):
    save_card(card_of(vit_file))
    assert load_encoder("tiny", "cpu").encode_texts(["a lake"]).shape == (1, 8)
    assert load_encoder("fake").name == "fake"


def test_load_encoder_without_weights_is_refused():
    with pytest.raises(WeightsNotFoundError, match="models fetch"):
        load_encoder("georsclip-vit-b-32")


def test_preprocessing_comes_from_an_open_clip_config(vit_file, tmp_path):
    config = tmp_path / "open_clip_config.json"
    prepare = {"size": [32, 32], "mode": "RGB", "mean": MEAN, "std": STD, "resize_mode": "squash"}
    write_json(config, {"model_cfg": VIT, "preprocess_cfg": prepare})
    card = add_model("own", str(config), vit_file)
    assert card == get_card("own")
    assert card.preprocess == Preprocess(32, MEAN, STD, "bicubic", "squash")
    assert card.weights.sha256 == sha256_of(vit_file)
    assert load_encoder("own").encode_images(make_images()).shape == (5, 8)


def test_user_options_override_the_config(vit_file):
    options = CardOptions(
        mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), licence="mine", context_length=12
    )
    card = add_model("own", VIT, vit_file, options)
    assert card.preprocess.mean == (0.1, 0.2, 0.3)
    assert (card.licence, card.context_length) == ("mine", 12)


def test_another_size_builds_another_network(conv_file, vit_file):
    card = add_model("larger", CONV, conv_file, CardOptions(size=64))
    assert card.preprocess.size == 64
    assert load_encoder("larger").encode_images(make_images()).shape == (5, 8)
    with pytest.raises(WeightsLayoutError, match="positional_embedding"):
        add_model("vit", VIT, vit_file, CardOptions(size=64))


def test_weights_that_do_not_fit_are_not_registered(vit_file, tmp_path):
    with pytest.raises(WeightsLayoutError):
        add_model("own", CONV, vit_file)
    with pytest.raises(WeightsNotFoundError, match="no weights file"):
        add_model("own", VIT, tmp_path / "absent.pt")
    with pytest.raises(ConfigError, match="no architecture file"):
        add_model("own", str(tmp_path / "absent.json"), vit_file)
    with pytest.raises(ConfigError, match="shipped with TerraSeek"):
        add_model("georsclip-vit-b-32", VIT, vit_file)
    assert "own" not in {c.name for c in list_models()}


def test_a_copy_survives_the_original(vit_file, tmp_path):
    here = tmp_path / "weights.safetensors"
    here.write_bytes(vit_file.read_bytes())
    add_model("own", VIT, here)
    add_model("kept", VIT, here, copy=True)
    here.write_bytes(b"training went on")
    assert load_encoder("kept").encode_images(make_images()).shape == (5, 8)
    with pytest.raises(WeightsChecksumError, match="another version"):
        load_encoder("own")


def proposed_architecture(
    name: str, arch, quick_gelu: bool | None, tmp_path: Path, file: str = "w.pt"
):
    from terraseek.encoders.user_cards import user_card

    path = tmp_path / file
    path.write_bytes(b"x")
    return user_card(name, arch, path, CardOptions(quick_gelu=quick_gelu)).architecture


def test_quickgelu_is_used_for_openai_weights_with_a_warning(tmp_path, caplog):
    assert (
        proposed_architecture("g", "ViT-B-32", None, tmp_path, "RS5M_ViT-B-32.pt")
        == "ViT-B-32-quickgelu"
    )
    assert "--no-quickgelu" in caplog.text
    caplog.clear()
    assert proposed_architecture("other", "ViT-B-32", None, tmp_path) == "ViT-B-32"
    assert "add --quickgelu" in caplog.text


def test_every_architecture_of_openai_has_its_quickgelu_config():
    for name in ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-32", "ViT-L-14-336"):
        assert model_config(quickgelu_sibling(name))["quick_gelu"] is True


def test_georsclip_h14_keeps_plain_gelu(tmp_path, caplog):
    assert (
        proposed_architecture("georsclip-h", "ViT-H-14", None, tmp_path, "RS5M_ViT-H-14.pt")
        == "ViT-H-14"
    )
    assert caplog.text == ""


def test_quickgelu_as_the_user_chooses(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert proposed_architecture("x", "ViT-B-32", True, tmp_path) == "ViT-B-32-quickgelu"
        assert proposed_architecture("georsclip", "ViT-B-32", False, tmp_path) == "ViT-B-32"
        assert (
            proposed_architecture("x", "ViT-B-32-quickgelu", None, tmp_path) == "ViT-B-32-quickgelu"
        )
        assert proposed_architecture("x", "ViT-H-14", None, tmp_path) == "ViT-H-14"
        assert proposed_architecture("x", "ViT-H-14", True, tmp_path)["quick_gelu"] is True
        assert (
            proposed_architecture("x", "ViT-B-32-quickgelu", False, tmp_path)["quick_gelu"] is False
        )
        assert proposed_architecture("x", VIT, True, tmp_path)["quick_gelu"] is True
    assert caplog.text == ""


def test_the_activation_changes_the_vectors(vit_file):
    plain = OpenClipEncoder(card_of(vit_file)).encode_images(make_images())
    quick_card = card_of(vit_file, {**VIT, "quick_gelu": True})
    quick = OpenClipEncoder(quick_card)
    assert np.abs(plain - quick.encode_images(make_images())).max() > 1e-4
    assert quick.encoder_id != card_of(vit_file).encoder_id(sha256_of(vit_file))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["georsclip-vit-b-32", "remoteclip-rn50"])
def test_published_architectures_build_with_random_weights(name, tmp_path):
    card = get_card(name)
    model = build_model(card.architecture)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    path = tmp_path / "random.pt"
    torch.save(state_of(model), path)
    local = ModelCard.from_json({**card.to_json(), "name": "local", "weights": {"file": str(path)}})
    encoder = OpenClipEncoder(local, "cpu")
    assert encoder.encode_images(make_images(2)).shape == (2, card.embed_dim)
    assert encoder.token_count(SENTENCE) == (9, 77)
