"""Results that move when a published constant of EBAKER, PIR, PriorCLIP or an adapter moves."""

import json
import math
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.corpus import Corpus, build_corpus
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.ebaker import (
    KeywordReasoner,
    SimilarityBank,
    keyword_statistics,
    mask_keywords,
)
from terraseek_train.methods.options import EbakerMethodOptions, PirOptions, read_options
from terraseek_train.methods.prior import (
    InstructionEncoder,
    PaeLayer,
    SelfLayer,
    SpatialPae,
    TemporalPae,
    prior_loss,
)
from terraseek_train.methods.prior.guided import GuideConfig, build_guided_tower
from terraseek_train.objectives.build import build_training_model
from terraseek_train.objectives.masking import mask_corpus, mask_random_pieces
from terraseek_train.objectives.prior import guide_of
from terraseek_train.peft import PeftConfig
from terraseek_train.peft.modules import Bottleneck, Gate, LoraDelta

PUBLISHED: dict[str, dict[str, Any]] = {
    "georsclip": {"clamped": False, "share_captions": False},
    "ebaker": {
        "ablate": (),
        "elimination": "joint",
        "alpha": 0.5,
        "drop_ratio": 0.01,
        "first_epoch": 4,
        "keywords": 512,
        "mask": "keywords",
        "depth": 0,
        "heads": 8,
        "vocabulary": "full",
        "weights": (0.6, 0.4),
        "release_compatible": False,
    },
    "pir": {
        "belief": "hard",
        "instruction": "",
        "weight": 1.0,
        "reading": "identity",
        "softmax_over_texts": True,
        "own_temperature": True,
        "temporal": True,
        "keep": 40,
        "layers": 2,
        "heads": 8,
        "dropout": 0.2,
        "pool": "first",
        "zero_heads": False,
        "release_compatible": False,
    },
}
PUBLISHED["priorclip"] = PUBLISHED["pir"] | {
    "belief": "tower",
    "softmax_over_texts": False,
    "own_temperature": False,
    "temporal": False,
    "zero_heads": True,
}


@pytest.mark.parametrize("method", PUBLISHED)
def test_a_method_without_options_has_the_published_ones(method: str) -> None:
    assert asdict(read_options(method, {})) == PUBLISHED[method]


def test_the_fifth_epoch_drops_the_lowest_hundredth() -> None:
    bank = SimilarityBank()
    for epoch in range(5):
        threshold = bank.start_epoch(epoch)
        bank.push(torch.linspace(0, 0.999, 1000))
        assert (threshold is None) == (epoch < 4)
    assert threshold == pytest.approx(0.010)


def some_words(count: int) -> list[str]:
    return ["zq" + "".join(letters) for letters in product("bcdfghjklm", repeat=3)][:count]


def test_512_words_of_a_set_are_keywords() -> None:
    words = some_words(900)
    found = keyword_statistics({"one": [" ".join(words)], "two": [" ".join(words[:600])]})
    assert found == tuple(words[:512])


def test_words_without_content_are_no_keywords() -> None:
    texts = [
        "There are many green trees on both sides of the river and there is a bridge over it .",
        "some buildings are near a large stadium which was next to these two roads",
    ]
    assert " ".join(keyword_statistics({"set": texts})) == (
        "bridge buildings green large river roads sides stadium trees"
    )


def test_the_mask_is_the_last_token_before_the_start_token() -> None:
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    tokens = tokenizer(["trees"])
    masked = mask_keywords(tokens, {"trees"}, tokenizer).tokens[0, :3].tolist()
    assert masked == [tokenizer.sot_token_id, tokenizer.sot_token_id - 1, tokenizer.eot_token_id]
    assert masked[1] == min(tokenizer.all_special_ids) - 1


def corpus_of(tokens: Tensor) -> Corpus:
    """Sentences alone, without images."""
    none, empty = np.zeros(0, np.int16), np.zeros(0, np.int32)
    return Corpus(
        images=[],
        source=none,
        row=empty,
        place=np.zeros(0, np.int64),
        concept=none,
        label=none,
        captions=[],
        templates={},
        class_source=none,
        tokens=tokens.int().numpy(),
        text_concept=np.full(len(tokens), -1, np.int16),
        sentence_vectors=None,
        unpaired_texts=empty,
        weights=(),
    )


def test_random_masking_hides_15_percent_of_the_pieces_and_no_special_token() -> None:
    tokens = torch.full((1000, 77), 320)
    tokens[:, 0], tokens[:, 40], tokens[:, 41:] = 49_406, 49_407, 0
    found = mask_random_pieces(tokens)
    hidden = found.labels != 0
    assert float(hidden[:, 1:40].float().mean()) == pytest.approx(0.15, abs=0.01)
    assert not bool(hidden[:, 0].any() or hidden[:, 40:].any())
    _, vocabulary = mask_corpus(corpus_of(tokens[:2]), EbakerMethodOptions(mask="random"))
    assert vocabulary == 49_408  # CLIP's, start and end included


def test_masked_adjectives_describe_size_colour_shape_and_density() -> None:
    from open_clip.tokenizer import SimpleTokenizer

    text = "some large green trees near a dense residential area and a narrow curved white road"
    corpus = corpus_of(SimpleTokenizer()([text]))
    masked, _ = mask_corpus(corpus, EbakerMethodOptions(mask="adjectives"))
    hidden = [int(n) for n in masked.labels[0] if n]
    words = SimpleTokenizer().decode(hidden).split()
    assert words == ["large", "green", "dense", "residential", "narrow", "curved", "white"]


def heads_of(attention: nn.MultiheadAttention) -> int:
    """Number of heads, counted in the attention weights that come out."""
    x = torch.zeros(1, 3, attention.embed_dim)
    weights = attention(x, x, x, average_attn_weights=False)[1]
    return int(weights.shape[1])


def share_dropped(drop: nn.Module) -> float:
    return float((drop.train()(torch.ones(100_000)) == 0).float().mean())


def spatial_of(guide: GuideConfig) -> SpatialPae:
    instruction = InstructionEncoder(nn.Identity(), 32, 32)
    tower: Any = build_guided_tower(None, instruction, guide, 32)
    found: SpatialPae = tower.spatial
    return found


def assert_published(layer: Any) -> None:
    for part in (layer.own, layer.cross):
        assert heads_of(part.attention) == 8
        assert share_dropped(part.drop) == pytest.approx(0.2, abs=0.01)
        assert [m.out_features for m in part.ffn if isinstance(m, nn.Linear)] == [64, 32]


@pytest.mark.parametrize("source", ["default", "guide", "options"])
def test_pir_keeps_40_tokens_through_two_layers_of_eight_heads(source: str) -> None:
    torch.manual_seed(0)
    guide = guide_of(PirOptions()) if source == "options" else GuideConfig("hard")
    assert guide is not None
    head = SpatialPae(32) if source == "default" else spatial_of(guide)
    assert head.select(torch.randn(2, 50, 32), torch.randn(2, 32)).shape == (2, 40, 32)
    assert len(head.layers) == 2
    for layer in head.layers:
        assert_published(layer)


def test_temporal_attention_has_three_steps_of_eight_heads() -> None:
    head = TemporalPae(32)
    assert len(head.layers) == 3
    for layer in (*head.layers, PaeLayer(32)):
        assert_published(layer)
    alone = SelfLayer(32)
    assert heads_of(alone.attention) == 8
    assert share_dropped(alone.drop) == pytest.approx(0.2, abs=0.01)


def test_the_keyword_head_has_eight_heads_in_every_part() -> None:
    head: Any = KeywordReasoner(32, vocabulary=10)
    assert heads_of(head.cross) == 8
    assert [heads_of(block.attn) for block in head.blocks] == [8] * 4


def test_the_affiliation_loss_counts_as_much_as_the_contrastive_one() -> None:
    torch.manual_seed(0)
    images, texts = (nn.functional.normalize(torch.randn(4, 8), dim=1) for _ in range(2))
    image, label, scale = torch.arange(4), torch.tensor([0, 0, 1, 1]), torch.tensor(5.0)
    full = prior_loss(images, texts, image, label, scale)
    without = prior_loss(images, texts, image, label, scale, weight=0.0)
    twice = prior_loss(images, texts, image, label, scale, weight=2.0)
    torch.testing.assert_close(full - without, twice - full)


def config_of(settings: dict[str, Any], folder: Path) -> TrainConfig:
    (folder / "recipe.json").write_text(json.dumps(settings))
    return load_config(folder / "recipe.json")


def loss_terms(
    model: Any, images: Tensor, texts: Tensor, label: Tensor, positive: Tensor
) -> dict[str, float]:
    """Terms of the loss of one process, each of another place."""
    count = len(images)
    rows = torch.arange(count)
    batch = DeviceBatch(
        pixels=torch.zeros(count, 2, 2, 3, dtype=torch.uint8),
        tokens=torch.zeros(count, 12, dtype=torch.long),
        targets=torch.eye(count),
        neutral=torch.zeros(count, count, dtype=torch.bool),
        label=label,
        source=torch.zeros_like(rows),
        partner=rows,
        lam=torch.ones(count),
        sentence_vectors=None,
        positive=positive,
        all_place=rows,
        all_label=label,
        text_rows=rows,
    )
    terms = model.loss(batch, images, texts, ProcessGroup())[1]
    return {name: float(value.detach()) for name, value in terms.items()}


def info_nce(images: Tensor, texts: Tensor, scale: float) -> float:
    logits, rows = scale * images @ texts.T, torch.arange(len(images))
    entropy = nn.functional.cross_entropy
    return float((entropy(logits, rows) + entropy(logits.T, rows)) / 2)


def test_georsclip_neither_limits_its_temperature_nor_shares_equal_captions(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = config_of(settings | {"method": "georsclip"}, tmp_path)
    model = build_training_model(config, build_corpus(config))
    assert float(model.scale().detach()) == pytest.approx(1 / 0.07)  # at first, as CLIP's
    torch.manual_seed(0)
    images, texts = (nn.functional.normalize(torch.randn(4, 16), dim=1) for _ in range(2))
    nn.init.constant_(model.clip.logit_scale, math.log(150))
    equal = torch.ones(4, 4, dtype=torch.bool)
    found = loss_terms(model, images, texts, torch.zeros(4, dtype=torch.long), equal)
    assert found["contrast"] == pytest.approx(info_nce(images, texts, 150), rel=1e-4)


def test_pirs_affiliation_loss_has_a_temperature_of_its_own_up_to_100(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    options = {"belief": "none", "temporal": False}
    config = config_of(settings | {"method": "pir", "options": options}, tmp_path)
    model: Any = build_training_model(config, build_corpus(config))
    assert float(model.affiliation_scale.detach().exp()) == pytest.approx(1 / 0.07)
    torch.manual_seed(0)
    images, texts = (nn.functional.normalize(torch.randn(4, 16), dim=1) for _ in range(2))
    label, positive = torch.arange(4), torch.eye(4, dtype=torch.bool)  # every center is a vector
    for scale, used in ((20.0, 20.0), (300.0, 100.0)):
        nn.init.constant_(model.affiliation_scale, math.log(scale))
        found = loss_terms(model, images, texts, label, positive)
        assert found["contrast"] == pytest.approx(info_nce(images, texts, 1 / 0.07), rel=1e-4)
        there = used * images @ texts.T
        # softmax over the captions of each center in both directions, as in PIR
        rows = torch.arange(4)
        expected = 2 * float(nn.functional.cross_entropy(there, rows)) / 2
        assert found["affiliation"] == pytest.approx(expected, rel=1e-4)


def test_the_released_bank_holds_200_000_similarities(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    options = {"release_compatible": True, "ablate": ["ker"]}
    config = config_of(settings | {"method": "ebaker", "options": options}, tmp_path)
    model = build_training_model(config, build_corpus(config, keep_texts=True))
    values = model.loop_state()["banks"][0]["values"]
    assert len(values) == 200_000
    bank: Any = model
    assert bank.bank.start_epoch(3) is None
    assert bank.bank.start_epoch(4) == pytest.approx(float(values.sort().values[2000]))


def test_adapters_start_with_the_defaults_of_adapterhub() -> None:
    torch.manual_seed(0)
    like = torch.empty(0)
    config = PeftConfig("lora")
    delta = LoraDelta(512, config.rank, config.alpha, False, like)
    assert float(delta.a.detach().abs().max()) == pytest.approx(1 / math.sqrt(512), rel=0.01)
    assert float(delta.b.detach().abs().max()) == 0
    nn.init.normal_(delta.b)
    x = torch.randn(1, 2, 512)
    torch.testing.assert_close(delta(x), x @ delta.a.T @ delta.b.T)  # alpha / r is 1
    block = Bottleneck(768, PeftConfig("pfeiffer").reduction, False, like)
    assert block.down.weight.shape == (48, 768)
    for weight in (block.down.weight, block.up.weight, Gate(40_000, like).linear.weight):
        assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.03)
    assert {item.name for item in fields(PeftConfig)} >= {"prefix_logit"}
    assert PeftConfig("prefix").prefix_logit == 0  # nothing is added; a bug of 3.2.1 added 1
