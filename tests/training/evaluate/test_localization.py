"""Heat maps against annotated regions: by brute force, on made scenes, and by command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import AnnotationError, ConfigError, OutputError
from terraseek.localization import LocalizeOptions, localize, selo_metrics
from terraseek.localization.methods.selo_filters import median_filtered, quantised
from terraseek.scenes import Scene
from terraseek_train.evaluate.localization.measure import (
    Annotation,
    measure_localization,
    probability,
    read_annotations,
)
from terraseek_train.evaluate.localization.mosaics import (
    Chip,
    SetPlan,
    annotate,
    build_set,
    compose,
    plan_mosaics,
)
from terraseek_train.evaluate.localization.pixels import pixel_score, truth_mask

RING = ((256.0, 64.0), (383.0, 64.0), (383.0, 191.0), (256.0, 191.0))


def run(*arguments: str | Path) -> Any:
    """A finished call of `terraseek`."""
    found = CliRunner().invoke(build_app(), [str(argument) for argument in arguments])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A grey scene with a red square, as JPEG and as TIFF, and where the square is."""
    out = tmp_path / "scenes"
    out.mkdir()
    pixels = np.random.default_rng(0).integers(90, 150, (384, 512, 3)).astype(np.uint8)
    pixels[64:192, 256:384] = (230, 20, 20)
    Image.fromarray(pixels).save(out / "0.jpg", quality=95)
    Image.fromarray(pixels).save(out / "1.tif")
    entries = [
        {"jpg_name": name, "caption": text, "points": [RING]}
        for name, text in (("0.jpg", "red\n"), ("1.tif", "red"), ("0.jpg", "blue"))
    ]
    (out / "anno.json").write_text(json.dumps(entries))
    return out


def brute(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """AUC by all pairs; average precision by walking down the distinct scores."""
    inside, outside = score[truth], score[~truth]
    wins = (inside[:, None] > outside).mean() + (inside[:, None] == outside).mean() / 2
    total, before = 0.0, 0.0
    for level in sorted(set(score.ravel().tolist()), reverse=True):
        shown = score >= level
        recall = (shown & truth).sum() / truth.sum()
        total += (recall - before) * (shown & truth).sum() / shown.sum()
        before = recall
    return float(wins), float(total)


@given(st.integers(0, 10_000), st.integers(2, 30))
def test_pixels_are_ranked_as_by_brute_force(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, (5, 7)).astype(np.float32)
    truth = rng.random((5, 7)) < 0.4
    truth[0, :2] = (True, False)
    found = pixel_score(score, truth)
    assert (found.roc_auc, found.average_precision) == pytest.approx(brute(score, truth))
    assert found.positive_share == pytest.approx(truth.mean())


def test_invalid_pixels_are_left_out() -> None:
    score = np.array([[0.9, 0.1, np.nan, np.nan]], np.float32)
    truth = np.array([[True, False, False, True]])
    found = pixel_score(score, truth)
    assert (found.roc_auc, found.average_precision, found.positive_share) == (1, 1, 0.5)


def test_ranking_needs_both_kinds() -> None:
    with pytest.raises(AnnotationError, match="4 of 4 valid pixels are inside"):
        pixel_score(np.zeros((2, 2)), np.ones((2, 2), bool))


def test_overlapping_regions_are_one_area() -> None:
    square = ((2.0, 2.0), (6.0, 2.0), (6.0, 6.0), (2.0, 6.0))
    moved = tuple((x + 2, y + 2) for x, y in square)
    assert truth_mask(10, 10, [square, moved]).sum() == 25 + 25 - 9


def test_maps_of_published_methods_keep_their_levels(folder: Path) -> None:
    with Scene.open(folder / "0.jpg") as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method="selo-v1"))
    found = np.rint(probability(heat) * 255).astype(np.uint8)
    assert heat.level_range is not None
    low, high = heat.level_range
    again = low + (high - low) * found.astype(np.float64) / 255
    np.testing.assert_allclose(again, heat.read_rows(0, heat.height), atol=1e-6)
    assert found.max() > found.min()


def test_levels_of_other_methods_fill_the_range(folder: Path) -> None:
    with Scene.open(folder / "0.jpg") as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(scales=(64,)))
    np.testing.assert_array_equal(
        np.rint(probability(heat) * 255), quantised(heat.read_rows(0, heat.height))
    )
    assert probability(heat).max() == 1


def test_a_published_map_is_measured_as_published(folder: Path) -> None:
    """Against the pipeline by hand: normalise, 8 bits, median, divide by 255."""
    options = LocalizeOptions(method="selo-v1", scales=(128,))
    entry = Annotation("0.jpg", "red", (RING,))
    (found,) = measure_localization([entry], folder, FakeEncoder(), options)
    encoder, total = FakeEncoder(), np.zeros((2, 384, 512))
    query = encoder.encode_texts(["red"])[0]
    with Scene.open(folder / "0.jpg") as scene:
        boxes = {
            (min(r, 256), min(c, 384))
            for first in (0, 64)
            for r in range(first, 384, 128)
            for c in range(first, 512, 128)
        }
        for row, col in boxes:
            rgb, _ = scene.window(row, col, row + 128, col + 128)
            square = np.asarray(Image.fromarray(rgb).resize((32, 32), Image.Resampling.BICUBIC))
            vector = encoder.encode_squares(square[None])[0].astype(np.float16)
            total[0, row : row + 128, col : col + 128] += vector.astype(np.float32) @ query
            total[1, row : row + 128, col : col + 128] += 1
    levels = median_filtered(quantised((total[0] / total[1]).astype(np.float32)))
    expected = selo_metrics(levels / 255, [RING])
    assert found.selo.rsu == pytest.approx(expected.rsu, abs=0.01)
    assert found.selo.rmi == pytest.approx(expected.rmi, abs=0.01)


def test_right_words_score_above_wrong_ones(folder: Path) -> None:
    entries = read_annotations(folder / "anno.json")
    options = LocalizeOptions(scales=(64, 128))
    found = measure_localization(entries, folder, FakeEncoder(), options, pixel=True)
    assert [one.annotation for one in found] == entries
    jpeg, tiff, wrong = found
    assert tiff.selo.rsu == pytest.approx(jpeg.selo.rsu, abs=0.05)
    assert jpeg.pixel is not None
    assert wrong.pixel is not None
    assert jpeg.pixel.roc_auc > 0.97 > 0.5 > wrong.pixel.roc_auc
    assert jpeg.pixel.average_precision > 0.8 > wrong.pixel.average_precision


def test_the_command_prints_and_writes(folder: Path, tmp_path: Path) -> None:
    command = (
        "evaluate",
        "localization",
        "--annotations",
        folder / "anno.json",
        "--images",
        folder,
    )
    command += ("--model", "fake", "--method", "terraseek", "--scales", "64,128")
    found = json.loads(run(*command, "--pixel", "--out", tmp_path / "o.json", "--json").stdout)
    seven = ["Rsu", "Ras", "Rda", "Rmi", "n", "roc_auc", "average_precision"]
    assert list(found) == [*seven, "intervals"]
    assert found["n"] == 3
    for name in ("Rsu", "Rmi", "roc_auc"):
        low, high = found["intervals"][name]
        assert low <= found[name] <= high
    written = json.loads((tmp_path / "o.json").read_text())
    assert written["mean"] == {name: found[name] for name in seven[:5]}
    assert {"Rmi", "roc_auc", "average_precision"} <= set(written["samples"][0])
    assert json.loads(run(*command, "--limit", "1", "--json").stdout)["n"] == 1
    shown = run(*command, "--pixel").stdout
    assert "AUC" in shown
    assert "1.tif" in shown


def test_a_missing_scene_is_named_before_any_work(folder: Path) -> None:
    (folder / "1.tif").unlink()
    with pytest.raises(AnnotationError, match=r"1 of 2 annotated scenes .* first 1\.tif"):
        measure_localization(
            read_annotations(folder / "anno.json"), folder, FakeEncoder(), LocalizeOptions()
        )


def test_regions_outside_the_scene_name_the_sample(folder: Path) -> None:
    far = tuple((x + 5000, y) for x, y in RING)
    entry = Annotation("0.jpg", "red", (far,))
    with pytest.raises(AnnotationError, match=r"0\.jpg, 'red'"):
        measure_localization([entry], folder, FakeEncoder(), LocalizeOptions(scales=(128,)))


@pytest.mark.parametrize("text", ["no json", "{}", '[{"jpg_name": "a"}]', "[]"])
def test_annotations_of_another_layout(tmp_path: Path, text: str) -> None:
    (tmp_path / "anno.json").write_text(text)
    with pytest.raises(AnnotationError, match=r"layout|without regions"):
        read_annotations(tmp_path / "anno.json")
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_annotations(tmp_path / "none.json")


@st.composite
def chips(draw: Any) -> list[Chip]:
    labels = draw(st.lists(st.sampled_from("abcdef"), min_size=12, max_size=40))
    return [Chip(f"{n}.png", f"class {label}", label) for n, label in enumerate(labels)]


@given(chips(), st.integers(0, 100), st.booleans())
@settings(deadline=None)
def test_truth_is_every_tile_of_the_class_and_no_other(
    given_chips: list[Chip], seed: int, by_class: bool
) -> None:
    plan = SetPlan(count=4, rows=3, cols=4, tile=16, queries=2, seed=seed)
    try:
        mosaics = plan_mosaics(given_chips, plan, by_class)
    except AnnotationError:  # no class has a single tile
        return
    assert mosaics == plan_mosaics(given_chips, plan, by_class)
    for mosaic in mosaics:
        assert len({chip.name for chip in mosaic.chips}) == 12
        assert len(mosaic.queries) <= 2
        for text, positions in mosaic.queries:
            true = [position for position, chip in enumerate(mosaic.chips) if chip.text == text]
            assert list(positions) == true
            assert by_class or len(positions) == 1


def test_every_image_is_used_before_one_is_repeated() -> None:
    given_chips = [Chip(f"{n}", f"class {n % 5}", str(n % 5)) for n in range(24)]
    mosaics = plan_mosaics(given_chips, SetPlan(count=6, rows=2, cols=2, tile=16), True)
    assert len({chip.name for mosaic in mosaics for chip in mosaic.chips}) == 24


def test_tiles_lie_where_the_rings_say() -> None:
    given_chips = [Chip(str(n), f"shade {n}", str(n)) for n in range(6)]
    plan = SetPlan(count=1, rows=2, cols=3, tile=20, queries=6)
    (mosaic,) = plan_mosaics(given_chips, plan, True)

    def shade(name: str) -> np.ndarray:
        return np.full((30, 50, 3), 40 * int(name), np.uint8)

    scene = compose(mosaic, shade, plan)
    assert scene.shape == (40, 60, 3)
    for entry in annotate(mosaic, "0.jpg", plan):
        inside = truth_mask(40, 60, entry["points"])
        assert inside.sum() == 400
        assert np.unique(scene[inside]).tolist() == [40 * int(entry["caption"].split()[1])]


@pytest.fixture
def classes(captioned: Path, tmp_path: Path) -> Path:
    """The coloured squares in class folders."""
    out = tmp_path / "classes"
    for image in (captioned / "images").iterdir():
        target = out / image.name.split("_")[0] / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(image.read_bytes())
    return out


def test_a_built_set_is_measured(classes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    run("localization-set", "build", "--images", classes, "--out", out, "--count", "2",
        "--grid", "2x3", "--tile", "64", "--seed", "3")  # fmt: skip
    assert {path.name for path in out.iterdir()} == {"0.jpg", "1.jpg", "anno.json"}
    with Image.open(out / "0.jpg") as scene:
        assert scene.size == (192, 128)
    options = LocalizeOptions(scales=(32, 64))
    found = measure_localization(
        read_annotations(out / "anno.json"), out, FakeEncoder(), options, pixel=True
    )
    assert all(one.pixel is not None and one.pixel.roc_auc > 0.9 for one in found)
    with pytest.raises(OutputError, match="holds a set already"):
        build_set(classes, out, SetPlan())


def test_a_captioned_set_has_single_tile_queries(captioned: Path, tmp_path: Path) -> None:
    plan = SetPlan(count=3, rows=1, cols=2, tile=32)
    entries = build_set(captioned / "images", tmp_path / "o", plan, captioned / "captions.json")
    assert entries
    assert all(len(entry["points"]) == 1 for entry in entries)
    assert {entry["caption"].split()[0] for entry in entries} == {"a"}


def test_sets_that_cannot_be_built_are_refused(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="18 images do not fill a scene of 64 tiles"):
        build_set(classes, tmp_path / "o", SetPlan())
    with pytest.raises(AnnotationError, match=r"0 class folder\(s\)"):
        build_set(tmp_path / "set" / "images", tmp_path / "o", SetPlan(rows=2, cols=2))
    with pytest.raises(ConfigError, match="one tile"):
        SetPlan(rows=1, cols=1)
    with pytest.raises(ConfigError, match="rows and columns like 8x8"):
        run("localization-set", "build", "--images", classes, "--out", tmp_path, "--grid", "8")
    assert not (tmp_path / "o").exists()
