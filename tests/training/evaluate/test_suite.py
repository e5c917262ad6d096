"""All benchmarks by one command, on made data in the layouts of the published sets."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.prompts import PROMPT_SETS, prompts
from terraseek.errors import AnnotationError, ConfigError
from terraseek_benchmarks import benchmark, benchmarks
from terraseek_train.evaluate.run import read_class_names
from terraseek_train.evaluate.suite import measure_suite

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 220), (20, 20, 20))


def paint(path: Path, seed: int, side: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-20, 20, (side, side, 3))
    pixels = np.clip(np.array(COLOURS[seed % len(COLOURS)]) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def class_folders(root: Path, name: str) -> Path:
    bench = benchmark(name)
    for number, label in enumerate(bench.classes):
        paint(root / bench.images[0] / label / f"{label}_1.png", number)
    return root / bench.images[0]


def captioned(root: Path, name: str) -> None:
    bench = benchmark(name)
    entries = []
    for number in range(6):
        file = f"{number}.png"
        paint(root / bench.images[0] / file, number)
        words = ["red", "green", "blue", "bright", "dark"][number % 5]
        split = "train" if number == 5 else "test"
        sentences = [{"raw": f"a {words} field"}, {"raw": f"some {words} land"}]
        entries.append({"filename": file, "split": split, "sentences": sentences})
    (root / bench.annotations[0]).write_text(json.dumps({"images": entries}))


def scenes(root: Path) -> None:
    bench = benchmark("air-slt")
    paint(root / bench.images[0] / "0.jpg", 0, side=300)
    square = [[10, 10], [120, 10], [120, 120], [10, 120]]
    entry = {"jpg_name": "0.jpg", "caption": "red roofs", "points": [square]}
    path = root / bench.annotations[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([entry]))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    for name, bench in benchmarks().items():
        if bench.task == "zeroshot":
            class_folders(folder, name)
        elif bench.task == "retrieval":
            captioned(folder, name)
    scenes(folder)
    return folder


def brute_top1(folder: Path, labels: tuple[str, ...], names: list[str]) -> float:
    encoder = FakeEncoder()
    weights = []
    for name in names:
        sentences = [template.format(name) for template in prompts("rs105")]
        mean = encoder.encode_text_features(sentences).mean(axis=0)
        weights.append(mean / np.linalg.norm(mean))
    right = 0
    for number, label in enumerate(labels):
        pixels = np.asarray(Image.open(folder / label / f"{label}_1.png"))
        scores = np.stack(weights) @ encoder.encode_images([pixels])[0]
        others = np.delete(scores, number)
        right += bool(scores[number] > others.max())
    return round(100 * right / len(labels), 2)


def test_every_set_in_its_published_layout(root: Path):
    measured = {one.name: one for one in measure_suite(root, FakeEncoder())}
    assert set(measured) == set(benchmarks())
    assert all(one.value is not None and not one.complete for one in measured.values())
    for name, bench in benchmarks().items():
        if bench.task != "zeroshot":
            continue
        folder = root / bench.images[0]
        lower = [label.replace("_", " ").lower() for label in bench.classes]
        assert measured[name].value == brute_top1(folder, bench.classes, lower)
        if bench.described:
            described = brute_top1(folder, bench.classes, list(bench.described))
            assert measured[name].described == described
        assert measured[name].n_images == len(bench.classes)
    assert (measured["rsitmd"].measure, measured["rsitmd"].n_images) == ("mR", 5)
    assert (measured["air-slt"].measure, measured["air-slt"].n_images) == ("Rmi", 1)


def test_sets_that_are_not_there_are_named(tmp_path: Path):
    class_folders(tmp_path, "eurosat")
    command = ["evaluate", "suite", "--data", str(tmp_path), "--model", "fake"]
    shown = CliRunner().invoke(build_app(), [*command, "--sets", "eurosat,aid"])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("eurosat      top1 ")
    assert "hand-written class names; 10 images, not the whole set" in lines[0]
    assert lines[1] == "aid          not there; expected AID"
    with pytest.raises(ConfigError, match="contains none of the benchmarks"):
        measure_suite(tmp_path / "empty", FakeEncoder())
    with pytest.raises(ConfigError, match="no benchmark is called 'moon'; there are aid, air-slt"):
        measure_suite(tmp_path, FakeEncoder(), ["moon"])
    paint(tmp_path / "eurosat-rgb/2750/Volcano/1.png", 0)
    with pytest.raises(ConfigError, match=r"other classes than EuroSAT RGB.*: Volcano"):
        measure_suite(tmp_path, FakeEncoder(), ["eurosat"])


def test_zeroshot_states_both_figures_for_hand_written_names(tmp_path: Path):
    folder = class_folders(tmp_path, "eurosat")
    bench = benchmark("eurosat")
    command = ["evaluate", "zeroshot", "--images", str(folder), "--model", "fake"]
    done = CliRunner().invoke(build_app(), [*command, "--classnames", "eurosat", "--json"])
    score = json.loads(done.stdout)
    lower = [label.lower() for label in bench.classes]
    assert score["top1"] == brute_top1(folder, bench.classes, list(bench.described))
    assert score["top1_by_folder_names"] == brute_top1(folder, bench.classes, lower)
    assert list(score["per_class"]) == list(bench.described)
    shown = CliRunner().invoke(build_app(), [*command, "--classnames", "eurosat"]).stdout
    assert f"{score['top1_by_folder_names']:.2f} by the published rule" in shown
    plain = CliRunner().invoke(build_app(), command).stdout
    assert "published rule" not in plain
    with pytest.raises((AnnotationError, OSError)):
        read_class_names(tmp_path / "eurosat.txt")


def test_recipes_are_complete():
    counts = {name: len(bench.classes) for name, bench in benchmarks().items() if bench.classes}
    assert counts == {
        "aid": 30,
        "eurosat": 10,
        "patternnet": 38,
        "resisc45": 45,
        "ucm": 21,
        "whu-rs19": 19,
    }
    for bench in benchmarks().values():
        assert list(bench.classes) == sorted(bench.classes)
        assert len(bench.described) in (0, len(bench.classes))
        assert bench.prompts in PROMPT_SETS
        assert bench.n_images > 0
        assert not any(Path(place).is_absolute() for place in bench.images + bench.annotations)
