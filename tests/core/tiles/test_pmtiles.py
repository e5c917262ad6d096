"""PMTiles archives: which tile is where, and what is refused."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.pmtiles_file import VECTOR, write_pmtiles
from terraseek.errors import InputError
from terraseek.tiles.pmtiles import PMTiles, tile_number


def png(colour: tuple[int, int, int], side: int = 256) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ((0, 0, 0), 0),
        ((1, 0, 0), 1),
        ((1, 0, 1), 2),
        ((1, 1, 1), 3),
        ((1, 1, 0), 4),
        ((2, 0, 0), 5),
        ((12, 3423, 1763), 19_078_479),
    ],
)
def test_tiles_are_numbered_as_in_the_specification(
    place: tuple[int, int, int], number: int
) -> None:
    assert tile_number(*place) == number


def test_numbers_fill_each_zoom_once() -> None:
    found = {tile_number(4, x, y) for x in range(16) for y in range(16)}
    assert found == set(range(85, 85 + 256))


@pytest.mark.parametrize("leaf_size", [0, 7])
@pytest.mark.parametrize("packed", [True, False])
def test_every_tile_is_found_and_no_other(tmp_path: Path, leaf_size: int, packed: bool) -> None:
    rng = np.random.default_rng(0)
    tiles = {
        (z, x, y): b"sea" if rng.random() < 0.5 else bytes(rng.integers(0, 255, 20, np.uint8))
        for z in range(1, 5)
        for x in range(1 << z)
        for y in range(1 << z)
        if rng.random() < 0.7
    }
    archive = PMTiles.open(
        write_pmtiles(tmp_path / "a.pmtiles", tiles, leaf_size=leaf_size, packed=packed)
    )
    assert (archive.min_zoom, archive.max_zoom) == (1, 4)
    for z in range(6):
        for x in range(1 << z):
            for y in range(1 << z):
                assert archive.tile(z, x, y) == tiles.get((z, x, y)), (z, x, y)


def test_the_header_and_the_attribution_are_read(tmp_path: Path) -> None:
    path = write_pmtiles(
        tmp_path / "a.pmtiles",
        {(3, 1, 2): png((1, 2, 3), 512)},
        bounds=(-10.5, 40.0, 5.25, 50.0),
        attribution=" <a>Someone</a> ",
    )
    archive = PMTiles.open(path)
    assert archive.bounds == (-10.5, 40.0, 5.25, 50.0)
    assert (archive.media_type, archive.attribution) == ("image/png", "<a>Someone</a>")
    assert archive.tile_size() == 512


def test_a_replaced_archive_is_read_with_its_own_directories(tmp_path: Path) -> None:
    path = tmp_path / "region.pmtiles"
    red, blue = png((250, 0, 0)), png((0, 0, 250), 512)
    # directories of equal length at the same offset
    write_pmtiles(path, {(1, 0, 0): red, (1, 1, 1): red}, packed=False)
    assert PMTiles.open(path).tile(1, 0, 0) == red
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    write_pmtiles(path, {(1, 0, 1): blue, (1, 1, 0): blue}, packed=False)
    os.utime(path, ns=times)  # as `cp --preserve` and rsync leave it
    replaced = PMTiles.open(path)
    assert replaced.tile(1, 0, 1) == blue
    assert replaced.tile(1, 0, 0) is None
    assert replaced.tile_size() == 512


def test_what_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    tiles = {(0, 0, 0): png((1, 2, 3))}
    path = tmp_path / "a.pmtiles"
    for further, words in (({"kind": VECTOR}, "vector tiles"), ({"version": 2}, "version 2")):
        with pytest.raises(InputError, match=words):
            PMTiles.open(write_pmtiles(path, tiles, **further))  # type: ignore[arg-type]
    path.write_bytes(b"GIF89a" + bytes(200))
    with pytest.raises(InputError, match="no PMTiles archive"):
        PMTiles.open(path)
    path.write_bytes(b"PMTiles\x03")
    with pytest.raises(InputError, match="cut short"):
        PMTiles.open(path)
    cut = tmp_path / "cut.pmtiles"
    write_pmtiles(cut, tiles)
    cut.write_bytes(cut.read_bytes()[:-10])
    with pytest.raises(InputError, match="cut short"):
        PMTiles.open(cut).tile(0, 0, 0)
    with pytest.raises(InputError, match="its first tile is no PNG"):
        PMTiles.open(write_pmtiles(path, {(0, 0, 0): b"text"})).tile_size()
