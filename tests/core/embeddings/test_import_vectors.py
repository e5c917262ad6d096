"""Import of vectors that a source contains: checks, resumption and search."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.import_vectors import import_vectors
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError, EncoderMismatchError, StoreError, UnknownModelError
from terraseek.search import Query, Searcher

DIM = FakeEncoder().dim
COLOURS = ((200, 20, 20), (20, 200, 20), (20, 20, 200), (240, 240, 240))


def squares() -> np.ndarray:
    return np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in COLOURS])


def clip_folder(folder: Path, images: bool = True, texts: bool = True) -> Path:
    """Two parts of two items each; vectors are those of the fake encoder, of any length."""
    for kind in ("metadata", "img_emb", "text_emb"):
        (folder / kind).mkdir(parents=True)
    encoder = FakeEncoder()
    seen, words = encoder.encode_squares(squares()), ["red", "green", "blue", "bright"]
    for part in range(2):
        rows = slice(2 * part, 2 * part + 2)
        names = [f"{row}.png" for row in range(4)][rows]
        if images:
            for name, colour in zip(names, COLOURS[rows], strict=True):
                Image.new("RGB", (32, 32), colour).save(folder / name)
        frame = pd.DataFrame({"image_path": names, "caption": words[rows]})
        frame.to_parquet(folder / f"metadata/metadata_{part}.parquet")
        np.save(folder / f"img_emb/img_emb_{part}.npy", (seen[rows] * 7).astype(np.float16))
        if texts:
            said = encoder.encode_texts(words[rows]).astype(np.float16)
            np.save(folder / f"text_emb/text_emb_{part}.npy", said)
    return folder


def test_imported_vectors_are_those_of_embedding(tmp_path: Path):
    import_source(clip_folder(tmp_path / "clips"), tmp_path / "cat")
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder()
    imported = import_vectors(catalogue, encoder)
    assert (imported.images, imported.captions, imported.n_invalid) == (4, 4, 0)
    vectors = np.array(imported.store.vectors, np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-3)
    assert vectors == pytest.approx(encoder.encode_squares(squares()), abs=2e-3)
    hits = Searcher(catalogue, encoder).search(Query(text="blue", alpha=0.5), 4).hits
    assert hits[0].caption == "blue"
    assert hits[0].matched_by is not None
    before = {path.name: path.read_bytes() for path in imported.store.folder.glob("*.npy")}
    repeated = import_vectors(catalogue, encoder)
    assert (repeated.images, repeated.captions) == (0, 0)
    assert before == {path.name: path.read_bytes() for path in repeated.store.folder.glob("*.npy")}
    for path in (tmp_path / "clips").glob("*.png"):
        path.unlink()
    assert embed_catalogue(catalogue, encoder).manifest.unreadable == 0  # no image is read


def test_captions_without_vectors_are_encoded_by_embed(tmp_path: Path):
    import_source(clip_folder(tmp_path / "clips", texts=False), tmp_path / "cat")
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder()
    assert import_vectors(catalogue, encoder).store.flags.tolist() == [HAS_IMAGE] * 4
    store = embed_catalogue(catalogue, encoder)
    assert store.flags.tolist() == [HAS_IMAGE | HAS_CAPTION] * 4


def test_a_killed_import_is_finished_by_embed(tmp_path: Path, monkeypatch):
    import_source(clip_folder(tmp_path / "clips", texts=False), tmp_path / "cat")
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder()

    def killed(job: StoreJob) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StoreJob, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        import_vectors(catalogue, encoder)
    monkeypatch.undo()
    for path in (tmp_path / "clips").glob("*.png"):
        path.unlink()
    # the captions of the same rows are a separate chunk
    store = embed_catalogue(catalogue, encoder)
    assert store.flags.tolist() == [HAS_IMAGE | HAS_CAPTION] * 4
    assert np.asarray(store.vectors, np.float32) == pytest.approx(
        encoder.encode_squares(squares()), abs=2e-3
    )


def test_items_that_have_a_vector_keep_it(tmp_path: Path):
    import_source(clip_folder(tmp_path / "clips"), tmp_path / "cat")
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder()
    vectors = np.array(embed_catalogue(catalogue, encoder).vectors)
    for path in (tmp_path / "clips/img_emb").glob("*.npy"):
        np.save(path, -np.load(path))
    assert import_vectors(catalogue, encoder).images == 0
    assert np.array_equal(EmbeddingStore.open(catalogue).vectors, vectors)


def test_invalid_vectors_are_skipped_and_counted(tmp_path: Path):
    folder = clip_folder(tmp_path / "clips")
    bad = np.load(folder / "img_emb/img_emb_1.npy")
    bad[0], bad[1, 3] = 0, np.nan
    np.save(folder / "img_emb/img_emb_1.npy", bad)
    import_source(folder, tmp_path / "cat")
    imported = import_vectors(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    assert (imported.images, imported.n_invalid) == (2, 2)
    assert (imported.store.flags & HAS_IMAGE).tolist() == [1, 1, 0, 0]
    assert not np.asarray(imported.store.vectors[2:]).any()


def test_major_tom_vectors_are_taken_from_the_table(tmp_path: Path):
    path = tmp_path / "part.parquet"
    vectors = FakeEncoder().encode_squares(squares())
    pd.DataFrame(
        {
            "unique_id": [f"u{row}" for row in range(4)],
            "embedding": [list(vector) for vector in vectors],
            "grid_cell": ["922D_249L"] * 4,
            "centre_lat": [1.0, 2.0, 3.0, 4.0],
            "centre_lon": [1.0, 2.0, 3.0, 4.0],
        }
    ).to_parquet(path)
    command = ["import", str(path), "--out", str(tmp_path / "cat"), "--encoder", "fake"]
    answer = CliRunner().invoke(build_app(), command)
    assert answer.exit_code == 0, answer.output
    assert "4 vectors of images and 0 of captions imported as those of fake@" in answer.stderr
    hits = Searcher(Catalogue.open(tmp_path / "cat"), FakeEncoder()).search(Query(text="green"), 1)
    assert (hits.hits[0].lon, hits.hits[0].lat) == (2.0, 2.0)


def test_vectors_that_do_not_match_are_refused_and_nothing_is_imported(tmp_path: Path):
    folder = clip_folder(tmp_path / "clips")
    import_source(folder, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    with pytest.raises(EncoderMismatchError, match=f"are 2 x {DIM}, those of fake have 20 numbers"):
        import_vectors(catalogue, FakeEncoder(20))
    good = np.load(folder / "img_emb/img_emb_1.npy")
    for bad, message in (
        (good[:, :5], "are 2 x 5, those of fake have"),
        (good[0], f"are {DIM}, those of fake have"),
    ):
        np.save(folder / "img_emb/img_emb_1.npy", bad)
        with pytest.raises(EncoderMismatchError, match=message):
            import_vectors(catalogue, FakeEncoder())
    np.save(folder / "img_emb/img_emb_1.npy", good[:1])
    with pytest.raises(StoreError, match="has 1 vectors, not 2"):
        import_vectors(catalogue, FakeEncoder())
    (folder / "img_emb/img_emb_1.npy").write_bytes(b"junk")
    with pytest.raises(StoreError, match="cannot be read"):
        import_vectors(catalogue, FakeEncoder())
    (folder / "img_emb/img_emb_1.npy").unlink()
    with pytest.raises(StoreError, match="put the file back"):
        import_vectors(catalogue, FakeEncoder())
    assert not (tmp_path / "cat/embeddings/fake/manifest.json").exists()


def test_sources_without_vectors_and_unknown_encoders_are_refused(tmp_path: Path):
    (tmp_path / "pics").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pics/a.png")
    import_source(tmp_path / "pics", tmp_path / "cat")
    with pytest.raises(StoreError, match="no item of cat refers to a vector file"):
        import_vectors(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    for source, encoder, error, message in (
        (tmp_path / "pics", "fake", ConfigError, "pics is read as folder and has none"),
        (clip_folder(tmp_path / "clips"), "nobody", UnknownModelError, "nobody"),
    ):
        command = ["import", str(source), "--out", str(tmp_path / "other"), "--encoder", encoder]
        with pytest.raises(error, match=message):
            CliRunner().invoke(build_app(), command, catch_exceptions=False)
        assert not (tmp_path / "other").exists()
