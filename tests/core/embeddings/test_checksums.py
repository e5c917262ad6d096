"""A changed byte of any stored file is noticed; manifests that cannot be right are refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, import_source
from terraseek.checksums import block_checksums, damaged_block
from terraseek.cli import build_app
from terraseek.embeddings import embed_catalogue
from terraseek.embeddings.compact import compact_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import CatalogueError, StoreCorruptError
from terraseek.index.build import build_index
from terraseek.index.index_types import open_index


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    chips = tmp_path / "chips"
    chips.mkdir()
    for seed in range(30):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(chips / f"{seed}.png")
    rows = "".join(f"{seed}.png,a field near river {seed}\n" for seed in range(30))
    (chips / "captions.csv").write_text("img_name,caption\n" + rows)
    import_source(chips / "captions.csv", tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    return Catalogue.open(tmp_path / "cat")


def flip(path: Path, position: int, bit: int = 1) -> None:
    """Change one bit; a negative position counts from the end."""
    data = bytearray(path.read_bytes())
    data[position] ^= bit
    path.write_bytes(data)


def doctor(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(), ["doctor", "--deep", str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


READS: dict[str, Callable[[EmbeddingStore], object]] = {
    "vectors": lambda store: store.vectors,
    "captions": lambda store: store.captions,
    "flags": lambda store: store.flags,
    "item_ids": lambda store: store.item_ids,
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("position", [-1, 130])
def test_a_flipped_bit_of_a_store(catalogue: Catalogue, name: str, position: int) -> None:
    store = EmbeddingStore.open(catalogue)
    READS[name](store)  # an undamaged file passes
    assert doctor(catalogue.path)[0] == 0
    flip(store.folder / f"{name}.npy", position)
    with pytest.raises(StoreCorruptError, match=r"embed .* --model fake"):
        READS[name](EmbeddingStore.open(catalogue))
    code, output = doctor(catalogue.path)
    assert code == 1
    assert "broken vectors fake" in output


def test_a_flipped_bit_of_index_codes_and_scales(catalogue: Catalogue) -> None:
    store = EmbeddingStore.open(catalogue)
    manifest = build_index(store, kind="int8")
    assert open_index(store) is not None
    assert len(manifest.checksums) == 2
    for name in manifest.checksums:
        path = store.folder / "index" / name
        flip(path, -1)
        with pytest.raises(StoreCorruptError, match="has changed since it was written"):
            open_index(store)
        assert doctor(catalogue.path)[0] == 1
        flip(path, -1)
        assert open_index(store) is not None


def test_a_flipped_bit_of_the_items(catalogue: Catalogue) -> None:
    path = catalogue.path / "items.parquet"
    size = path.stat().st_size
    assert doctor(catalogue.path)[0] == 0
    for position in range(4, size, size // 16):
        flip(path, position)
        code, output = doctor(catalogue.path)
        assert code == 1, position
        assert "broken items" in output
        flip(path, position)
    assert doctor(catalogue.path)[0] == 0


def test_the_cache_of_columns_is_not_believed(catalogue: Catalogue) -> None:
    (cache,) = catalogue.path.glob(".items.*.arrow")
    expected = catalogue.items()["caption"].tolist()
    data = cache.read_bytes()
    cache.write_bytes(data.replace(b"field near river 7", b"ocean near river 7"))
    assert cache.read_bytes() != data
    assert Catalogue.open(catalogue.path).items()["caption"].tolist() == expected
    assert cache.read_bytes() == data  # made again


@pytest.mark.parametrize(
    ("key", "value"), [("dtype", "bfloat16"), ("normalised", False), ("format", 2)]
)
def test_a_manifest_that_cannot_be_right(catalogue: Catalogue, key: str, value: object) -> None:
    path = catalogue.path / "embeddings" / "fake" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(StoreCorruptError, match=str(value)):
        EmbeddingStore.open(catalogue)


def test_items_of_a_newer_format(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terraseek.catalogue.items_file.FORMAT", 2)
    with pytest.raises(CatalogueError, match="format 1, this TerraSeek reads 2"):
        Catalogue.open(catalogue.path)


def test_older_files_without_checksums_are_read(catalogue: Catalogue) -> None:
    store = EmbeddingStore.open(catalogue)
    build_index(store, kind="int8")
    for path in (store.folder / "manifest.json", store.folder / "index" / "manifest.json"):
        value = json.loads(path.read_text())
        value.pop("checksums")
        value.pop("format", None)
        path.write_text(json.dumps(value))
    old = EmbeddingStore.open(catalogue)
    assert np.array_equal(old.vectors, store.vectors)
    assert open_index(old) is not None
    code, output = doctor(catalogue.path)
    assert code == 0
    assert "no checksums" in output


def test_files_of_a_job_killed_before_its_manifest_are_accepted(catalogue: Catalogue) -> None:
    folder = catalogue.path / "embeddings" / "fake"
    manifest = json.loads((folder / "manifest.json").read_text())
    pending = {"count": manifest["count"], "checksums": dict(manifest["checksums"])}
    manifest["checksums"]["vectors"] = ["00000000"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreCorruptError):
        _ = EmbeddingStore.open(catalogue).vectors
    (folder / "pending-checksums.json").write_text(json.dumps(pending))
    assert EmbeddingStore.open(catalogue).vectors.any()


def test_a_compacted_store_has_checksums(catalogue: Catalogue) -> None:
    from terraseek.catalogue.deletion import delete_items

    delete_items(catalogue.path, [catalogue.item_ids[3].decode()])
    compact_catalogue(catalogue.path)
    store = EmbeddingStore.open(Catalogue.open(catalogue.path))
    assert set(store.manifest.checksums) == {"vectors", "captions", "flags"}
    assert doctor(catalogue.path)[0] == 0


def test_blocks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(40 << 20))
    before = block_checksums(tmp_path / "a")
    assert len(before) == 3
    flip(tmp_path / "a", 20 << 20)
    assert damaged_block(block_checksums(tmp_path / "a"), before) == 1
