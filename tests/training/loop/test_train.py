"""The loop: learns, resumes exactly, and leaves a checkpoint the registry can load."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terraseek.encoders.cards import read_card
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.augment import augment
from terraseek_train.data.batch import make_batch
from terraseek_train.data.corpus import build_corpus, epoch_order
from terraseek_train.loop.checkpoint import read_log
from terraseek_train.loop.model import ClipWithHeads
from terraseek_train.release.export import export
from terraseek_train.train import learning_rate, train


def write_config(settings: dict[str, Any], folder: Path, **changes: Any) -> TrainConfig:
    path = folder / "config.json"
    path.write_text(json.dumps(settings | changes))
    return load_config(path)


def losses(out: Path) -> list[float]:
    return [record["loss"] for record in read_log(out)]


def test_a_killed_run_resumes_with_the_same_losses_and_weights(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    whole = train(write_config(settings, tmp_path))
    config = write_config(settings, tmp_path, out=str(tmp_path / "killed"))
    killed = train(config, stop_after=3)  # its last checkpoint is of step 2
    assert [record["step"] for record in read_log(killed)] == [1, 2, 3]
    train(config)
    assert losses(killed) == losses(whole)
    assert [record["step"] for record in read_log(killed)] == list(range(1, 7))
    first, second = (load_file(out / "model.safetensors") for out in (whole, killed))
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_a_frozen_token_embedding_stays_and_everything_else_learns(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path, freeze_words=True, word_drop=0.3, weight_decay=0.1)
    torch.manual_seed(config.seed)
    initial = {
        k: v for k, v in ClipWithHeads(config.arch, 1).state_dict().items() if k.startswith("clip.")
    }
    trained = load_file(train(config) / "model.safetensors")
    words = "clip.token_embedding.weight"
    assert torch.equal(trained[words], initial[words])
    unchanged = [key for key, value in initial.items() if value.equal(trained[key])]
    assert unchanged == [words]


def test_a_half_written_log_line_is_dropped(settings: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(settings, tmp_path)
    out = train(config, stop_after=2)
    with (out / "log.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    train(config)
    assert [record["step"] for record in read_log(out)] == list(range(1, 7))


def test_training_learns_the_colours(settings: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(settings, tmp_path, steps=40, eval_every=40, save_every=40, lr=3e-3)
    out = train(config)
    values = losses(out)
    assert np.mean(values[-5:]) < 0.8 * np.mean(values[:5])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["val"]["squares"]["n_images"] == 3


def test_an_exported_checkpoint_loads_and_equals_the_trained_towers(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path)
    out = train(config)
    card = export(out, "mini", tmp_path / "shipped", {"licence": "test"})
    assert read_card(tmp_path / "shipped" / "cards" / "mini.json") == card
    weights = tmp_path / "shipped" / "weights" / "mini.safetensors"
    absolute = json.loads((tmp_path / "shipped" / "cards" / "mini.json").read_text())
    absolute["weights"]["file"] = str(weights)
    encoder = OpenClipEncoder(type(card).from_json(absolute), "cpu")
    model = ClipWithHeads(config.arch, 3).eval()
    model.load_state_dict(load_file(out / "model.safetensors"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    mean, std = np.array(config.means), np.array(config.stds)
    normalised = torch.from_numpy(((pixels / 255 - mean) / std).astype(np.float32))
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(
            model.encode_images(normalised.permute(0, 3, 1, 2)), dim=-1
        ).numpy()
    np.testing.assert_allclose(encoder.encode_squares(pixels), expected, atol=5e-3)
    assert card.parameters == sum(p.numel() for p in model.clip.parameters())


def test_text_features_equal_open_clips_own(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = ClipWithHeads(settings["arch"], 2).eval()
    tokens = torch.zeros(9, 12, dtype=torch.long)
    for row in range(9):
        tokens[row, 0] = 49406
        tokens[row, 1 : row + 2] = torch.arange(row + 1) + 300
        tokens[row, row + 2] = 49407
    with torch.inference_mode():
        torch.testing.assert_close(model.encode_texts(tokens), model.clip.encode_text(tokens))


def test_learning_rate_warms_up_and_falls_to_its_floor(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path, steps=100, warmup=10, lr=1.0, final_lr=0.05)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.05)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_batches_follow_from_the_step_number_alone(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path)
    corpus = build_corpus(config)
    rows = epoch_order(corpus, 0, 0)[:5]
    one, two = (make_batch(corpus, rows, config, 4) for _ in range(2))
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.tokens, two.tokens)
    assert not np.array_equal(one.pixels, make_batch(corpus, rows, config, 5).pixels)


def test_an_epoch_draws_each_source_by_its_weight(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["data"][0]["weight"] = 1.4
    corpus = build_corpus(write_config(settings, tmp_path))
    order = epoch_order(corpus, 0, 0)
    assert len(order) == 15 + 6
    assert set(order.tolist()) == set(range(15))
    assert not np.array_equal(order, epoch_order(corpus, 0, 1))


def test_sentences_true_of_two_images_are_never_negatives(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path, batch=15)
    corpus = build_corpus(config)
    rows = np.arange(15)
    batch = make_batch(corpus, rows, config, 0)
    sentences = [tuple(row) for row in batch.tokens[:15]]
    equal = np.array([[a == b for a in sentences] for b in sentences])
    assert equal.sum() > 15  # "a red square" was drawn twice
    assert np.array_equal(batch.positive, equal | np.eye(15, dtype=bool))


def test_two_processes_make_the_two_halves_of_one_batch(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = write_config(settings, tmp_path, batch=6)
    corpus = build_corpus(config)
    rows = epoch_order(corpus, 0, 0)[:6]
    whole = make_batch(corpus, rows, config, 3)
    halves = [make_batch(corpus, rows, config, 3, rank, 2) for rank in range(2)]
    assert np.array_equal(np.concatenate([half.tokens for half in halves]), whole.tokens)
    assert np.array_equal(np.concatenate([half.label for half in halves]), whole.label)
    assert all(np.array_equal(half.positive, whole.positive) for half in halves)
    assert not np.array_equal(halves[0].pixels, halves[1].pixels)


def test_views_are_squares_of_the_asked_side_and_differ() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (50, 50, 3), np.uint8)
    views = [augment(image, 24, rng, (0.2, 1.0)) for _ in range(60)]
    assert {view.shape for view in views} == {(24, 24, 3)}
    assert {view.dtype for view in views} == {np.dtype(np.uint8)}
    assert len({view.tobytes() for view in views}) == 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 1}, "unknown key 'learning_rate'"),
        ({"out": "$NO_SUCH_VARIABLE_HERE/x"}, "names a variable that is not set"),
        ({"data": [{"name": "x"}]}, "lacks the key 'images'"),
        ({"data": [{"name": "x", "images": "y", "tags": 1}]}, "unknown key 'tags'"),
    ],
)
def test_unknown_and_missing_config_keys_are_refused(
    settings: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_config(settings, tmp_path, **change)


def test_the_config_is_saved_beside_the_weights(settings: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(settings, tmp_path)
    out = train(config)
    assert load_config(out / "config.json") == config


def test_a_streamed_chunked_accumulated_run_resumes_exactly_and_writes_tensorboard_events(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["data"][0]["stream"] = True
    changes = {"chunk": 2, "accumulate": 2, "tensorboard": True, "steps": 4}
    whole = train(write_config(settings, tmp_path, **changes))
    config = write_config(settings, tmp_path, out=str(tmp_path / "killed"), workers=1, **changes)
    killed = train(config, stop_after=3)
    train(config)
    assert losses(killed) == losses(whole)
    first, second = (load_file(out / "model.safetensors") for out in (whole, killed))
    assert all(torch.equal(value, second[key]) for key, value in first.items())

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(whole / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert [step for step, _ in shown] == [1, 2, 3, 4]
    np.testing.assert_allclose([value for _, value in shown], losses(whole), rtol=1e-6)
    assert [event.step for event in events.Scalars("val/squares/mR")] == [3, 4]


def test_chunks_do_not_change_the_losses(settings: dict[str, Any], tmp_path: Path) -> None:
    whole = train(write_config(settings, tmp_path, steps=3))
    parts = train(write_config(settings, tmp_path, steps=3, chunk=2, out=str(tmp_path / "chunks")))
    np.testing.assert_allclose(losses(parts), losses(whole), rtol=1e-5)


def test_a_run_is_not_resumed_with_other_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    train(write_config(settings, tmp_path), stop_after=2)
    train(write_config(settings, tmp_path, threads=2, eval_every=4), stop_after=3)
    with pytest.raises(ConfigError, match=r"begun with lr 0\.001, now 0\.002; take another"):
        train(write_config(settings, tmp_path, lr=0.002))
    settings["data"][0]["weight"] = 0.5
    with pytest.raises(ConfigError, match=r"begun with data\[0\]\.weight 1\.0, now 0\.5"):
        train(write_config(settings, tmp_path))
