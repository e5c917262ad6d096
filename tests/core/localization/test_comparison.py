"""Several sentences over one scene: the winning one at each place, and the table of regions."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from helpers.rasters import write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.localization import HeatMap, LocalizeOptions, compare, localize_many
from terraseek.localization.comparison import NO_SENTENCE
from terraseek.scenes import Scene

RED, GREEN = (230, 20, 20), (20, 200, 20)
RED_SPOT, GREEN_SPOT = (slice(40, 104), slice(192, 256)), (slice(120, 184), slice(24, 88))


@pytest.fixture
def heats(tmp_path) -> list[HeatMap]:
    """Heat maps of "red" and "green" on grey ground of 2 m with a red and a green spot."""
    rgb = np.full((200, 300, 3), 110, np.uint8)
    rgb[RED_SPOT], rgb[GREEN_SPOT] = RED, GREEN
    with Scene.open(write_rgb(tmp_path / "ground.tif", rgb)) as scene:
        options = LocalizeOptions(scales=(32, 64))
        return localize_many(scene, ["red", "green"], FakeEncoder(), options)


def test_each_spot_is_won_by_its_colour_and_the_ground_by_none(heats):
    winner = compare(heats).winner
    assert winner.shape == (200, 300)
    middle = {index: winner[s[0], s[1]][16:-16, 16:-16] for index, s in
              ((0, RED_SPOT), (1, GREEN_SPOT))}  # fmt: skip
    assert (middle[0] == 0).all()
    assert (middle[1] == 1).all()
    assert (winner[:20] == NO_SENTENCE).all()
    assert (winner[:, 120:160] == NO_SENTENCE).all()


def test_the_winner_has_the_highest_of_the_scores_that_reach_their_threshold(heats):
    limits = [heats[0].low + 0.01, heats[1].low + 0.02]
    winner = compare(heats, limits).winner
    scores = np.stack([heat.score for heat in heats])
    allowed = np.where(scores >= np.array(limits, np.float32)[:, None, None], scores, -np.inf)
    expected = np.where(np.isfinite(allowed).any(axis=0), allowed.argmax(axis=0), NO_SENTENCE)
    np.testing.assert_array_equal(winner, expected)
    assert set(np.unique(winner)) == {NO_SENTENCE, 0, 1}


def test_a_sentence_without_evidence_never_wins(heats):
    absent = replace(heats[0], significance="none")
    found = compare([absent, replace(heats[1], significance="possible")])
    assert set(np.unique(found.winner)) == {NO_SENTENCE, 1}
    assert found.shares[0] == 0
    levels = {row["query"]: row["significance"] for row in found.to_json()["regions"]}
    assert levels == {"red": "none", "green": "possible"}


def test_shares_and_areas_are_those_of_the_winner(heats):
    found = compare(heats)
    for index in (0, 1):
        count = int((found.winner == index).sum())
        assert found.shares[index] == pytest.approx(count / (200 * 300))
        # UTM at its central meridian shrinks lengths by 0.0004
        assert found.areas_m2[index] == pytest.approx(4 * count, rel=0.002)
    document = found.to_json()
    assert document["share_without"] == pytest.approx(1 - sum(found.shares), abs=1e-6)
    assert [s["query"] for s in document["sentences"]] == ["red", "green"]


def test_rows_are_the_regions_of_each_sentence(heats):
    rows = compare(heats).rows
    assert [(row.sentence, row.rank) for row in rows] == [(0, 1), (1, 1)]
    assert all(row.share_won > 0.95 for row in rows)
    peak = rows[0].region.peak
    assert 40 <= peak.row < 104
    assert 192 <= peak.col < 256


def test_a_region_shared_with_a_better_sentence_is_not_won(heats):
    better = replace(heats[0], query="very red", field=_raised(heats[0].field))
    rows = compare([heats[0], better]).rows
    assert rows[0].share_won == 0
    assert rows[1].share_won > 0.95


def _raised(field):
    return replace(field, values=field.values + np.float32(0.5))


@pytest.mark.parametrize("limits", [[0.1], [0.1, 0.2, 0.3]])
def test_one_threshold_for_each_heat_map(heats, limits):
    with pytest.raises(ConfigError, match="2 heat maps"):
        compare(heats, limits)


def test_heat_maps_of_different_scenes_are_refused(heats):
    with pytest.raises(ConfigError, match="localize the sentences together"):
        compare([heats[0], replace(heats[1], scene_name="other.tif")])
    with pytest.raises(ConfigError, match="0 heat maps"):
        compare([])


def test_the_command_line_prints_a_row_for_each_region(tmp_path):
    rgb = np.full((200, 300, 3), 110, np.uint8)
    rgb[RED_SPOT], rgb[GREEN_SPOT] = RED, GREEN
    path = write_rgb(tmp_path / "ground.tif", rgb)
    words = ["localize", str(path), "red", "green", "--model", "fake", "--scales", "32,64"]
    found = CliRunner().invoke(build_app(), words)
    assert found.exit_code == 0, found.output
    rows = [line.split(" · ") for line in found.output.splitlines() if " · " in line]
    assert rows[0][0] == "sentence"
    assert [(row[0], row[1]) for row in rows[1:]] == [("red", "1"), ("green", "1")]
    assert all(row[4].endswith((" ha", " m²")) for row in rows[1:])
