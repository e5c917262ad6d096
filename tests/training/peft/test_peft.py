"""PEFT methods: trained parameters, outputs, and models after merging and saving."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from terraseek.errors import (
    ConfigError,
    WeightsChecksumError,
    WeightsLayoutError,
    WeightsNotFoundError,
)
from terraseek_train.peft import KINDS, PeftConfig, apply, eject, load, merge, peft_state, save
from terraseek_train.peft.apply import remove
from terraseek_train.peft.attention import AdaptedAttention
from terraseek_train.peft.modules import Bottleneck, LoraDelta

ARCH: dict[str, Any] = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 10, "vocab_size": 60, "width": 48, "heads": 3, "layers": 2},
}
ADAPTERS = ("lora", "pfeiffer", "prefix", "unipelt")


def make_base(custom: bool = False) -> nn.Module:
    from open_clip.model import CLIP, CustomTextCLIP

    torch.manual_seed(0)
    base: nn.Module = (CustomTextCLIP if custom else CLIP)(**ARCH)
    for name, value in base.named_parameters():
        if "in_proj_bias" in name:
            nn.init.normal_(value, std=0.1)  # open_clip starts them at zero, which hides mistakes
    return base.eval()


@pytest.fixture
def base() -> nn.Module:
    return make_base()


def inputs(rows: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(rows, 3, 16, 16, generator=generator)
    tokens = torch.randint(1, 58, (rows, 10), generator=generator)
    tokens[:, 6], tokens[:, 7:] = 59, 0
    return pixels, tokens


def outputs(model: Any, rows: int = 3) -> Tensor:
    pixels, tokens = inputs(rows)
    return torch.cat([model.encode_image(pixels), model.encode_text(tokens)])


def move(model: nn.Module, names: list[str], std: float = 0.1) -> None:
    torch.manual_seed(5)
    values = dict(model.named_parameters())
    with torch.no_grad():
        for name in names:
            values[name].add_(torch.randn_like(values[name]) * std)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("lora", 491_520), ("pfeiffer", 1_294_272), ("prefix", 16_454_144), ("unipelt", 18_275_872)],
)
def test_parameter_counts_on_vit_b_32_are_the_published_ones(kind: Any, count: int) -> None:
    import open_clip
    from open_clip.model import CLIP

    with torch.device("meta"):
        model = CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu"))
    names = set(apply(model, PeftConfig(kind)))
    assert sum(p.numel() for n, p in model.named_parameters() if n in names) == count


@pytest.mark.parametrize("kind", ["full", "frozen-image", "frozen-text", "linear-probe", "lora"])
def test_initial_outputs_are_those_of_the_base(base: nn.Module, kind: Any) -> None:
    before = outputs(base)
    apply(base, PeftConfig(kind))
    torch.testing.assert_close(outputs(base), before, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("custom", [False, True])
def test_bottlenecks_with_a_zero_delta_change_nothing(custom: bool) -> None:
    base = make_base(custom)
    before = outputs(base)
    names = apply(base, PeftConfig("pfeiffer"))
    assert not torch.allclose(outputs(base), before, atol=1e-6)
    values = dict(base.named_parameters())
    with torch.no_grad():
        for name in names:
            if ".up." in name:
                values[name].zero_()
    torch.testing.assert_close(outputs(base), before, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_named_parameters_get_gradients(base: nn.Module, kind: Any) -> None:
    names = apply(base, PeftConfig(kind, reduction=2))  # wide enough that no relu is dead
    assert names
    move(base, names, 0.02)  # away from zero deltas, whose partners have zero gradients
    scaled: Any = base
    (outputs(base).square().sum() * scaled.logit_scale.exp()).backward()
    got = {n for n, p in base.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert got == set(names)


def test_frozen_kinds_and_the_probe_train_the_right_parameters() -> None:
    trained = {kind: set(apply(make_base(), PeftConfig(kind))) for kind in KINDS[:4]}
    assert trained["linear-probe"] == {"visual.proj", "text_projection", "logit_scale"}
    assert not any(name.startswith("visual.") for name in trained["frozen-image"])
    assert all(n.startswith("visual.") or n == "logit_scale" for n in trained["frozen-text"])
    assert trained["frozen-image"] | trained["frozen-text"] == trained["full"]
    assert trained["frozen-image"] & trained["frozen-text"] == {"logit_scale"}


@pytest.mark.parametrize("custom", [False, True])
def test_merged_lora_computes_the_same_and_is_a_plain_model(custom: bool) -> None:
    base = make_base(custom)
    plain, keys = outputs(base), list(base.state_dict())
    move(base, apply(base, PeftConfig("lora", alpha=16)))
    tuned = outputs(base)
    assert float((tuned - plain).detach().abs().max()) > 1e-2
    merge(base)
    torch.testing.assert_close(outputs(base), tuned, atol=1e-5, rtol=1e-5)
    assert list(base.state_dict()) == keys
    assert all(p.requires_grad for p in base.parameters())
    assert peft_state(base) is None


def test_lora_is_the_published_formula_in_float64() -> None:
    torch.manual_seed(2)
    fused = nn.MultiheadAttention(8, 2, batch_first=True).double()
    nn.init.normal_(fused.in_proj_bias)
    attention = AdaptedAttention(fused)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    from terraseek_train.peft.modules import LoraDelta

    attention.lora_q = LoraDelta(8, 3, 6.0, False, fused.in_proj_weight)
    attention.lora_v = LoraDelta(8, 3, 6.0, False, fused.in_proj_weight)
    nn.init.normal_(attention.lora_q.b)
    nn.init.normal_(attention.lora_v.b)
    by_hand = copy.deepcopy(fused)
    with torch.no_grad():
        by_hand.in_proj_weight[:8] += 2 * attention.lora_q.b @ attention.lora_q.a
        by_hand.in_proj_weight[16:] += 2 * attention.lora_v.b @ attention.lora_v.a
    expected = by_hand(x, x, x, need_weights=False)[0]
    torch.testing.assert_close(attention(x, x, x)[0], expected)


@pytest.mark.parametrize("logit", [0.0, 1.0])
def test_prefixes_precede_the_keys_and_values_of_the_sequence(logit: float) -> None:
    from terraseek_train.peft.modules import Gate, PrefixTable

    torch.manual_seed(3)
    fused = nn.MultiheadAttention(6, 2, batch_first=True).double()
    table = PrefixTable(3, 6, 4, 7, fused.in_proj_weight)
    nn.init.normal_(table.up.weight)
    gate = Gate(6, fused.in_proj_weight)
    attention = AdaptedAttention(fused)
    attention.use_prefix(table, 1, logit, gate)
    x = torch.randn(1, 5, 6, dtype=torch.float64)
    mask = torch.full((5, 5), -math.inf, dtype=torch.float64).triu(1)
    got = attention(x, x, x, attn_mask=mask)[0]

    flat = table.up(torch.tanh(table.down(table.table)))[:, 12:24].detach().numpy()
    opened = 1 / (1 + np.exp(-(gate.linear(x).detach().numpy())))
    weight, bias = fused.in_proj_weight.detach().numpy(), fused.in_proj_bias.detach().numpy()
    q, k, v = np.split(x[0].numpy() @ weight.T + bias, 3, axis=1)
    k = np.concatenate([flat[:, :6] * opened.mean(), k])
    v = np.concatenate([flat[:, 6:] * opened.mean(), v])
    seen = np.zeros((5, 6))
    for head in (slice(0, 3), slice(3, 6)):
        for row in range(5):
            keys = list(range(4 + row + 1))  # all prefixes, then what the causal mask shows
            logits = [q[row, head] @ k[j, head] / math.sqrt(3) + logit * (j < 4) for j in keys]
            shares = np.exp(logits) / np.exp(logits).sum()
            seen[row, head] = sum(s * v[j, head] for s, j in zip(shares, keys, strict=True))
    out = fused.out_proj(torch.from_numpy(seen))
    torch.testing.assert_close(got[0], out)


def test_a_bottleneck_is_the_published_formula(base: nn.Module) -> None:
    block: Any = base.visual.transformer.resblocks[0]
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    r = x + block.attention(block.ln_1(x))
    h = block.mlp(block.ln_2(r))
    apply(base, PeftConfig("pfeiffer"))
    inner = torch.relu(block.pfeiffer.down(r + h))
    torch.testing.assert_close(block(x), r + h + block.pfeiffer.up(inner))
    assert block.pfeiffer.down.weight.shape == (2, 32)


@pytest.mark.parametrize("gated", [False, True])
def test_gradients_of_the_modules_are_those_of_finite_differences(gated: bool) -> None:
    torch.manual_seed(0)
    like = torch.empty(0, dtype=torch.float64)
    delta, bottleneck = LoraDelta(6, 2, 4.0, gated, like), Bottleneck(6, 3, gated, like)
    nn.init.normal_(delta.b)
    nn.init.normal_(bottleneck.down.weight)
    x = torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True)
    for module in (delta, bottleneck):
        trained = list(module.parameters())

        def run(seen: Tensor, *_: Tensor, module: nn.Module = module) -> Tensor:
            out: Tensor = module(seen)
            return out

        assert torch.autograd.gradcheck(run, (x, *trained))


def test_ejected_prefixes_compute_the_same_with_fewer_parameters(base: nn.Module) -> None:
    names = apply(base, PeftConfig("prefix"))
    move(base, names)
    before = outputs(base)
    flat = eject(base)
    torch.testing.assert_close(outputs(base), before, atol=1e-6, rtol=1e-5)
    assert flat == ["transformer.prefix.flat", "visual.transformer.prefix.flat"] or flat == [
        "visual.transformer.prefix.flat",
        "transformer.prefix.flat",
    ]
    sizes = {n: tuple(p.shape) for n, p in base.named_parameters() if n in flat}
    assert sizes["visual.transformer.prefix.flat"] == (30, 2 * 2 * 32)
    assert eject(base) == flat


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_makes_the_same_model_of_the_same_base(tmp_path: Path, kind: Any) -> None:
    tuned = make_base()
    move(tuned, apply(tuned, PeftConfig(kind)))
    save(tuned, tmp_path / "one")
    fresh = make_base()
    names = load(fresh, tmp_path / "one")
    assert names == list(peft_state(tuned).trainable)
    torch.testing.assert_close(outputs(fresh), outputs(tuned), atol=0, rtol=0)
    record = json.loads((tmp_path / "one/adapter.json").read_text())
    assert record["config"]["kind"] == kind


def test_an_ejected_adapter_is_saved_and_loaded_too(tmp_path: Path, base: nn.Module) -> None:
    move(base, apply(base, PeftConfig("prefix", towers=("text",))))
    eject(base)
    save(base, tmp_path / "flat")
    fresh = make_base()
    assert load(fresh, tmp_path / "flat") == ["transformer.prefix.flat"]
    torch.testing.assert_close(outputs(fresh), outputs(base))


def test_copies_of_a_model_use_their_own_adapters(base: nn.Module) -> None:
    names = apply(base, PeftConfig("unipelt"))
    before = outputs(base).detach()
    twin = copy.deepcopy(base)
    move(twin, names)
    torch.testing.assert_close(outputs(base), before, atol=0, rtol=0)
    assert float((outputs(twin) - before).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapters_work_in_training_and_with_one_row(base: nn.Module, kind: Any) -> None:
    names = apply(base, PeftConfig(kind))
    base.train()
    outputs(base, rows=1).sum().backward()
    grads = [p.grad for n, p in base.named_parameters() if n in names]
    assert all(g is not None and bool(g.isfinite().all()) for g in grads)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_removing_restores_the_base(base: nn.Module, kind: Any) -> None:
    before, keys = outputs(base), list(base.state_dict())
    move(base, apply(base, PeftConfig(kind)))
    remove(base)
    assert list(base.state_dict()) == keys
    torch.testing.assert_close(outputs(base), before, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_checkpoint_of_the_base_still_loads(base: nn.Module, kind: Any) -> None:
    state = {key: value + 0.01 for key, value in make_base().state_dict().items()}
    names = apply(base, PeftConfig(kind))
    result = base.load_state_dict(state, strict=False)
    assert set(result.missing_keys) == set(names)
    assert result.unexpected_keys == []


def test_attention_takes_other_layouts_of_its_inputs() -> None:
    torch.manual_seed(0)
    fused = nn.MultiheadAttention(8, 2, batch_first=False, bias=False)
    other = AdaptedAttention(fused)
    q, kv = torch.randn(3, 2, 8), torch.randn(3, 2, 8)
    hidden = torch.ones(3, 3).triu(1).bool()
    expected = fused(q, kv, kv, attn_mask=hidden, need_weights=False)[0]
    torch.testing.assert_close(other(q, kv, kv, attn_mask=hidden)[0], expected)
    each = hidden.repeat(4, 1, 1)  # batch 2 times heads 2
    torch.testing.assert_close(other(q, kv, kv, attn_mask=each)[0], expected)


def test_one_tower_alone_can_be_adapted(base: nn.Module) -> None:
    names = apply(base, PeftConfig("lora", towers=("image",)))
    assert all(name.startswith("visual.") for name in names)
    assert len(names) == 2 * 2 * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "magic"}, "kind has the unknown value 'magic'"),
        ({"kind": "lora", "towers": ("audio",)}, "towers has the unknown value"),
        ({"kind": "lora", "towers": ()}, "name image, text or both"),
        ({"kind": "lora", "rank": 0}, "rank is 0"),
        ({"kind": "prefix", "prefix_length": 0}, "prefix_length is 0"),
        ({"kind": "lora", "ejected": True}, "ejected belongs to kind 'prefix'"),
        ({"kind": "lora", "r": 8}, "'r' is unknown"),
        ({"rank": 8}, "lacks the key 'kind'"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PeftConfig.from_json(settings)


def test_errors_say_what_to_do(base: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="apply or load one first"):
        merge(base)
    with pytest.raises(ConfigError, match="apply one first"):
        save(base, tmp_path)
    apply(base, PeftConfig("prefix"))
    with pytest.raises(ConfigError, match="already carries an adapter"):
        apply(base, PeftConfig("lora"))
    with pytest.raises(ConfigError, match="`eject` replaces its MLP by plain prefixes"):
        merge(base)
    remove(base)
    apply(base, PeftConfig("pfeiffer"))
    with pytest.raises(ConfigError, match="only prefix tuning"):
        eject(base)


def test_towers_without_fused_attention_are_refused_by_name() -> None:
    from open_clip.model import CLIP

    convolutional = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 32}
    with pytest.raises(ConfigError, match="image tower of this model is no open_clip transformer"):
        apply(CLIP(**(ARCH | {"vision_cfg": convolutional})), PeftConfig("lora"))
    cosine = ARCH["vision_cfg"] | {"qk_norm": True}
    with pytest.raises(ConfigError, match="attention of kind Attention in the image tower"):
        apply(CLIP(**(ARCH | {"vision_cfg": cosine})), PeftConfig("lora"))


def test_damaged_and_foreign_adapters_are_refused_and_leave_the_model(tmp_path: Path) -> None:
    tuned = make_base()
    apply(tuned, PeftConfig("lora"))
    folder = tmp_path / "lora"
    save(tuned, folder)
    base = make_base()
    keys = list(base.state_dict())

    from open_clip.model import CLIP

    wider = CLIP(**(ARCH | {"text_cfg": ARCH["text_cfg"] | {"width": 24}}))
    with pytest.raises(WeightsLayoutError, match="load it onto the base it was trained on"):
        load(wider, folder)
    record = json.loads((folder / "adapter.json").read_text())
    other = record | {"config": record["config"] | {"rank": 4}}
    (folder / "adapter.json").write_text(json.dumps(other))
    with pytest.raises(WeightsLayoutError, match=r"is \[8, 32\], not \[4, 32\]"):
        load(base, folder)
    (folder / "adapter.json").write_text(json.dumps(other | {"config": {"kind": "pfeiffer"}}))
    with pytest.raises(WeightsLayoutError, match=r"it lacks .*pfeiffer"):
        load(base, folder)
    assert list(base.state_dict()) == keys
    (folder / "adapter.json").write_text(json.dumps(record | {"sha256": "0"}))
    with pytest.raises(WeightsChecksumError, match="save again"):
        load(base, folder)
    (folder / "adapter.json").write_text("{")
    with pytest.raises(ConfigError, match="is no JSON"):
        load(base, folder)
    (folder / "adapter.safetensors").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"has no adapter\.safetensors"):
        load(base, folder)
