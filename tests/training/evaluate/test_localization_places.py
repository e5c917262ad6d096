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
from terraseek.localization import LocalizeOptions
from terraseek_train.evaluate.localization.places import (
    Place,
    measure_places,
    place_table,
    precisions,
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
