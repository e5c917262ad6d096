"""Checks of every stored byte of a catalogue: items, vectors and indexes."""

from collections.abc import Iterator
from pathlib import Path

from terraseek.catalogue import Catalogue
from terraseek.catalogue.items_file import read_items, verify_items
from terraseek.commands.checks import Check
from terraseek.embeddings.store import EmbeddingStore, store_names
from terraseek.errors import CatalogueNotFoundError, TerraSeekError
from terraseek.index.engine_index import read_rows
from terraseek.index.manifest import IndexManifest

__all__ = ["deep_checks"]


def deep_checks(path: Path) -> Iterator[Check]:
    """Read a whole catalogue and compare it with its checksums.

    Raises:
        CatalogueNotFoundError: there is no catalogue at this path.
    """
    try:
        catalogue = Catalogue.open(path)
        verify_items(catalogue.path)
        items = read_items(catalogue.path)
    except CatalogueNotFoundError:
        raise
    except TerraSeekError as error:
        yield Check("items", "broken", str(error), "restore items.parquet from a backup")
        return
    yield Check("items", "ok", f"{len(items)} rows")
    for name in store_names(catalogue):
        try:
            store = EmbeddingStore.open(catalogue, name)
            yield _vectors(store)
            for view in (store, *map(store.text_store, store.text_kinds)):
                yield from _index(view)
        except TerraSeekError as error:
            yield Check(f"vectors {name}", "broken", str(error), "see the message")


def _vectors(store: EmbeddingStore) -> Check:
    name = f"vectors {store.manifest.model}"
    if not store.manifest.checksums:
        return Check(name, "warn", "no checksums", "they are written by the next change")
    for array in store.manifest.checksums:
        store.verify(array)
    return Check(name, "ok", f"{store.count} rows of {', '.join(store.manifest.checksums)}")


def _index(store: EmbeddingStore) -> Iterator[Check]:
    name = f"{store.index_name} {store.manifest.model}"
    manifest = IndexManifest.read(store)
    if manifest is None:
        return
    manifest.verify(store, all_files=True)
    if manifest.file and not manifest.checksums:
        yield Check(name, "warn", "no checksums", "they are written when it is built again")
    else:
        yield Check(name, "ok", f"{manifest.kind}, {manifest.count} rows")
    if manifest.collection:
        yield _collection(name, store, manifest)


def _collection(name: str, store: EmbeddingStore, manifest: IndexManifest) -> Check:
    """Compare the number of rows in a vector database with that of the index."""
    from terraseek.engines.qdrant import QdrantEngine

    wanted = int((read_rows(store, manifest) != 0).sum())
    try:
        found = QdrantEngine(manifest.collection).count()
    except TerraSeekError as error:
        return Check(f"{name} collection", "warn", str(error), "searches scan the stored vectors")
    shown = f"{manifest.collection}, {found} rows"
    if found == wanted:
        return Check(f"{name} collection", "ok", shown)
    advice = f"it should have {wanted}; delete the collection and build the index again"
    return Check(f"{name} collection", "broken", shown, advice)
