"""Localization studies: shared vectors give the same heat maps; records and tables are right."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from helpers.dense_fake import DenseFake
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import AnnotationError, OutputError
from terraseek.localization import LocalizeOptions, localize
from terraseek.localization.methods.dense import DenseMethod
from terraseek.localization.methods.dense_availability import (
    DENSE_SCORE,
    MIXED_SCORE,
    is_mixed_as_good,
)
from terraseek.localization.query import encode_query
from terraseek.scenes import Scene
from terraseek_train.evaluate.localization.study import Study, StudySet, Variant, variants
from terraseek_train.evaluate.localization.study_table import BEGIN, END, tables, write_dense_score
from terraseek_train.evaluate.localization.window_bank import BankLocalizer, WindowBank
from terraseek_train.evaluate.markdown import replace_between_markers

RING = [[256, 64], [383, 64], [383, 191], [256, 191]]
VARIANTS = [
    Variant("small", "terraseek", (64, 128), measure_stability=True),
    Variant("wide", "windows", (64, 128), stride=1.0),
    Variant("published", "selo-v1", (128,)),
    Variant("second", "selo-v2"),
]


class CountingEncoder(FakeEncoder):
    """Counts the squares it was given."""

    count = 0

    def _encode_image_batch(self, batch: Any) -> Any:
        self.count += len(batch)
        return super()._encode_image_batch(batch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two grey scenes with a red square, and where it is."""
    out = tmp_path / "squares"
    (out / "imgs").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(90, 150, (384, 512, 3)).astype(np.uint8)
    pixels[64:192, 256:384] = (230, 20, 20)
    entries = []
    for name in ("0.png", "1.png"):
        Image.fromarray(pixels).save(out / "imgs" / name)
        pixels = np.ascontiguousarray(pixels + 1)
        entries += [
            {"jpg_name": name, "caption": text, "points": [RING]} for text in ("red", "bright red")
        ]
    (out / "anno.json").write_text(json.dumps(entries))
    return out


@pytest.mark.parametrize("method", ["terraseek", "windows", "selo-v1", "selo-v2"])
def test_shared_vectors_give_the_same_map(folder: Path, method: str) -> None:
    encoder, bank = CountingEncoder(), WindowBank()
    with Scene.open(folder / "imgs" / "0.png") as scene:
        for sides in ((96, 128), (64, 128), None):
            options = LocalizeOptions(method=method, scales=sides)
            localizer = BankLocalizer(scene, encoder, options, cache=False, bank=bank)
            heat = localizer.heat_map(encode_query("red", encoder, options))
            alone = localize(scene, "red", FakeEncoder(), options, cache=False)
            np.testing.assert_allclose(heat.score, alone.score, atol=1e-6)
            assert heat.n_windows == alone.n_windows


def test_a_window_is_encoded_once(folder: Path) -> None:
    encoder, bank = CountingEncoder(), WindowBank()
    with Scene.open(folder / "imgs" / "0.png") as scene:
        for method in ("terraseek", "selo-v1", "terraseek"):
            before = encoder.count
            options = LocalizeOptions(method=method, scales=(64, 128))
            localizer = BankLocalizer(scene, encoder, options, cache=False, bank=bank)
            localizer.heat_map(encode_query("red", encoder, options))
    # the published lattice is part of the other; one window is read again for its valid pixels
    assert encoder.count - before == 1


def test_a_side_of_dense_goes_through_the_tower_once(folder: Path) -> None:
    encoder, bank = DenseFake(), WindowBank()
    with Scene.open(folder / "imgs" / "0.png") as scene:
        for sides in ((64, 128), (64,), (32, 128)):
            options = LocalizeOptions(method="dense", scales=sides)
            localizer = BankLocalizer(scene, encoder, options, cache=False, bank=bank)
            heat, before = localizer.heat_map(encode_query("red", encoder, options)), encoder.blocks
            alone = localize(scene, "red", DenseFake(), options, cache=False)
            np.testing.assert_allclose(heat.score, alone.score, atol=1e-6)
            assert sorted(heat.layers) == sorted(sides)
        options = LocalizeOptions(method="dense", scales=(32, 64, 128))
        all_sides = BankLocalizer(scene, encoder, options, cache=False, bank=bank).embedding
    assert all_sides.lattice.scales == (32, 64, 128)
    assert encoder.blocks == before


def test_records_are_right_and_kept(folder: Path, tmp_path: Path) -> None:
    data, kept = StudySet.open(folder), tmp_path / "records.json"
    encoder = CountingEncoder()
    first = Study(encoder, kept)
    first.measure(data, VARIANTS, stability_scenes=1)
    quality = [record for record in first.records if "Rmi" in record]
    assert len(quality) == 4 * len(VARIANTS)
    assert len(first.records) == len(quality) + 1
    assert all(r["roc_auc"] > 0.9 for r in quality if r["variant"] == "small")
    assert {"shifted", "cropped", "difference", "peak_px"} <= set(first.records[2])
    before = encoder.count
    again = Study(encoder, kept)
    again.measure(data, VARIANTS, stability_scenes=1)
    assert encoder.count == before
    assert again.records == first.records


def test_records_of_another_model_are_ignored(tmp_path: Path) -> None:
    kept = tmp_path / "records.json"
    kept.write_text(json.dumps([{"encoder_id": "other@0"}]))
    assert Study(FakeEncoder(), kept).records == []


def test_the_table_has_a_row_per_variant(folder: Path) -> None:
    study = Study(FakeEncoder())
    study.measure(StudySet.open(folder, per_scene=1), VARIANTS, stability_scenes=2)
    text = tables(study.records)
    assert "**squares**: 2 scenes, 2 sentences, 8.33% of the pixels true" in text
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")] == [
        "", "small", "wide", "published", "second", "", "small"
    ]  # fmt: skip
    wide, small = (
        float(next(line for line in text.splitlines() if f"| {name} |" in line).split("|")[2])
        for name in ("wide", "small")
    )
    assert wide < small / 2


def measured(variant: str, image: str, value: float) -> dict[str, Any]:
    numbers = ("roc_auc", "average_precision", "Rsu", "Ras", "Rda", "Rmi", "positive_share")
    about = {"encoder_id": "x@0", "set": "a", "image": image, "caption": "red", "passes": 9}
    return about | {"variant": variant} | dict.fromkeys(numbers, value)


def test_variants_are_compared_on_shared_sentences() -> None:
    full = [measured(row, "0", value) for row, value in (("p", 0.5), ("q", 0.6), ("r", 0.7))]
    text = tables([*full, measured("p", "1", 0.9), measured("q", "1", 0.8)])
    first, second = text.split("**a**")[1:]
    assert "1 scenes, 1 sentences" in first
    assert [f"| {row} | 9 | 0.{n}00" in first for row, n in (("p", 5), ("q", 6), ("r", 7))] == [
        True, True, True,
    ]  # fmt: skip
    assert "2 scenes, 2 sentences" in second
    assert "| p | 9 | 0.700" in second
    assert "| q | 9 | 0.700" in second
    assert "| r |" not in second
    # a second table needs two variants, and a complete study has one table
    assert tables([*full, measured("p", "1", 0.9)]).count("**a**") == 1
    assert tables(full).count("**a**") == 1


def test_tables_replace_the_text_between_markers(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    replace_between_markers(path, "new\n", BEGIN, END)
    replace_between_markers(path, "newer\n", BEGIN, END)
    assert path.read_text() == f"# Title\n\n{BEGIN}\nnewer\n{END}\n\nafter\n"
    path.write_text(f"{END} {BEGIN}")
    with pytest.raises(OutputError, match="in this order"):
        replace_between_markers(path, "x", BEGIN, END)
    with pytest.raises(OutputError, match="cannot be read"):
        replace_between_markers(tmp_path / "absent.md", "x", BEGIN, END)


def test_the_card_gets_the_scores_of_dense(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_text(json.dumps({"name": "x", "scores": {"kept": 1}}))
    rows = {"windows, default (96)": 0.8, "dense, default (96)": 0.7, "dense, s1": 0.1}
    records = [
        {
            "set": name, "image": "0.png", "caption": words, "variant": row,
            "roc_auc": value + more, "average_precision": 0.2, "Rmi": 0.0,
        }
        for row, value in rows.items()
        for name, words, more in (("a", "x", 0.0), ("a", "y", 0.0), ("b", "x", 0.1))
    ]  # fmt: skip
    # a sentence measured with one of the two methods does not count
    records.append(records[0] | {"caption": "z", "roc_auc": 0.1})
    write_dense_score(file, records)
    assert json.loads(file.read_text()) == {
        "name": "x",
        "scores": {
            "kept": 1,
            DENSE_SCORE: {
                "dense": {"roc_auc": 0.75, "average_precision": 0.2},
                "windows": {"roc_auc": 0.85, "average_precision": 0.2},
                "scenes": 2,
                "sets": ["a", "b"],
            },
        },
    }
    scores = json.loads(file.read_text())["scores"]
    assert not DenseMethod().is_offered(
        dataclasses.replace(get_card("terraseek-tiny"), scores=scores)
    )
    with pytest.raises(OutputError, match="were not both measured"):
        write_dense_score(file, records[:3])


def test_the_card_gets_the_scores_of_cells_and_windows(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_text(json.dumps({"name": "x"}))
    rows = {"windows, default (96)": 0.8, "dense, default (96)": 0.7}
    rows["terraseek, cells and windows (96)"] = 0.9
    records = [
        {
            "set": "a", "image": "0.png", "caption": words, "variant": row,
            "roc_auc": value, "average_precision": value / 2, "Rmi": 0.0,
        }
        for row, value in rows.items()
        for words in ("x", "y")
    ]  # fmt: skip
    records[-1]["caption"] = "z"  # then y was not measured with all three
    records[0]["roc_auc"] = 0.95
    write_dense_score(file, records)
    scores = json.loads(file.read_text())["scores"]
    assert scores[MIXED_SCORE]["terraseek"] == {"roc_auc": 0.9, "average_precision": 0.45}
    assert scores[MIXED_SCORE]["windows"] == {"roc_auc": 0.95, "average_precision": 0.4}
    assert scores[DENSE_SCORE]["dense"]["roc_auc"] == 0.7
    card = dataclasses.replace(get_card("terraseek-tiny"), scores=scores)
    assert not is_mixed_as_good(card)
    scores[MIXED_SCORE]["terraseek"]["roc_auc"] = 0.95
    assert is_mixed_as_good(card)


def test_a_missing_scene_is_named(folder: Path) -> None:
    (folder / "imgs" / "1.png").unlink()
    with pytest.raises(AnnotationError, match=r"scene 1\.png .* is not in"):
        StudySet.open(folder)


def test_variant_names_are_unique() -> None:
    names = [variant.name for variant in variants()]
    assert len(set(names)) == len(names)
    assert {variant.method for variant in variants(quick=True)} == {
        "terraseek", "windows", "dense", "selo-v1", "selo-v2",
    }  # fmt: skip


def test_the_command(folder: Path, tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(f"{BEGIN}\n{END}\n")
    command = ["evaluate", "localization-study", str(folder), "--model", "fake", "--quick"]
    command += ["--sentences", "1", "--stability-scenes", "0"]
    found = CliRunner().invoke(build_app(), [*command, "--markdown", str(document)])
    assert found.exit_code == 0, found.output
    assert "selo-v2 (published)" in document.read_text()
    assert "dense" not in document.read_text()
    old = [word.replace("--stability-scenes", "--steady") for word in command]
    again = CliRunner().invoke(build_app(), [*old, "--only", "terraseek"])
    assert again.exit_code == 0, again.output
    assert "--steady is now --stability-scenes" in again.output
    wrong = CliRunner().invoke(build_app(), [*command, "--only", "nothing"])
    assert wrong.exit_code == 2
    assert "no row contains nothing" in wrong.output
