"""The file of the best sentence, and maps of one window side; read back with other libraries."""

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from helpers.rasters import UTM_GRID, write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.localization import LocalizeOptions, compare, localize_many, write_cog
from terraseek.localization.output.colour.palette import sentence_colour
from terraseek.localization.output.winner_map import NO_DATA, NO_WINNER, winner_qml, write_winner
from terraseek.localization.side_map import side_map
from terraseek.scenes import Scene
from terraseek.significance.scale import LevelScale

QUERIES = ["red", "green"]


@pytest.fixture
def path(tmp_path):
    """Grey ground with a red and a green spot, and an invalid strip."""
    rgb = np.full((240, 360, 3), 110, np.uint8)
    rgb[30:110, 40:130] = (230, 20, 20)
    rgb[130:210, 200:300] = (20, 200, 20)
    rgb[:, 340:] = 0
    return write_rgb(tmp_path / "a.tif", rgb, transform=UTM_GRID, crs="EPSG:32633", nodata=0)


@pytest.fixture
def heats(path):
    with Scene.open(path) as scene:
        return localize_many(scene, QUERIES, FakeEncoder(), LocalizeOptions(scales=(40, 80)))


def test_the_file_holds_who_wins_where(heats, tmp_path):
    found = compare(heats)
    with rasterio.open(write_winner(found, tmp_path / "w.tif")) as cog:
        codes, table, tags = cog.read(1), cog.colormap(1), cog.tags(1)
        assert (cog.dtypes[0], cog.nodata, cog.crs.to_epsg()) == ("uint8", NO_DATA, 32633)
        assert cog.transform == UTM_GRID
    assert codes.shape == (240, 360)
    expected = np.where(found.valid, found.winner.astype(int) + 1, NO_DATA)
    np.testing.assert_array_equal(codes, expected)
    assert codes[70, 85] == 1
    assert codes[170, 250] == 2
    assert codes[220, 20] == NO_WINNER
    assert codes[100, 350] == NO_DATA
    assert [tags[f"TERRASEEK_CLASS_{n}"] for n in (0, 1, 2)] == ["none of them", *QUERIES]
    assert table[1][:3] == sentence_colour(0) != table[2][:3] == sentence_colour(1)
    entries = list(ElementTree.fromstring(winner_qml(found)).iter("paletteEntry"))
    assert [one.get("label") for one in entries] == ["none of them", *QUERIES]
    colours = [tuple(bytes.fromhex(one.get("color")[1:])) for one in entries]
    assert colours[1:] == [table[1][:3], table[2][:3]]


def test_a_sentence_without_evidence_never_wins(heats, tmp_path):
    without = [heats[0], dataclasses.replace(heats[1], significance="none")]
    with rasterio.open(write_winner(compare(without), tmp_path / "w.tif")) as cog:
        assert set(np.unique(cog.read(1))) == {NO_WINNER, 1, NO_DATA}


def test_the_map_of_a_side_is_its_layer(heats, tmp_path):
    with rasterio.open(write_cog(heats[0], tmp_path / "all.tif", layers=True)) as cog:
        bands = dict(zip(cog.descriptions, cog.read(), strict=True))
    for side in (40, 80):
        own = side_map(heats[0], side)
        with rasterio.open(write_cog(own, tmp_path / f"{side}.tif")) as cog:
            np.testing.assert_array_equal(cog.read(1), bands[f"score of {side} px windows"])
            assert cog.tags()["TERRASEEK_SCALES"] == str(side)
        assert own.parameters["side"] == str(side)
        sides = own.windows[:, 2:] - own.windows[:, :2]
        assert (sides == side).all()
    assert sum(side_map(heats[0], side).n_windows for side in (40, 80)) == len(heats[0].windows)
    assert side_map(heats[0], None) is heats[0]
    with pytest.raises(ConfigError, match=r"no windows of 33 px by themselves; sides: 40, 80"):
        side_map(heats[0], 33)


def test_the_map_of_a_side_has_the_levels_of_the_whole_map(heats):
    levels = LevelScale(best=2.0, per_score=10.0, possible_from=0.0, likely_from=1.0)
    whole = dataclasses.replace(heats[0], level_scale=levels)
    for side in (40, 80):
        own = side_map(whole, side)
        assert own.level_scale.best <= whole.level_scale.best
        if own.peak.score <= whole.peak.score:
            score = own.peak.score - 0.05
            assert own.level_at(score) == whole.level_at(score)
            assert own.colour_scale().possible_from == pytest.approx(
                whole.colour_scale().possible_from
            )


def test_the_command_writes_the_map_of_the_best_sentence_of_one_side(path, tmp_path):
    target = tmp_path / "w.tif"
    words = ["localize", str(path), *QUERIES, "--model", "fake", "--scales", "40,80"]
    done = CliRunner().invoke(
        build_app(), [*words, "--side", "40", "--winner", str(target), "--no-cache"]
    )
    assert done.exit_code == 0, done.output
    with rasterio.open(target) as cog:
        codes = cog.read(1)
    assert (codes[70, 85], codes[170, 250]) == (1, 2)
    done = CliRunner().invoke(build_app(), [*words, "--winner", str(tmp_path / "w.qml")])
    assert done.exit_code == 0, done.output
    assert ElementTree.parse(tmp_path / "w.qml").getroot().tag == "qgis"
