"""Copy of a store's vectors in a vector database: what has changed since the last copy is sent.

If the job is killed, the rows that it was about to send are scored exactly until the next one.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.checksums import block_checksums
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore, store_names
from terraseek.engines.payload import payload_hashes, payloads
from terraseek.engines.qdrant import QdrantEngine
from terraseek.errors import EngineError, StoreError
from terraseek.files import atomic_path, write_json
from terraseek.index.build import TARGET_RECALL
from terraseek.index.engine_index import Collection, EngineIndex, read_rows
from terraseek.index.manifest import INDEX_MANIFEST, IndexManifest, index_folder, rows_digest
from terraseek.index.recall import recall_at_10, recall_queries, tenth_best_scores
from terraseek.index.scoring import Matrix
from terraseek.progress import Progress, silent

__all__ = ["build_engine_index", "collections_of", "drop_collection", "drop_collections"]

_BLOCK = 4096
_EFFORTS = (64, 128, 256, 512, 1024, 2048)


def build_engine_index(
    store: EmbeddingStore, catalogue: Catalogue, progress: Progress = silent
) -> IndexManifest:
    """Bring the collection of a store in Qdrant up to date, or create it.

    Rows that are new, or whose values have changed, are sent; rows of deleted items are deleted.
    The recall of the graph is then measured, as by `build.build_index`.

    Args:
        store: the vectors.
        catalogue: of its items.
        progress: called with the stages `index` and `measure`.

    Raises:
        ConfigError: no address of the server is set.
        MissingExtraError: `qdrant-client` is not installed.
        EngineError: the server cannot be reached, or refuses a request.
        CatalogueError: another process is building the same index.
        StoreError: there are no vectors.
        Cancelled: the callback asked to stop.
    """
    began = time.perf_counter()
    if not (store.flags & HAS_IMAGE).any():
        raise StoreError(f"{store.folder} has no vectors to index; embed pictures first")
    folder = index_folder(store)
    with exclusive(folder):
        old = _usable_manifest(store)
        hashes = np.zeros(store.count, np.uint64)
        if old is None:
            engine = QdrantEngine(_new_name(store, catalogue))
            engine.create(store.manifest.dim)
        else:
            engine = QdrantEngine(old.collection)
            hashes[: old.count] = read_rows(store, old)
        wanted = payload_hashes(catalogue, store.count)
        wanted[((store.flags & HAS_IMAGE) == 0) | ~catalogue.active[: store.count]] = 0
        manifest = _manifest(store, engine.name)
        manifest = _write(folder, manifest, np.where(hashes == wanted, hashes, np.uint64(0)))
        _send(engine, store, catalogue, hashes, wanted, progress)
        _check_count(engine, int((wanted != 0).sum()))
        manifest = _write(folder, manifest, wanted)
        engine.wait()
        collection = Collection(engine, wanted, catalogue)
        manifest = _tune(store, wanted, EngineIndex(collection, manifest), progress)
        manifest = replace(manifest, build_s=round(time.perf_counter() - began, 3))
        write_json(folder / INDEX_MANIFEST, manifest.to_json())
        for path in folder.iterdir():
            if path.suffix in (".npy", ".faiss") and path.name != manifest.file:
                path.unlink()
    return manifest


def _usable_manifest(store: EmbeddingStore) -> IndexManifest | None:
    """Manifest of an index of the same rows whose collection exists; None to make a new one."""
    try:
        found = IndexManifest.read(store)
        if found is None or not found.collection:
            return None
        return found if QdrantEngine(found.collection).exists() else None
    except EngineError:
        raise
    except StoreError:
        return None


def _new_name(store: EmbeddingStore, catalogue: Catalogue) -> str:
    parts = (catalogue.name, store.manifest.model, store.index_name, os.urandom(4).hex())
    letters = (c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in "-".join(parts))
    return "".join(letters)


def _manifest(store: EmbeddingStore, collection: str) -> IndexManifest:
    return IndexManifest(
        kind="qdrant",
        reason="requested",
        factory="",
        file="",
        encoder_id=store.encoder_id,
        dim=store.manifest.dim,
        count=store.count,
        rows_sha256=rows_digest(store, store.count),
        memory_bytes=0,
        error=0.0,
        effort=_EFFORTS[0],
        shortlist=0,
        recall_at_10={},
        queries=0,
        build_s=0.0,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        collection=collection,
    )


def _write(
    folder: Path, manifest: IndexManifest, hashes: UInt64[np.ndarray, " count"]
) -> IndexManifest:
    """Write the hashes of the rows under a new name, and the manifest that refers to them."""
    path = folder / f"rows-{os.urandom(4).hex()}.npy"
    with atomic_path(path) as part, part.open("wb") as file:
        np.save(file, hashes, allow_pickle=False)
    sums = {path.name: block_checksums(path)}
    manifest = replace(manifest, file=path.name, checksums=sums)
    write_json(folder / INDEX_MANIFEST, manifest.to_json())
    return manifest


def _send(
    engine: QdrantEngine,
    store: EmbeddingStore,
    catalogue: Catalogue,
    have: UInt64[np.ndarray, " count"],
    wanted: UInt64[np.ndarray, " count"],
    progress: Progress,
) -> None:
    gone = np.flatnonzero((have != 0) & (wanted == 0)).astype(np.int64)
    engine.delete(gone)
    rows = np.flatnonzero((wanted != 0) & (wanted != have)).astype(np.int64)
    for start in range(0, len(rows), _BLOCK):
        part: Int64[np.ndarray, " m"] = rows[start : start + _BLOCK]
        engine.upsert(part, store.vectors[part], payloads(catalogue, part))
        progress("index", start + len(part), len(rows))


def _check_count(engine: QdrantEngine, wanted: int) -> None:
    if (found := engine.count()) != wanted:
        raise EngineError(
            f"the collection {engine.name} has {found:,} rows instead of {wanted:,}: something "
            "else has changed it; delete it and build the index again"
        )


def drop_collection(store: EmbeddingStore) -> str:
    """Delete the collection of a store's index, if it has one that the server still has.

    Returns:
        Its name; empty if there was none.

    Raises:
        ConfigError: no address of the server is set.
        MissingExtraError: `qdrant-client` is not installed.
        EngineError: the server cannot be reached.
    """
    found = _usable_manifest(store)
    if found is None:
        return ""
    QdrantEngine(found.collection).drop()
    return found.collection


def collections_of(catalogue: Catalogue) -> dict[str, list[str]]:
    """Collections of the indexes of each model's vectors, without asking the server."""
    found: dict[str, list[str]] = {}
    for model in store_names(catalogue):
        with suppress(StoreError):
            store = EmbeddingStore.open(catalogue, model)
            kinds = [store, *(store.text_store(kind) for kind in store.text_kinds)]
            manifests = [IndexManifest.read(kind) for kind in kinds]
            found[model] = [m.collection for m in manifests if m is not None and m.collection]
    return found


def drop_collections(names: Sequence[str]) -> None:
    """Delete collections by name; one that the server no longer has is ignored.

    Raises:
        ConfigError: no address of the server is set.
        MissingExtraError: `qdrant-client` is not installed.
        EngineError: the server cannot be reached.
    """
    for name in names:
        if (engine := QdrantEngine(name)).exists():
            engine.drop()


def _tune(
    store: EmbeddingStore,
    hashes: UInt64[np.ndarray, " count"],
    index: EngineIndex,
    progress: Progress,
) -> IndexManifest:
    """Find the smallest effort that reaches the target recall, or the largest there is."""
    usable = np.flatnonzero(hashes).astype(np.int64)
    groups = recall_queries(store, usable)
    matrix = Matrix(store.vectors, resident=False)
    truth = {name: tenth_best_scores(store.vectors, usable, q) for name, q in groups.items()}
    for number, effort in enumerate(_EFFORTS):
        progress("measure", number, len(_EFFORTS))
        index.manifest = replace(index.manifest, effort=effort)
        recall = {
            name: recall_at_10(index, matrix, queries, truth[name])
            for name, queries in groups.items()
        }
        if min(recall.values()) >= TARGET_RECALL:
            break
    progress("measure", len(_EFFORTS), len(_EFFORTS))
    rounded = {name: round(value, 4) for name, value in recall.items()}
    queries = sum(len(group.self_rows) for group in groups.values())
    return replace(index.manifest, recall_at_10=rounded, queries=queries)
