"""Stores of vectors: creation, resumption, completion, and damaged or mismatched stores."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore, store_names
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import Cancelled, EncoderMismatchError, StoreCorruptError, StoreNotFoundError
from terraseek.search import Searcher


class Counting(FakeEncoder):
    """Counts encoded images."""

    def __init__(self, dim: int = 16) -> None:
        super().__init__(dim)
        self.batch_size = 4
        self.images = 0

    def _encode_image_batch(self, batch):
        self.images += len(batch)
        return super()._encode_image_batch(batch)


def add(folder: Path, out: Path, seeds: range, captions: bool = True) -> Catalogue:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["filename,caption"]
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:03d}.png")
        lines.append(f"{seed:03d}.png,{f'thing {seed}' if captions and seed % 3 else ''}")
    (folder / "items.csv").write_text("\n".join(lines))
    import_source(folder / "items.csv", out)
    return Catalogue.open(out)


def expected(catalogue: Catalogue, encoder: FakeEncoder) -> np.ndarray:
    ids = catalogue.items()["item_id"]
    return encoder.encode_images([catalogue.read_image(key) for key in ids]).astype(np.float16)


def test_vectors_are_those_of_the_encoder_row_by_row(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(11))
    encoder, seen = Counting(), []
    store = embed_catalogue(catalogue, encoder, lambda *step: seen.append(step), chunk_rows=5)
    assert np.array_equal(store.vectors, expected(catalogue, encoder))
    assert store.vectors.dtype == np.float16
    assert np.allclose(np.linalg.norm(store.vectors.astype(float), axis=1), 1, atol=1e-3)
    assert seen[0] == ("embed", 0, 11)
    assert seen[-1] == ("embed", 11, 11)
    captioned = (store.flags & HAS_CAPTION) > 0
    assert captioned.tolist() == [bool(seed % 3) for seed in range(11)]
    assert not store.captions[~captioned].any()
    texts = catalogue.items()["caption"][captioned].tolist()
    assert np.array_equal(store.captions[captioned], encoder.encode_texts(texts).astype(np.float16))
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["encoder_id"] == encoder.encoder_id
    assert (manifest["count"], manifest["dim"], manifest["captioned"]) == (11, 16, 7)
    assert sorted(p.name for p in store.folder.iterdir() if not p.name.startswith(".")) == [
        "captions.npy",
        "flags.npy",
        "item_ids.npy",
        "manifest.json",
        "vectors.npy",
    ]


def test_embedding_again_encodes_nothing_and_new_items_only(tmp_path: Path):
    encoder = Counting()
    embed_catalogue(add(tmp_path / "a", tmp_path / "cat", range(7)), encoder)
    old = Catalogue.open(tmp_path / "cat")
    before = (tmp_path / "cat/embeddings/fake/manifest.json").read_text()
    embed_catalogue(old, encoder)
    assert encoder.images == 7
    assert (tmp_path / "cat/embeddings/fake/manifest.json").read_text() == before
    grown = add(tmp_path / "a", tmp_path / "cat", range(10))
    assert EmbeddingStore.open(grown).count == 7  # the old vectors can still be used
    store = embed_catalogue(grown, encoder)
    assert encoder.images == 10
    assert np.array_equal(store.vectors, expected(grown, FakeEncoder()))


def test_a_cancelled_job_is_resumed(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(12))
    encoder = Counting()

    def stop(stage: str, done: int, total: int) -> None:
        if done >= 8:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        embed_catalogue(catalogue, encoder, stop, chunk_rows=4)
    assert store_names(catalogue) == []
    with pytest.raises(StoreNotFoundError, match="has no vectors of 'fake'"):
        EmbeddingStore.open(catalogue, "fake")
    done = encoder.images
    store = embed_catalogue(catalogue, encoder, chunk_rows=4)
    assert encoder.images <= done + 8  # the first chunk was kept
    assert np.array_equal(store.vectors, expected(catalogue, FakeEncoder()))


def test_a_job_killed_before_merging_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    add(tmp_path / "a", tmp_path / "cat", range(5))
    embed_catalogue(Catalogue.open(tmp_path / "cat"), Counting())
    catalogue = add(tmp_path / "b", tmp_path / "cat", range(5, 12))

    def killed(job: StoreJob, appending: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StoreJob, "_merge", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_catalogue(catalogue, Counting())
    resumed = Counting()
    store = embed_catalogue(catalogue, resumed)
    assert resumed.images == 0
    assert store.count == 12
    assert np.array_equal(store.vectors, expected(catalogue, resumed))


@pytest.mark.parametrize(
    ("name", "content"), [("junk.npz", b"PK junk"), ("empty.npz", b""), (".half.npz", b"")]
)
def test_a_damaged_chunk_is_encoded_again(tmp_path: Path, name: str, content: bytes):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(4))
    parts = tmp_path / "cat" / "embeddings" / "fake" / "parts"
    parts.mkdir(parents=True)
    (parts / name).write_bytes(content)
    store = embed_catalogue(catalogue, Counting())
    assert store.count == 4
    assert not parts.exists()


def test_undecodable_images_are_masked_and_tried_again(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(5))
    good = (tmp_path / "a" / "002.png").read_bytes()
    (tmp_path / "a" / "002.png").write_bytes(b"junk")
    encoder = Counting()
    store = embed_catalogue(catalogue, encoder)
    assert store.manifest.unreadable == 1
    assert (store.flags & HAS_IMAGE).tolist() == [1, 1, 0, 1, 1]
    assert not store.vectors[2].any()
    before = (store.folder / "vectors.npy").stat().st_mtime_ns
    embed_catalogue(catalogue, encoder)
    assert (store.folder / "vectors.npy").stat().st_mtime_ns == before
    (tmp_path / "a" / "002.png").write_bytes(good)
    store = embed_catalogue(catalogue, encoder)
    assert store.manifest.unreadable == 0
    assert np.array_equal(store.vectors, expected(catalogue, FakeEncoder()))


def test_vectors_of_another_version_are_refused_and_replaced(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(4))
    embed_catalogue(catalogue, FakeEncoder(dim=16))
    other = FakeEncoder(dim=24)
    with pytest.raises(EncoderMismatchError, match=r"run `terraseek embed .*cat --model fake`"):
        Searcher(catalogue, other)
    store = embed_catalogue(catalogue, other)
    assert store.vectors.shape == (4, 24)
    assert Searcher(catalogue, other).store.encoder_id == other.encoder_id


def test_a_store_of_other_items_is_refused_and_reused_by_id(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(6))
    encoder = Counting()
    embed_catalogue(catalogue, encoder)
    (tmp_path / "cat" / "items.parquet").unlink()
    (tmp_path / "cat" / "catalogue.json").unlink()
    rows = (tmp_path / "a" / "items.csv").read_text().splitlines()
    (tmp_path / "a" / "items.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]))
    import_source(tmp_path / "a" / "items.csv", tmp_path / "cat")
    rebuilt = Catalogue.open(tmp_path / "cat")
    with pytest.raises(StoreCorruptError, match="other items than the catalogue"):
        EmbeddingStore.open(rebuilt)
    store = embed_catalogue(rebuilt, encoder)
    assert encoder.images == 6
    assert np.array_equal(store.vectors, expected(rebuilt, FakeEncoder()))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("vectors.npy", b"", "cannot be read"),
        ("manifest.json", b"{", "damaged"),
        ("manifest.json", b'{"model": "fake"}', "damaged"),
        ("flags.npy", None, "cannot be read"),
    ],
)
def test_damaged_files_are_refused_and_embedding_repairs_them(
    tmp_path: Path, name: str, data: bytes | None, message: str
):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(4))
    store = embed_catalogue(catalogue, FakeEncoder())
    path = store.folder / name
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(StoreCorruptError, match=message):
        EmbeddingStore.open(catalogue)
    assert embed_catalogue(catalogue, FakeEncoder()).count == 4


def test_several_stores_need_a_name(tmp_path: Path):
    catalogue = add(tmp_path / "a", tmp_path / "cat", range(2))
    with pytest.raises(StoreNotFoundError, match="has no vectors yet; run `terraseek embed"):
        EmbeddingStore.open(catalogue)
    one, two = FakeEncoder(), FakeEncoder()
    two.name, two.encoder_id = "other", "other@0123456789ab"
    embed_catalogue(catalogue, one)
    assert EmbeddingStore.open(catalogue).manifest.model == "fake"
    embed_catalogue(catalogue, two)
    assert store_names(catalogue) == ["fake", "other"]
    with pytest.raises(StoreNotFoundError, match="vectors of fake, other; choose one"):
        EmbeddingStore.open(catalogue)
    assert EmbeddingStore.open(catalogue, "other").encoder_id == "other@0123456789ab"
