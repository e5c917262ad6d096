"""The scene cache stays within its limit and removes the least recently used entries first."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.rasters import random_rgb, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.files import home
from terraseek.localization import LocalizeOptions, embed_scene
from terraseek.localization.windows.cache import SETTING, MemoryCache, limit_bytes, prune
from terraseek.localization.windows.vector_files import load_arrays, save_arrays
from terraseek.scenes import Scene


def filled(folder: Path, sizes: dict[str, int]) -> Path:
    """A folder with files of these sizes, the least recently used first."""
    folder.mkdir(parents=True)
    for age, (name, size) in enumerate(reversed(sizes.items())):
        path = folder / name
        if path.suffix == ".parts":
            path.mkdir()
            path = path / "0.npz"
        path.write_bytes(b"x" * size)
        when = time.time() - 10_000 - 100 * age
        os.utime(path, (when, when))
    return folder


def test_the_least_recently_used_are_removed_first(tmp_path):
    folder = filled(tmp_path / "scenes", {"a.npz": 50, "b.parts": 40, "c.npz": 30, "d.npz": 20})
    removed = prune(folder, limit=60)
    assert [path.name for path in removed] == ["a.npz", "b.parts"]
    assert sorted(path.name for path in folder.iterdir()) == ["c.npz", "d.npz"]


def test_within_the_limit_nothing_is_removed(tmp_path):
    folder = filled(tmp_path / "scenes", {"a.npz": 50, "b.npz": 10})
    assert prune(folder, limit=60) == []


def test_the_entry_just_written_stays_whatever_its_size(tmp_path):
    folder = filled(tmp_path / "scenes", {"new.npz": 500, "old.npz": 10})
    assert [path.name for path in prune(folder, folder / "new.npz", limit=60)] == ["old.npz"]


def test_chunks_of_a_run_in_progress_stay(tmp_path):
    folder = filled(tmp_path / "scenes", {"a.parts": 50, "b.npz": 10})
    os.utime(folder / "a.parts" / "0.npz")
    assert [path.name for path in prune(folder, limit=0)] == ["b.npz"]


def test_a_missing_folder_is_empty(tmp_path):
    assert prune(tmp_path / "none", limit=0) == []


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_wrong_setting_is_named(monkeypatch, text):
    monkeypatch.setenv(SETTING, text)
    with pytest.raises(ConfigError, match=SETTING):
        limit_bytes()


def test_the_default_is_two_gigabytes(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    assert limit_bytes() == 2_000_000_000


def test_a_new_scene_replaces_the_least_recently_used(tmp_path, monkeypatch):
    options, kept = LocalizeOptions(scales=(64,)), []
    for seed in range(3):
        path = write_rgb(tmp_path / f"{seed}.tif", random_rgb(300, 300, seed))
        with Scene.open(path) as scene:
            embed_scene(scene, FakeEncoder(), options)
            kept.append({file.name for file in (home() / "scenes").glob("*.npz")})
        if seed == 0:
            size = sum(file.stat().st_size for file in (home() / "scenes").glob("*.npz"))
            monkeypatch.setenv(SETTING, f"{2.5 * size / 1e9:.9f}")
        if seed == 1:  # used again, so that the second is now the least recently used
            (second,) = kept[1] - kept[0]
            os.utime(home() / "scenes" / second, (time.time() - 50, time.time() - 50))
            with Scene.open(tmp_path / "0.tif") as scene:
                embed_scene(scene, FakeEncoder(), options)
    assert len(kept[1]) == len(kept[2]) == 2
    assert kept[0] < kept[2]
    assert second not in kept[2]


def test_a_limit_of_zero_switches_the_cache_off(tmp_path, monkeypatch):
    monkeypatch.setenv(SETTING, "0")
    path = write_rgb(tmp_path / "a.tif", random_rgb(300, 300))
    with Scene.open(path) as scene:
        found = embed_scene(scene, FakeEncoder(), LocalizeOptions(scales=(64,)))
    assert np.any(found.encoded)
    assert not list(home().rglob("*.npz"))


def test_recently_read_files_are_not_read_again(tmp_path):
    calls = []

    def load(path):
        calls.append(path.name)
        return {"a": np.zeros(int(path.read_text()), np.uint8)}

    cache = MemoryCache(100)
    small, other, huge = (tmp_path / name for name in ("small", "other", "huge"))
    small.write_text("60")
    other.write_text("50")
    huge.write_text("500")
    for path in (small, small, other, small, huge, huge):
        assert len(cache.get(path, load)["a"]) == int(path.read_text())
    assert calls == ["small", "other", "small", "huge", "huge"]
    small.unlink()
    assert cache.get(small, load) is None


def test_a_replaced_file_is_read_again(tmp_path):
    path, fresh = tmp_path / "a", tmp_path / "b"
    path.write_text("1")
    cache = MemoryCache(100)

    def load(path):
        return {"a": np.array([int(path.read_text())])}

    assert cache.get(path, load)["a"] == 1
    fresh.write_text("2")
    fresh.replace(path)
    assert cache.get(path, load)["a"] == 2


def test_half_precision_in_chunks_equals_single(tmp_path, monkeypatch):
    path = write_rgb(tmp_path / "a.tif", random_rgb(300, 300))
    encoder = FakeEncoder()
    query = encoder.encode_texts(["red"])[0]
    monkeypatch.setattr("terraseek.localization.windows.embedding._ROWS_PER_PRODUCT", 7)
    with Scene.open(path) as scene:
        first = embed_scene(scene, encoder, LocalizeOptions(scales=(32,)))
        second = embed_scene(scene, encoder, LocalizeOptions(scales=(32,)))
    assert first.float32_vectors is None
    assert second.float32_vectors is not None
    np.testing.assert_allclose(
        first.scores(query, encoder.encoder_id),
        second.scores(query, encoder.encoder_id),
        atol=1e-6,
    )


def test_large_vectors_stay_in_their_file(tmp_path, monkeypatch):
    path = write_rgb(tmp_path / "a.tif", random_rgb(300, 300))
    encoder, options = FakeEncoder(), LocalizeOptions(scales=(32,))
    with Scene.open(path) as scene:
        fresh = embed_scene(scene, encoder, options)
        monkeypatch.setattr("terraseek.localization.windows.vector_files._MAX_LOADED_BYTES", 100)
        monkeypatch.setattr("terraseek.localization.windows.embedding._MAX_FLOAT32_BYTES", 100)
        mapped = embed_scene(scene, encoder, options)
    query = encoder.encode_texts(["red"])[0]
    assert isinstance(mapped.vectors, np.memmap)
    np.testing.assert_array_equal(mapped.vectors, fresh.vectors)
    np.testing.assert_allclose(
        mapped.scores(query, encoder.encoder_id),
        fresh.scores(query, encoder.encoder_id),
        atol=1e-6,
    )


def test_a_truncated_large_file_is_not_mapped(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("terraseek.localization.windows.vector_files._MAX_LOADED_BYTES", 100)
    path = tmp_path / "a.npz"
    vectors = np.arange(4000, dtype=np.float16).reshape(100, 40)
    save_arrays(path, {"vectors": vectors, "known": np.ones(100, bool)})
    found = load_arrays(path)
    assert found is not None
    np.testing.assert_array_equal(found["vectors"], vectors)
    del found
    path.write_bytes(path.read_bytes()[:-500])
    assert load_arrays(path) is None
    assert "computed again" in caplog.text


def test_mapped_vectors_do_not_count_as_memory(tmp_path):
    calls = []

    def load(path):
        calls.append(path.name)
        return {"a": np.memmap(path, np.uint8, "r")}

    cache = MemoryCache(100)
    for name in ("a", "b", "a", "b"):
        path = tmp_path / name
        if not path.exists():
            path.write_bytes(bytes(90))
        assert len(cache.get(path, load)["a"]) == 90
    assert calls == ["a", "b"]
