"""Levels of places: regions are right where the annotations say so, counted by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import AnnotationError, OutputError
from terraseek.localization import LocalizeOptions
from terraseek.significance.places import PlaceModel, place_model_of
from terraseek.significance.scale import LevelScale
from terraseek_train.evaluate.localization.place_card import without_places, write_places
from terraseek_train.evaluate.localization.places import (
    Place,
    fit_places,
    halves,
    measure_places,
    place_table,
    precisions,
    with_levels_of,
)
from terraseek_train.evaluate.localization.study import StudySet

RED = [[40, 40], [80, 40], [80, 80], [40, 80]]
ELSEWHERE = [[100, 100], [127, 100], [127, 127], [100, 127]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene with a red spot, whose outline is right, and one whose outline is elsewhere."""
    entries = []
    for name, ring in (("a.png", RED), ("b.png", ELSEWHERE)):
        pixels = np.random.default_rng(0).integers(90, 150, (128, 128, 3)).astype(np.uint8)
        pixels[40:80, 40:80] = (230, 20, 20)
        Image.fromarray(pixels).save(tmp_path / name)
        entries.append({"jpg_name": name, "caption": "red", "points": [ring]})
    entries.append({"jpg_name": "b.png", "caption": "ships", "points": [ELSEWHERE]})
    (tmp_path / "anno.json").write_text(json.dumps(entries))
    return tmp_path


def test_a_region_is_right_where_its_peak_is_in_the_outline(folder: Path) -> None:
    found = measure_places(StudySet.open(folder), FakeEncoder(), LocalizeOptions(scales=(32,)))
    of_a = [one for one in found if one.image.endswith("a.png")]
    assert next(one.right for one in of_a if one.kind == "present")
    absent = [one for one in of_a if one.kind == "absent"]  # ships
    assert absent
    assert not any(one.right for one in absent)
    first_of_b = next(one for one in found if one.image.endswith("b.png"))
    assert not first_of_b.right  # the best place is the red spot
    assert {one.level for one in found} == {None}  # FakeEncoder has no calibration


def test_shares_are_counted_by_level_with_an_interval_over_scenes() -> None:
    sure = Place("s/1", "present", "likely", right=True)
    places = [sure, sure, replace(sure, right=False), replace(sure, image="s/2")]
    places += [replace(sure, image="s/2", kind="absent", right=False)]
    places += [replace(sure, level="possible", right=False)]
    likely, possible, none = precisions(places)
    assert (likely.n_present, likely.n_right, likely.n_absent) == (4, 3, 1)
    assert likely.share == pytest.approx(3 / 5)
    assert likely.share_of_present == pytest.approx(3 / 4)
    assert likely.interval == pytest.approx((0.5, 2 / 3))  # a resample has one scene, or both
    assert (possible.n_present, possible.share, possible.interval) == (1, 0, None)
    assert none.n_present == none.n_absent == 0
    lines = place_table([("set", [likely, possible, none])]).splitlines()
    assert lines[2] == "| set | likely | 4 | 3 (75%) | 1 | 60% [50%, 67%] |"
    assert lines[4] == "| set | no evidence | 0 | - | 0 | - |"


def test_the_command_counts_regions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRASEEK_HOME", str(folder / "home"))
    arguments = ["evaluate", "localization-places", str(folder), "--model", "fake", "--json"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)[folder.name]
    assert [row["level"] for row in rows] == ["likely", "possible", "none"]
    assert all(row["n_present"] == 0 for row in rows)  # without a calibration no region has a level


SCENE = LevelScale(best=3.0, per_score=10.0, possible_from=-0.2, likely_from=0.8)


def place(right: bool, below_best: float, image: str = "s/1") -> Place:
    """A region of a likely map."""
    return Place(image, "present", "likely", right, "likely", SCENE, below_best)


def test_levels_are_fitted_to_how_many_regions_are_right() -> None:
    near = [place(i < 8, 0.02) for i in range(10)]
    middle = [place(i < 3, 0.12) for i in range(10)]
    far = [place(i < 1, 0.25) for i in range(30)]
    model = fit_places([*near, *middle, *far])
    found = with_levels_of(model, [*near, *middle, *far])
    assert [one.level for one in found] == ["likely"] * 10 + ["possible"] * 10 + ["none"] * 30
    # before, all were as likely as their scene
    assert {SCENE.level(one.below_best) for one in near + middle} == {"likely"}
    with pytest.raises(AnnotationError, match="needs both kinds"):
        fit_places([place(True, 0.1), replace(place(False, 0.1), scale=None)])


def test_scenes_are_halved_within_each_set() -> None:
    names = ["a/1", "a/2", "a/2", "b/1", "a/3", "b/2"]
    first, second = halves([place(True, 0.0, name) for name in names])
    assert [one.image for one in first] == ["a/1", "b/1", "a/3"]
    assert [one.image for one in second] == ["a/2", "a/2", "b/2"]


def test_no_place_has_a_higher_level_than_its_scene() -> None:
    sure = PlaceModel(intercept=5.0, best=1.0, below=2.0)
    for level, expected in (("likely", "likely"), ("possible", "possible"), ("none", "none")):
        assert sure.scale(SCENE, level).level(0.0) == expected
    assert sure.scale(SCENE, "likely").level(0.3) == "likely"
    assert sure.scale(SCENE, "likely").level(0.48) == "none"


def test_the_card_gets_the_values_of_places(tmp_path: Path) -> None:
    card = get_card("terraseek-pair")
    assert place_model_of(without_places(card)) is None
    assert place_model_of(card) is not None
    file = tmp_path / "card.json"
    file.write_text(json.dumps({"calibration": {"significance": {"scene": {"fit": 1}}}}))
    write_places(file, PlaceModel(0.5, 1.0, 2.0))
    written = json.loads(file.read_text())["calibration"]["significance"]
    assert written == {"scene": {"fit": 1}, "place": {"intercept": 0.5, "best": 1.0, "below": 2.0}}
    file.write_text("{}")
    with pytest.raises(OutputError, match="needs the significance of scenes first"):
        write_places(file, PlaceModel(0.5, 1.0, 2.0))
