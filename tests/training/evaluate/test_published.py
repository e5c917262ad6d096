"""Published figures are shown beside a run's only if the protocol is the same."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from terraseek.encoders import get_card, list_models
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.registry import save_card
from terraseek.encoders.user_cards import CardOptions, user_card
from terraseek.errors import ConfigError
from terraseek_train.evaluate import commands
from terraseek_train.evaluate.published import Run, published_beside, published_lines

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 12, "width": 8, "heads": 2, "layers": 1},
}
FACTS = {"split": "test", "n_images": 1093, "n_captions": 5465, "prefix": ""}
SCORE = {"mR": 25.5, "i2t_r1": 12.0}


def rsicd(**changes: Any) -> Run:
    return Run("retrieval", Path("data/rsicd/dataset_rsicd.json"), FACTS | changes)


def test_the_same_protocol_gives_both_figures() -> None:
    card = get_card("georsclip-vit-b-32")
    (result,) = published_beside(card, rsicd(), SCORE)
    assert result["comparable"]
    assert result["figures"] == {
        "i2t_r1": {"published": 12.17, "here": 12.0},
        "mR": {"published": 26.06, "here": 25.5},
    }
    first, source = published_lines((result,), {"i2t_r1": "image to text R@1"})
    assert first == (
        "published on RSICD, same protocol: image to text R@1 12.17 (here 12.00), "
        "mR 26.06 (here 25.50)"
    )
    assert "GeoRSCLIP" in source


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split": "val"}, "split test, here val"),
        ({"n_images": 100}, "n images 1093, here 100"),
        ({"prefix": "a satellite image. "}, "here a satellite image. "),
    ],
)
def test_another_protocol_gives_no_figure(changes: dict[str, Any], words: str) -> None:
    card = get_card("georsclip-vit-b-32")
    (result,) = published_beside(card, rsicd(**changes), SCORE)
    assert not result["comparable"]
    assert "figures" not in result
    text = "\n".join(published_lines((result,), {}))
    assert words in text
    assert "not comparable" in text
    assert "26.06" not in text


def test_other_data_sets_and_tasks_give_nothing() -> None:
    card = get_card("georsclip-vit-b-32")
    assert published_beside(card, Run("retrieval", Path("a/captions.csv"), FACTS), SCORE) == ()
    assert published_beside(card, Run("zeroshot", Path("a/rsicd"), {}), SCORE) == ()
    facts = {"n_images": 27000, "n_classes": 10, "prompts": "rs105", "names": "folders"}
    (found,) = published_beside(
        card, Run("zeroshot", Path("eurosat-rgb/2750"), facts), {"top1": 61.0}
    )
    assert found["figures"] == {"top1": {"published": 61.4, "here": 61.0}}


def test_cards_keep_published_results_apart_from_measured_ones() -> None:
    cards = list_models()
    assert sum(len(card.published) for card in cards) > 10
    for card in cards:
        assert "not measured" not in json.dumps(card.to_json()["scores"])
        for result in card.published:
            assert result["source"]
            assert result["figures"]


@pytest.mark.parametrize("change", [{"source": ""}, {"figures": {}}, {"task": 1}, {"extra": 1}])
def test_a_published_result_without_a_source_is_refused(change: dict[str, Any]) -> None:
    card = get_card("georsclip-vit-b-32").to_json()
    with pytest.raises(ConfigError, match="published"):
        ModelCard.from_json({**card, "published": [{**card["published"][0], **change}]})


def test_the_command_says_what_is_comparable(tmp_path: Path) -> None:
    folder = tmp_path / "rsicd"
    folder.mkdir()
    rows = [("filename", "title")]
    for number in range(3):
        Image.new("RGB", (32, 32), (80 * number, 90, 120)).save(folder / f"{number}.png")
        rows.append((f"{number}.png", f"a field number {number}"))
    captions = tmp_path / "rsicd.csv"
    with captions.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    result = {
        "task": "retrieval",
        "dataset": "RSICD",
        "protocol": {"n_images": 3, "n_captions": 3},
        "figures": {"mR": 50.0},
        "source": "a made table",
    }
    weights = tmp_path / "made.safetensors"
    save_file(build_model(TINY).state_dict(), weights)
    card = user_card("mine", TINY, weights, CardOptions())
    save_card(ModelCard.from_json({**card.to_json(), "published": [result]}))
    group = typer.Typer()
    commands.register(group)
    words = ["retrieval", "--images", str(folder), "--captions", str(captions), "--model", "mine"]
    shown = CliRunner().invoke(group, words)
    assert shown.exit_code == 0, shown.output
    assert "published on RSICD, same protocol: mR 50.00 (here " in shown.stdout
    assert "source: a made table" in shown.stdout
