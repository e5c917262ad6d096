"""Model cards, the registry, and verification of weights."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from terraseek.encoders import get_card, list_models
from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile, check_name, read_card
from terraseek.encoders.registry import Registry, remove_card, save_card, user_folder
from terraseek.encoders.weight_files import find_weights, pin_checksum, verify, weights_folder
from terraseek.errors import (
    ConfigError,
    UnknownModelError,
    WeightsChecksumError,
    WeightsNotFoundError,
)
from terraseek.files import home, read_json, sha256_of, write_json

SHA = "0" * 64


def card(name: str = "mine", **changes) -> ModelCard:
    facts = {
        "name": name,
        "architecture": "ViT-B-32",
        "weights": WeightsFile("mine.safetensors"),
        "preprocess": Preprocess(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "embed_dim": 512,
    }
    return ModelCard(**{**facts, **changes})


def with_bytes(name: str, content: bytes) -> Path:
    path = weights_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_importing_the_package_loads_no_torch():
    code = (
        "import sys, terraseek.encoders, terraseek.commands.models;"
        "terraseek.encoders.list_models();"
        "heavy = {'torch', 'open_clip', 'timm', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_json_round_trip_of_a_card():
    original = card(
        architecture={"embed_dim": 4, "vision_cfg": {}, "text_cfg": {}},
        languages=("en", "fr"),
        gsd_range_m=(0.3, 10.0),
        calibration={"mean": 0.1, "std": 0.02, "quantiles": [0.0, 0.1]},
        limitations=("night",),
    )
    assert ModelCard.from_json(json.loads(json.dumps(original.to_json()))) == original


def test_a_single_limitation_may_be_a_string():
    facts = {**card().to_json(), "limitations": "night"}
    assert ModelCard.from_json(facts).limitations == ("night",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown keys \\['colour'\\]"),
        ({"weights": {"file": "a/b"}}, "plain file name"),
        ({"weights": {"file": ".."}}, "plain file name"),
        ({"weights": {"file": "a", "sha256": "ABC"}}, "64 lower-case hex"),
        ({"weights": {"sha256": SHA}}, "weights lacks the keys \\['file'\\]"),
        ({"weights": "a"}, "must be a JSON object"),
        ({"preprocess": {"size": 0, "mean": [0, 0, 0], "std": [1, 1, 1]}}, "size 0"),
        ({"preprocess": {"size": 9, "mean": [0, 0], "std": [1, 1, 1]}}, "three numbers"),
        ({"preprocess": {"size": 9, "mean": [0, 0, 0], "std": [1, 0, 1]}}, "above 0"),
        (
            {
                "preprocess": {
                    "size": 9,
                    "mean": [0, 0, 0],
                    "std": [1, 1, 1],
                    "interpolation": "nearest",
                }
            },
            "bicubic, bilinear",
        ),
        (
            {
                "preprocess": {
                    "size": 9,
                    "mean": [0, 0, 0],
                    "std": [1, 1, 1],
                    "resize_mode": "longest",
                }
            },
            "shortest, squash",
        ),
        ({"embed_dim": 0}, "embed_dim 0"),
        ({"architecture": ""}, "no architecture"),
        ({"gsd_range_m": [3, 1]}, "smallest, largest"),
        ({"name": "../x"}, "cannot be used"),
    ],
)
def test_bad_cards_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ModelCard.from_json({**card().to_json(), **change})


@pytest.mark.parametrize("name", ["", "fake", "a/b", "..", "-x", "a" * 65, "naïve model"])
def test_invalid_names_are_refused(name):
    with pytest.raises(ConfigError, match="cannot be used"):
        check_name(name)


def test_a_card_file_must_have_the_name_of_the_model(tmp_path):
    write_json(tmp_path / "other.json", card().to_json())
    with pytest.raises(ConfigError, match="named 'mine' inside"):
        read_card(tmp_path / "other.json")


def test_encoder_id_depends_on_architecture_weights_and_preprocessing():
    base = card()
    ids = {
        base.encoder_id(SHA),
        base.encoder_id("1" * 64),
        card(architecture="ViT-B-32-quickgelu").encoder_id(SHA),
        card(preprocess=Preprocess(224, (0.4, 0.5, 0.5), (0.5, 0.5, 0.5))).encoder_id(SHA),
        card("other").encoder_id(SHA),
    }
    assert len(ids) == 5
    assert card(description="a word about it").encoder_id(SHA) == base.encoder_id(SHA)
    assert base.encoder_id(SHA).startswith("mine@")
    assert len(base.encoder_id(SHA)) == len("mine@") + 12


def test_shipped_cards_have_title_licence_and_description():
    cards = list_models()
    assert {"georsclip-vit-b-32", "georsclip-vit-h-14", "remoteclip-rn50"} <= {
        c.name for c in cards
    }
    for shipped in cards:
        assert shipped.title
        assert shipped.licence
        assert shipped.description


def test_cards_of_openai_weights_have_quickgelu():
    for name in ("georsclip-vit-b-32", "georsclip-vit-l-14", "georsclip-vit-l-14-336"):
        assert str(get_card(name).architecture).endswith("-quickgelu")
    assert get_card("georsclip-vit-h-14").architecture == "ViT-H-14"


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownModelError, match=r"'nope'.*fake.*georsclip-vit-b-32"):
        get_card("nope")


def test_adding_returns_a_new_registry():
    before = Registry.load()
    after = before.adding(card())
    assert "mine" in after.cards
    assert "mine" not in before.cards


def test_saved_card_is_found_and_can_be_removed():
    save_card(card(title="first"))
    assert get_card("mine").title == "first"
    with pytest.raises(ConfigError, match="registered already"):
        save_card(card())
    save_card(card(title="second"), replace=True)
    assert get_card("mine").title == "second"
    remove_card("mine")
    with pytest.raises(UnknownModelError):
        get_card("mine")


def test_shipped_cards_cannot_be_replaced_or_removed():
    with pytest.raises(ConfigError, match="shipped with TerraSeek"):
        save_card(card("georsclip-vit-b-32"), replace=True)
    with pytest.raises(ConfigError, match="shipped with TerraSeek"):
        remove_card("georsclip-vit-b-32")
    with pytest.raises(UnknownModelError):
        remove_card("nope")


def test_one_bad_card_leaves_the_others_usable(caplog):
    save_card(card())
    (user_folder() / "bad.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        names = {c.name for c in list_models()}
    assert "mine" in names
    assert "bad" not in names
    assert "bad.json" in caplog.text
    with pytest.raises(ConfigError, match=r"bad\.json cannot be used"):
        get_card("bad")


def test_missing_weights_name_the_next_step(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="models fetch georsclip-vit-b-32"):
        verify(get_card("georsclip-vit-b-32"))
    with pytest.raises(WeightsNotFoundError, match=r"put mine\.safetensors into"):
        verify(card())
    missing = card(weights=WeightsFile(str(tmp_path / "gone.pt")))
    with pytest.raises(WeightsNotFoundError, match="missing from"):
        verify(missing)


def test_weights_of_another_digest_are_refused():
    path = with_bytes("mine.safetensors", b"abc")
    right = card(weights=WeightsFile("mine.safetensors", sha256_of(path)))
    assert verify(right).sha256 == sha256_of(path)
    with pytest.raises(WeightsChecksumError, match="expected 000000000000"):
        verify(card(weights=WeightsFile("mine.safetensors", SHA)))


def test_a_changed_file_is_detected_despite_the_cache():
    path = with_bytes("mine.safetensors", b"abc")
    right = card(weights=WeightsFile("mine.safetensors", sha256_of(path)))
    verify(right)
    times = path.stat()
    path.write_bytes(b"abd")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # keep the time
    with pytest.raises(WeightsChecksumError):
        verify(right)


def test_the_digest_of_an_unchanged_file_is_cached():
    path = with_bytes("mine.safetensors", b"abc")
    verify(card())
    cache = home() / "checksums.json"
    known = read_json(cache)
    known[str(path.resolve())]["sha256"] = SHA  # hashing again would give another digest
    write_json(cache, known)
    assert verify(card()).sha256 == SHA


@pytest.mark.parametrize("content", ["{", "[]", '{"x": 1}'])
def test_with_a_damaged_cache_files_are_hashed_again(content):
    path = with_bytes("mine.safetensors", b"abc")
    home().joinpath("checksums.json").write_text(content)
    assert verify(card()).sha256 == sha256_of(path)


def test_a_pinned_checksum_is_verified_for_a_card_without_digest():
    path = with_bytes("mine.safetensors", b"abc")
    pin_checksum(path, sha256_of(path))
    verify(card())
    path.write_bytes(b"other")
    with pytest.raises(WeightsChecksumError):
        verify(card())


def test_find_weights_does_not_take_a_folder():
    (weights_folder() / "mine.safetensors").mkdir(parents=True)
    assert find_weights(card()) is None
