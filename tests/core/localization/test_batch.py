"""A batch of sentences and scenes: numbers as of `localize`, failures, resuming, files."""

import csv
import json
from html.parser import HTMLParser

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from PIL import Image
from typer.testing import CliRunner

from helpers.rasters import write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import Cancelled, MissingColumnError, QueryError
from terraseek.localization import (
    BatchRow,
    localize,
    localize_batch,
    read_batch,
    read_scene_names,
    regions,
)
from terraseek.scenes import Scene


class CountingEncoder(FakeEncoder):
    """Counts the images that it encodes."""

    def __init__(self):
        super().__init__()
        self.n_images = 0

    def _encode_image_batch(self, images):
        self.n_images += len(images)
        return super()._encode_image_batch(images)


@pytest.fixture
def scenes(tmp_path):
    """A scene with a red spot, one with a green spot without coordinates, and a damaged file."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name, colour in (("red.tif", (230, 20, 20)), ("green.png", (20, 200, 20))):
        rgb = np.full((120, 160, 3), 110, np.uint8)
        rgb[30:70, 90:140] = colour
        if name.endswith("tif"):
            write_rgb(folder / name, rgb)
        else:
            Image.fromarray(rgb).save(folder / name)
    (folder / "broken.tif").write_bytes(b"II*\0nothing")
    return folder


ROWS = [
    BatchRow(scene, text)
    for scene in ("red.tif", "green.png", "broken.tif", "missing.tif", "../red.tif")
    for text in ("red", "green")
] + [BatchRow("red.tif", "")]


def run(scenes, out, encoder=None, rows=ROWS, **options):
    return localize_batch(rows, scenes, encoder or FakeEncoder(), out, **options)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_numbers_equal_those_of_localize(scenes, tmp_path):
    found = run(scenes, tmp_path / "out", percentile=95)
    done = [one for one in found if one.done]
    assert len(done) == 4
    for one in done:
        with Scene.open(scenes / one.scene) as scene:
            heat = localize(scene, one.sentence, FakeEncoder())
        areas = regions(heat, percentile=95)
        assert one.best_score == pytest.approx(heat.peak.score, abs=1e-6)
        assert (one.col, one.row) == (heat.peak.col, heat.peak.row)
        assert (one.significance, one.probability) == (heat.significance, heat.probability)
        assert one.regions == len(areas)
        if one.scene == "red.tif":
            assert one.region_area_m2 == pytest.approx(sum(r.area_m2 for r in areas), abs=0.01)
            assert one.likely_area_m2 == (one.region_area_m2 if heat.significant else 0)
        else:
            assert (one.region_area_m2, one.likely_area_m2, one.lon) == (None, None, None)
        with rasterio.open(tmp_path / "out" / one.heat_map) as cog:
            assert cog.tags()["TERRASEEK_QUERY"] == one.sentence
            np.testing.assert_allclose(cog.read(1), heat.read_rows(0, 120), atol=1e-5)
        with Image.open(tmp_path / "out" / one.thumbnail) as image:
            assert image.size == (160, 120)
        features = json.loads((tmp_path / "out" / one.region_file).read_text("utf-8"))["features"]
        assert len(features) == len(areas)


def test_a_failure_is_a_row_with_its_reason(scenes, tmp_path):
    found = {(one.scene, one.sentence): one for one in run(scenes, tmp_path / "out")}
    assert len(found) == len(ROWS)
    for name in ("broken.tif", "missing.tif", "../red.tif"):
        assert found[name, "red"].status == "failed"
    assert "no such scene" in found["missing.tif", "green"].reason
    assert "broken.tif" in found["broken.tif", "red"].reason
    assert "empty" in found["red.tif", ""].reason
    assert found["red.tif", "red"].done


def test_tables_are_ranked(scenes, tmp_path):
    found = run(scenes, tmp_path / "out")
    with (tmp_path / "out/results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "out/results.parquet").to_pylist()
    assert [row["sentence"] for row in rows] == [one.sentence for one in found]
    assert [row["rank"] for row in table] == list(range(1, len(ROWS) + 1))
    assert [row["best_score"] for row in table] == [one.best_score for one in found]
    scores = [one.best_score for one in found if one.done]
    assert scores == sorted(scores, reverse=True)  # the fake encoder has no levels
    assert [row["status"] for row in table] == ["done"] * 4 + ["failed"] * (len(ROWS) - 4)


def test_each_scene_is_encoded_once_and_finished_rows_are_not_run_again(scenes, tmp_path):
    one, two = CountingEncoder(), CountingEncoder()
    run(scenes, tmp_path / "one", one, [BatchRow("red.tif", "red")], cache=False)
    texts = ("red", "green", "blue", "grey")
    rows = [BatchRow("red.tif", text) for text in texts]
    first = run(scenes, tmp_path / "out", two, rows, cache=False)
    assert two.n_images == one.n_images > 0
    again = run(scenes, tmp_path / "out", two, rows, cache=False)
    assert two.n_images == one.n_images
    assert again == first
    (tmp_path / "out" / first[0].heat_map).unlink()  # its file is gone: run again
    run(scenes, tmp_path / "out", two, rows, cache=False)
    assert two.n_images == 2 * one.n_images
    assert (tmp_path / "out" / first[0].heat_map).is_file()
    run(scenes, tmp_path / "out", two, rows, cache=False, threshold=0.5)  # another question
    assert two.n_images == 3 * one.n_images


def test_an_interrupted_batch_resumes(scenes, tmp_path):
    encoder, reported = CountingEncoder(), []

    def stop(stage, done, total):
        reported.append(done / total)
        if done / total > 0.5:
            raise Cancelled("stopped by the user")

    rows = [BatchRow(name, text) for name in ("red.tif", "green.png") for text in ("a", "b", "c")]
    with pytest.raises(Cancelled):
        run(scenes, tmp_path / "out", encoder, rows, progress=stop, cache=False)
    half = encoder.n_images
    journal = (tmp_path / "out/rows.jsonl").read_text("utf-8")
    assert sum('"done"' in line for line in journal.splitlines()) == 3
    (tmp_path / "out/rows.jsonl").write_text(journal + '{"scene": "cut o', "utf-8")
    reported.clear()
    found = run(
        scenes, tmp_path / "out", encoder, rows, cache=False,
        progress=lambda stage, done, total: reported.append(done / total),
    )  # fmt: skip
    assert all(one.done for one in found)
    assert len(found) == 6
    assert encoder.n_images < 2 * half + 2
    assert reported == sorted(reported)
    assert (reported[0], reported[-1]) == (0.5, 1.0)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.text, self.images, self.tags = "", [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.images += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_report_and_contact_sheet(scenes, tmp_path):
    hostile = "<script>alert(1)</script> & red"
    run(scenes, tmp_path / "out", rows=[*ROWS, BatchRow("red.tif", hostile)])
    page = Page()
    page.feed((tmp_path / "out/report.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert hostile in page.text
    assert len(page.images) == 5
    assert all(url.startswith("data:image/jpeg") for url in page.images)
    assert "no such scene" in page.text
    with Image.open(tmp_path / "out/contact_sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"), int)
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90)
    assert red.sum() > 1000  # the red spot under its heat map


def write_table(path, text):
    path.write_text(text, "utf-8")
    return path


def test_tables_of_sentences_and_scenes(tmp_path):
    both = write_table(tmp_path / "a.csv", "Scene;Text\nx.tif;two words\n\nx.tif;two words\ny;b\n")
    assert read_batch(both) == [BatchRow("x.tif", "two words"), BatchRow("y", "b")]
    texts = write_table(tmp_path / "b.csv", "sentence,note\nred roofs,1\nships,2\n")
    names = write_table(tmp_path / "c.csv", "scene\nx.tif\ny.tif\n")
    crossed = read_batch(texts, read_scene_names(names))
    assert crossed == [
        BatchRow(scene, text) for scene in ("x.tif", "y.tif") for text in ("red roofs", "ships")
    ]
    with pytest.raises(MissingColumnError, match="scene and text"):
        read_batch(texts)
    with pytest.raises(MissingColumnError, match="column scene"):
        read_scene_names(texts)
    with pytest.raises(QueryError, match="no line"):
        read_batch(write_table(tmp_path / "d.csv", "scene,text\n"))


def test_the_command(scenes, tmp_path):
    table = write_table(scenes / "t.csv", "scene,text\nred.tif,red\nmissing.tif,red\n")
    words = ["localize", "--batch", str(table), "--out", str(tmp_path / "out"), "--model", "fake"]
    done = CliRunner().invoke(build_app(), [*words, "--percentile", "90", "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert [row["status"] for row in printed] == ["done", "failed"]
    settings = json.loads((tmp_path / "out/rows.jsonl").read_text("utf-8").splitlines()[0])
    assert settings["sentence"] == "red"
    texts = write_table(tmp_path / "texts.csv", "text\ngreen\n")
    words = ["localize", "--batch", str(texts), "--scenes", str(scenes), "--model", "fake"]
    done = CliRunner().invoke(build_app(), [*words, "--out", str(tmp_path / "two")])
    assert done.exit_code == 0, done.output
    assert "2 of 3 rows" in done.stdout
    refused = CliRunner().invoke(build_app(), words)
    assert refused.exit_code != 0
    assert "--out" in str(refused.exception)
    files = (["--zip", "x.zip"], ["--style", "x.qml"], ["--winner", "x.tif"])
    for more in (["a.tif", "red"], ["--side", "64"], ["--layers"], *files):
        refused = CliRunner().invoke(build_app(), [*words, "--out", str(tmp_path / "x"), *more])
        assert "leave out" in str(refused.exception)
    assert CliRunner().invoke(build_app(), ["localize"]).exit_code != 0
