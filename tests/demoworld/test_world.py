import csv
import hashlib
import json

import pytest

from terraseek.errors import Cancelled, ConfigError, SourceError
from terraseek_demoworld.chips import category_of
from terraseek_demoworld.scenes.render import SCENES, render_scene
from terraseek_demoworld.world import DemoWorld, build

SIZE = 512


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(tmp_path_factory.mktemp("demo") / "world", chips=12, workers=1, scene_size=SIZE)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.slow
def test_two_builds_are_the_same_bytes_with_one_worker_and_with_two(world, tmp_path):
    again = build(tmp_path / "again", chips=12, workers=2, scene_size=SIZE)
    assert digest(again.path) == digest(world.path)


def test_every_chip_has_a_row_a_file_and_five_captions(world):
    with world.items_csv.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    assert len(rows) == 12
    names = {path.name for path in (world.path / "chips").iterdir()}
    assert {row["filename"] for row in rows} == names
    for index, row in enumerate(rows):
        assert row["label"] == category_of(index)
        assert all(row[column] for column in ("caption", "caption_2", "caption_5", "place"))
        assert -90 < float(row["lat"]) < 90
        assert -180 <= float(row["lon"]) <= 180
        polygons = json.loads(row["polygons"])
        assert {"name", "points"} == set(polygons[0])


def test_captions_follow_rsicd_and_every_sixth_chip_is_for_validation(world):
    data = json.loads(world.captions_json.read_text(encoding="utf-8"))
    splits = [image["split"] for image in data["images"]]
    assert splits == (["train"] * 5 + ["val"]) * 2
    for image in data["images"]:
        assert len(image["sentences"]) == 5
        assert all(sentence["raw"].endswith(".") for sentence in image["sentences"])
        assert (world.path / "chips" / image["filename"]).is_file()


def test_scenes_lie_in_three_utm_zones(world):
    import rasterio

    zones = set()
    for name, spec in SCENES.items():
        with rasterio.open(world.path / "scenes" / f"{name}.tif") as scene:
            zones.add(scene.crs.to_epsg())
            assert scene.crs.to_epsg() == spec.epsg
            assert (scene.width, scene.height, scene.count) == (SIZE, SIZE, 3)
            assert scene.bounds.right - scene.bounds.left == pytest.approx(2048)
            assert scene.bounds.top == pytest.approx(spec.north)
            assert scene.block_shapes[0] == (256, 256)
            assert scene.overviews(1) == [2, 4]
    assert len(zones) == 3


def test_annotations_lie_inside_their_scenes(world):
    notes = json.loads(world.anno_json.read_text(encoding="utf-8"))
    for name in SCENES:
        mine = [note for note in notes if note["jpg_name"] == f"{name}.tif"]
        assert len(mine) >= 5
        for note in mine:
            assert note["caption"].strip()
            assert note["points"]
            for outline in note["points"]:
                assert len(outline) >= 3
                assert all(0 <= x <= SIZE and 0 <= y <= SIZE for x, y in outline)


def test_the_seed_changes_a_scene():
    name = "farmland"
    assert render_scene(name, 1, SIZE)[0].tobytes() != render_scene(name, 2, SIZE)[0].tobytes()


def test_the_manifest_says_that_it_is_synthetic_and_opens(world):
    facts = json.loads((world.path / "demo.json").read_text(encoding="utf-8"))
    assert facts["synthetic"] is True
    assert facts["chips"] == 12
    assert DemoWorld.open(world.path) == world


def test_an_interrupted_build_leaves_nothing(tmp_path):
    def stop(stage, done, total):
        raise Cancelled(f"stopped at {stage}")

    with pytest.raises(Cancelled, match="stopped at"):
        build(tmp_path / "world", chips=2, workers=1, scene_size=SIZE, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="no demo world"):
        build(tmp_path, chips=1)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("wrong", [{"chips": 0}, {"workers": 0}, {"scene_size": 100}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match="at least"):
        build(tmp_path / "world", **wrong)


def test_an_unfinished_world_does_not_open(tmp_path):
    with pytest.raises(SourceError, match="no finished demo world"):
        DemoWorld.open(tmp_path)
