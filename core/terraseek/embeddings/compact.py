"""Remove deleted rows permanently, from the items and from all stores of vectors.

First the new stores are written beside the old ones; then one rename replaces the items, which
commits the change; then the stores are exchanged. A job that is killed before the commit changes
nothing; after it, the next run finishes the exchange.
"""

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from terraseek.catalogue import Catalogue
from terraseek.catalogue.importing.writing.rewrite import keep_rows
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.mapped_files import create_array, require_space
from terraseek.embeddings.store import (
    HAS_CAPTION,
    HAS_IMAGE,
    HAS_METADATA,
    EmbeddingStore,
    array_checksums,
    hash_ids,
    store_folder,
    store_names,
)
from terraseek.errors import CatalogueError, StoreError
from terraseek.files import fsync_folder, write_json
from terraseek.progress import Progress, silent

__all__ = ["Compaction", "compact_catalogue", "finish_killed_compaction"]

_WORK = ".compact"
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Compaction:
    """Result of a compaction."""

    dropped: int
    """Number of removed rows."""
    stores: tuple[str, ...]
    """Models whose vectors were compacted; their indexes have to be built again."""
    unusable: tuple[str, ...]
    """Models whose vectors did not match the items and were not changed; `terraseek embed` repairs
    them."""


def compact_catalogue(path: str | Path, progress: Progress = silent) -> Compaction:
    """Remove deleted items permanently; the others keep their ids and their order.

    Raises:
        CatalogueNotFoundError: there is no catalogue at this path.
        CatalogueError: another process is changing it, or its vectors.
    """
    folder = Path(path).absolute()
    Catalogue.open(folder)
    with ExitStack() as locks:
        locks.enter_context(exclusive(folder))
        _finish(folder)
        catalogue = Catalogue.open(folder)
        for name in store_names(catalogue):
            locks.enter_context(exclusive(store_folder(catalogue, name)))
        kept = np.flatnonzero(catalogue.active).astype(np.int64)
        dropped = catalogue.row_count - len(kept)
        if not dropped:
            return Compaction(0, (), ())
        moved: list[str] = []
        unusable: list[str] = []
        try:
            for number, name in enumerate(store_names(catalogue)):
                progress("compact", number, len(store_names(catalogue)))
                (moved if _prepare(catalogue, name, kept) else unusable).append(name)
        except BaseException:  # before the commit; a disk that is full must not stay full
            shutil.rmtree(folder / _WORK, ignore_errors=True)
            raise
        keep_rows(folder, catalogue.active)
        _finish(folder)
        return Compaction(dropped, tuple(moved), tuple(unusable))


def finish_killed_compaction(catalogue: Catalogue) -> None:
    """Finish or undo a compaction that was killed, so that its copies of vectors do not stay.

    Nothing is done while another process changes the catalogue or one of its stores.
    """
    if not (catalogue.path / _WORK).is_dir():
        return
    with ExitStack() as locks:
        try:
            locks.enter_context(exclusive(catalogue.path))
            for name in store_names(catalogue):
                locks.enter_context(exclusive(store_folder(catalogue, name)))
        except CatalogueError:
            return
        _finish(catalogue.path)


def _prepare(catalogue: Catalogue, name: str, kept: Int64[np.ndarray, " k"]) -> bool:
    """Write the compacted store; False if the store does not match the catalogue."""
    try:
        store = EmbeddingStore.open(catalogue, name)
    except StoreError:
        return False
    rows = kept[kept < store.count]
    arrays = 2 if store.metadata is None else 3
    size = arrays * len(rows) * store.manifest.dim * store.vectors.itemsize
    require_space(catalogue.path, size, f"the compacted store of {name}")
    work = catalogue.path / _WORK / name
    work.mkdir(parents=True, exist_ok=True)
    (work / "manifest.json").unlink(missing_ok=True)
    for part in store.manifest.checksums:  # damaged vectors would get new checksums
        store.verify(part)
    for part, array in (
        ("vectors", store.vectors),
        ("captions", store.captions),
        ("metadata", store.metadata),
    ):
        if array is not None:
            _copy_rows(work / f"{part}.npy", array, rows)
    flags, ids = store.flags[rows], store.item_ids[rows]
    for part, values in (("flags", flags), ("item_ids", ids)):
        with (work / f"{part}.npy").open("wb") as file:
            np.save(file, values, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    manifest = replace(
        store.manifest,
        count=len(rows),
        unreadable=int(((flags & HAS_IMAGE) == 0).sum()),
        captioned=int(((flags & HAS_CAPTION) > 0).sum()),
        item_ids_sha256=hash_ids(ids),
        described=int(((flags & HAS_METADATA) > 0).sum()),
        checksums={
            path.stem: array_checksums(path, len(rows))
            for path in sorted(work.glob("*.npy"))
            if path.stem != "item_ids"
        },
    )
    write_json(work / "manifest.json", manifest.to_json())
    return True


def _copy_rows(path: Path, array: np.ndarray, rows: Int64[np.ndarray, " k"]) -> None:
    out = create_array(path, (len(rows), array.shape[1]), array.dtype)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        out[start : start + len(part)] = array[part]
    out.flush()
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _finish(folder: Path) -> None:
    """Exchange prepared stores that match the current items, and delete the others."""
    work = folder / _WORK
    if not work.is_dir():
        return
    catalogue = Catalogue.open(folder)
    for prepared in sorted(path for path in work.iterdir() if not path.name.startswith(".")):
        if not _matches(catalogue, folder / "embeddings" / prepared.name) and _matches(
            catalogue, prepared
        ):
            _exchange(prepared, folder / "embeddings" / prepared.name)
    shutil.rmtree(work)


def _matches(catalogue: Catalogue, path: Path) -> bool:
    """Whether a folder has an undamaged store of the first rows of a catalogue."""
    try:
        store = EmbeddingStore.read(path)
    except StoreError:
        return False
    return store.manifest.item_ids_sha256 == hash_ids(catalogue.item_ids[: store.count])


def _exchange(prepared: Path, target: Path) -> None:
    """Replace a store by two renames; if killed between them, `_finish` does the second later."""
    if target.exists():
        os.replace(target, prepared.with_name(f".{prepared.name}.old"))
    target.parent.mkdir(exist_ok=True)
    os.replace(prepared, target)
    fsync_folder(target.parent)
