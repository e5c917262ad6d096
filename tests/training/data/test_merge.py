"""Merged sources: an image that an earlier source or a validation set holds is left out once."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.corpus import build_corpus
from terraseek_train.data.leakage import check_leakage
from terraseek_train.data.merge import repeated_images
from terraseek_train.methods.ebaker.keywords import MASK_ID
from terraseek_train.methods.options import EbakerMethodOptions
from terraseek_train.objectives.masking import mask_corpus, mask_random_pieces


def scene(seed: int) -> np.ndarray:
    """A smooth picture with structure of its own."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)


def write_set(folder: Path, seeds: list[int], split: str, texts: list[str]) -> dict[str, Any]:
    (folder / "images").mkdir(parents=True)
    entries = []
    for seed in seeds:
        cv2.imwrite(str(folder / "images" / f"image{seed}.png"), scene(seed))
        sentences = [{"raw": text} for text in texts]
        entries.append({"filename": f"image{seed}.png", "split": split, "sentences": sentences})
    (folder / "captions.json").write_text(json.dumps({"images": entries}))
    source = {"name": folder.name, "images": str(folder / "images"), "split": split}
    return source | {"captions": str(folder / "captions.json")}


@pytest.fixture
def merged(settings: dict[str, Any], tmp_path: Path) -> Any:
    """Function from `merge_bits` and `stream` to a config of two overlapping sets."""
    first = write_set(tmp_path / "first", [1, 2, 3, 4], "train", ["many green trees", "a red roof"])
    second = write_set(tmp_path / "second", [3, 4, 5, 6], "train", ["a long runway"])
    val = write_set(tmp_path / "val", [1, 5, 9], "val", ["a field"])

    def config(bits: int, stream: bool = False) -> TrainConfig:
        data = [first | {"stream": stream}, second | {"stream": stream}]
        path = tmp_path / "recipe.json"
        path.write_text(json.dumps(settings | {"data": data, "val": val, "merge_bits": bits}))
        return load_config(path)

    return config


@pytest.mark.parametrize("stream", [False, True])
def test_repeated_images_are_left_out_of_later_sources(merged: Any, stream: bool) -> None:
    config = merged(2, stream)
    assert repeated_images(config) == [
        frozenset({"image1.png"}),
        frozenset({"image3.png", "image4.png", "image5.png"}),
    ]
    corpus = build_corpus(config)
    assert [len(images) for images in corpus.images] == [3, 1]
    assert corpus.source.tolist() == [0, 0, 0, 1]
    check_leakage(config)  # what was in validation is left out


def test_without_a_merge_nothing_is_left_out_and_leakage_is_refused(merged: Any) -> None:
    config = merged(-1)
    assert repeated_images(config) == [frozenset(), frozenset()]
    with pytest.raises(ConfigError, match="2 validation images are in the training data"):
        check_leakage(config)


def test_keywords_are_the_most_frequent_words_of_each_source(merged: Any) -> None:
    corpus = build_corpus(merged(-1), keep_texts=True)

    def words(**options: Any) -> set[str]:
        masked, size = mask_corpus(corpus, EbakerMethodOptions(**options))
        assert size == 49_408
        ids = set(masked.labels[masked.labels != 0].tolist())
        assert bool((masked.tokens[masked.labels != 0] == MASK_ID).all())
        return {SimpleTokenizer().decode([number]).strip() for number in ids}

    used = words(keywords=50)
    assert {"green", "trees", "red", "roof", "runway"} <= used
    assert words(keywords=1) == {"green", "long"}
    adjectives = words(mask="adjectives")
    assert {"green", "red", "long"} <= adjectives
    assert not adjectives & {"trees", "roof", "runway"}


def test_random_masks_hide_a_share_of_the_word_pieces_only() -> None:
    tokens = torch.zeros(200, 12, dtype=torch.long)
    tokens[:, 0], tokens[:, 10], tokens[:, 1:10] = 49_406, 49_407, 500
    masked = mask_random_pieces(tokens)
    hidden = masked.labels != 0
    assert not hidden[:, 0].any()
    assert not hidden[:, 10:].any()
    assert 0.12 < float(hidden[:, 1:10].float().mean()) < 0.18
    assert bool((masked.tokens[hidden] == MASK_ID).all())
    assert torch.equal(masked.tokens[~hidden], tokens[~hidden])
    assert torch.equal(masked.labels, mask_random_pieces(tokens).labels)
