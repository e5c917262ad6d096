"""Invalid input raises an error with a clear message, in Python and on the command line."""

from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
from PIL import Image
from typer.testing import CliRunner

from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import (
    Cancelled,
    ConfigError,
    EmptyQueryError,
    LatticeError,
    NoValidPixelsError,
    OutputError,
    TerraSeekError,
)
from terraseek.files import home
from terraseek.localization import (
    LocalizeOptions,
    embed_scene,
    localize,
    regions,
    write_cog,
    write_regions,
)
from terraseek.localization.localizer import Localizer
from terraseek.localization.methods.window_scales import DEFAULT_SCALES
from terraseek.localization.output import cog
from terraseek.scenes import Scene


def run(*words):
    return CliRunner().invoke(build_app(), ["localize", *map(str, words), "--model", "fake"])


def refused(result, kind: type[TerraSeekError], words: str) -> None:
    """Check class and message of the error, which `main` prints as one line."""
    assert type(result.exception) is kind, result.exception
    assert words in str(result.exception)


@pytest.fixture
def path(tmp_path):
    return write_rgb(tmp_path / "a.tif", random_rgb(300, 400))


def everything_but(tmp_path, *known):
    return sorted(p.name for p in tmp_path.iterdir() if p.name not in known)


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        ([""], EmptyQueryError, "the sentence is empty"),
        (["red", "  "], EmptyQueryError, "the sentence is empty"),
        ([], EmptyQueryError, "say what to look for"),
        (["red", "--minus", " "], EmptyQueryError, "the sentence is empty"),
        (["red", "--scales", "-5"], LatticeError, "below 2"),
        (["red", "--scales", "99999999999"], LatticeError, "far larger than"),
        (["red", "--scales", "2.5"], LatticeError, "whole numbers"),
        (["red", "--scales-m", "nan"], LatticeError, "finite"),
        (["red", "--scales-m", "1e400"], LatticeError, "finite"),
        (["red", "--scales-m", "0.1"], LatticeError, "below two pixels"),
        (["red", "--scales", "64", "--scales-m", "64"], ConfigError, "not both"),
        (["red", "--method", "magic"], ConfigError, "selo-v1"),
        (["red", "--regions", "r.json", "--threshold", "nan"], ConfigError, "threshold is 'nan'"),
        (["red", "--regions", "r.json", "--percentile", "nan"], ConfigError, "percentile is 'nan'"),
    ],
)
def test_refused_on_the_command_line(path, tmp_path, monkeypatch, words, kind, says):
    monkeypatch.chdir(tmp_path)
    refused(run(path, *words), kind, says)
    assert everything_but(tmp_path, "a.tif") == []


def test_an_over_long_sentence_gives_a_map_and_a_warning(path, monkeypatch):
    monkeypatch.setattr(FakeEncoder, "token_count", lambda self, text: (len(text.split()), 3))
    done = run(path, "red roofs beside a river", "--json")
    assert done.exit_code == 0
    assert "only the first 3 are read" in done.stderr
    assert "note" not in done.stdout


@pytest.mark.parametrize("fill", ["nodata", "nan"])
def test_a_scene_without_valid_pixels(tmp_path, fill):
    if fill == "nodata":
        path = write_raster(tmp_path / "a.tif", np.zeros((3, 200, 200), np.uint8), nodata=0)
    else:
        path = write_raster(tmp_path / "a.tif", np.full((3, 200, 200), np.nan, np.float32))
    with Scene.open(path) as scene, pytest.raises(NoValidPixelsError, match="no valid pixels"):
        localize(scene, "red", FakeEncoder())
    out = tmp_path / "heat.tif"
    refused(run(path, "red", "--out", out), NoValidPixelsError, "no valid pixels")
    assert not out.exists()


def test_windows_full_of_nan_have_no_score(tmp_path):
    values = np.moveaxis(random_rgb(400, 600), -1, 0).astype(np.float32)
    values[:, :, 300:] = np.nan
    path = write_raster(tmp_path / "a.tif", values)
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
    assert np.isfinite(heat.score[:, :299]).all()
    assert np.isnan(heat.score[:, 301:]).all()
    assert np.isfinite([heat.low, heat.high, heat.peak.score]).all()
    assert heat.peak.col < 300


def test_windows_larger_than_the_scene_give_one_score_and_a_warning(path):
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(scales=(1000,)))
    assert heat.n_windows == 1
    assert np.ptp(heat.score) == 0
    assert "cannot say where" in heat.warnings[0]
    done = run(path, "red", "--scales", "1000")
    assert done.exit_code == 0
    assert "take smaller windows" in done.stderr


def test_default_windows_are_wider_on_a_huge_scene(tmp_path):
    """Only the header is read: the scene has no pixels on disk."""
    path = tmp_path / "huge.tif"
    profile = {"width": 30_000, "height": 30_000, "count": 1, "dtype": "uint8", "tiled": True}
    profile |= {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}
    with rasterio.open(path, "w", driver="GTiff", SPARSE_OK=True, **profile):
        pass
    with Scene.open(path) as scene:
        default, chosen = (
            Localizer(scene, FakeEncoder(), options)
            for options in (LocalizeOptions(), LocalizeOptions(scales=(96,)))
        )
        sides = default.context.scales
        lattice = default.method.lattice(default.context)
        assert min(sides) > 2 * min(DEFAULT_SCALES)
        assert 30_000 < len(lattice) < 70_000
        assert "in more time" in default.method.warnings(default.context, lattice)[0]
        assert chosen.context.scales == (96,)
        assert chosen.method.warnings(chosen.context, lattice) == []


def test_progress_reports_the_total_before_the_first_window(path):
    steps = []
    with Scene.open(path) as scene:
        found = embed_scene(scene, FakeEncoder(), progress=lambda *step: steps.append(step))
    assert steps[0] == ("encode windows", 0, len(found.lattice))
    assert steps[-1] == ("encode windows", len(found.lattice), len(found.lattice))


def test_a_cancelled_run_leaves_no_output(path, tmp_path):
    def stop(stage, done, total):
        raise Cancelled("enough")

    with Scene.open(path) as scene, pytest.raises(Cancelled, match="enough"):
        localize(scene, "red", FakeEncoder(), progress=stop)
    assert not list(home().rglob("*.npz"))


def test_a_run_cancelled_in_its_second_stage_keeps_the_first(path):
    totals = []

    def stop(stage, done, total):
        totals.append(total)
        if len(set(totals)) > 1:
            raise Cancelled("enough")

    options = LocalizeOptions(method="selo-v2")
    with Scene.open(path) as scene:
        with pytest.raises(Cancelled, match="enough"):
            localize(scene, "red", FakeEncoder(), options, progress=stop)
        assert len(list(home().rglob("*.npz"))) == 1
        assert not list(home().rglob("*.parts"))
        heat = localize(scene, "red", FakeEncoder(), options)
    assert np.isfinite(heat.score).all()


def test_a_second_image_that_cannot_be_written_leaves_the_first(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p-2.png").mkdir()  # no file can have this name
    done = run(path, "red", "green", "--png", "p.png")
    refused(done, OutputError, "p-2.png cannot be written")
    assert everything_but(tmp_path, "a.tif") == ["p-1.png", "p-2.png"]
    with Image.open(tmp_path / "p-1.png") as whole:
        assert whole.convert("RGB").size == (400, 300)


@contextmanager
def small_files(limit: int):
    """Writing beyond `limit` bytes of a file fails, as on a full disk."""
    resource = pytest.importorskip("resource", reason="no limits on file sizes on this platform")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing_half_written(path, tmp_path):
    out, areas, png = tmp_path / "h.tif", tmp_path / "r.geojson", tmp_path / "p.png"
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
    with small_files(1000):
        with pytest.raises(OutputError, match="free some disk space"):
            write_cog(heat, out)
        with pytest.raises(OutputError, match="free some disk space"):
            write_regions(heat, areas)
        refused(run(path, "red", "--out", out), OutputError, "free some disk space")
        refused(run(path, "red", "--regions", areas), OutputError, "free some disk space")
        refused(run(path, "red", "--png", png), OutputError, "cannot be written")
    assert everything_but(tmp_path, "a.tif") == []


def test_a_disk_that_is_full_when_the_cog_is_copied(path, tmp_path, monkeypatch):
    """The temporary file fits and its copy does not: GDAL reports that in another way."""
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
    copy = cog._as_cog

    def on_a_full_disk(plain, target, resampling):
        with small_files(1000):
            copy(plain, target, resampling)

    monkeypatch.setattr(cog, "_as_cog", on_a_full_disk)
    with pytest.raises(OutputError, match="free some disk space"):
        write_cog(heat, tmp_path / "h.tif")
    assert everything_but(tmp_path, "a.tif") == []


def test_a_full_cache_disk_does_not_stop_a_localization(path, caplog):
    with Scene.open(path) as scene, small_files(100):
        heat = localize(scene, "red", FakeEncoder())
    assert np.isfinite(heat.score).all()
    assert "were not kept" in caplog.text
    assert not list(home().rglob("*.npz"))


def test_an_infinite_threshold_is_refused(path):
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
    with pytest.raises(ConfigError, match="must be a score"):
        regions(heat, threshold=float("inf"))
