"""Images of coarse land: the same for a seed, of the colours of their kind, with labels."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek_demoworld.coarse import LANDS, coarse_chip, write_coarse


@pytest.mark.parametrize("land", sorted(LANDS))
def test_every_land_is_painted_and_repeats_for_its_seed(land: str) -> None:
    image = coarse_chip(land, 3)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, coarse_chip(land, 3))
    assert not np.array_equal(image, coarse_chip(land, 4))


def test_lands_look_as_their_names_say() -> None:
    def mean(land: str) -> np.ndarray:
        return np.mean([coarse_chip(land, seed).mean((0, 1)) for seed in range(12)], 0)

    red, green, blue = mean("lake")
    assert blue > green > red
    red, green, blue = mean("pasture")
    assert green > max(red, blue)
    assert mean("forest").sum() < 0.7 * mean("industrial").sum()


def test_the_written_set_has_all_lands_in_turn(tmp_path: Path) -> None:
    table = write_coarse(tmp_path, 12)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [*LANDS, *list(LANDS)[:2]]
    for row in rows:
        with Image.open(tmp_path / "chips" / row["filename"]) as image:
            assert image.size == (64, 64)


def test_woods_seen_through_the_air_are_dark_and_blue_and_grainier_than_water() -> None:
    woods = [coarse_chip("forest", seed).astype(float) for seed in range(24)]
    waters = [coarse_chip("lake", seed).astype(float) for seed in range(24)]
    red, green, blue = np.mean([image.mean((0, 1)) for image in woods], 0)
    assert red < green < blue < 130

    def grain(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.mean(2), axis=0)).mean())

    assert np.median([grain(p) for p in woods]) > 1.3 * np.median([grain(p) for p in waters])
