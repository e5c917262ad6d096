"""Encode a catalogue: pictures are decoded ahead by threads of their own while the encoder works.

Work is kept in parts of some thousand rows, each written whole; a job that was killed goes on after
the last part. The store itself changes only at the end.
"""

import logging
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float16, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.encoders.base import Encoder
from terraseek.errors import CatalogueError, SceneError, StoreError
from terraseek.files import atomic_path, write_json
from terraseek.progress import Progress, silent
from terraseek.search.store import (
    HAS_CAPTION,
    HAS_IMAGE,
    EmbeddingStore,
    Manifest,
    hash_ids,
    store_folder,
    weights_of,
)

__all__ = ["decoded", "embed_catalogue"]

_log = logging.getLogger(__name__)
_AHEAD = 4
_FILES = ("vectors", "captions", "flags", "item_ids")


@dataclass(frozen=True)
class _Piece:
    """Finished rows, in any order."""

    item_ids: np.ndarray
    vectors: Float16[np.ndarray, "n dim"]
    captions: Float16[np.ndarray, "n dim"]
    flags: UInt8[np.ndarray, " n"]


def embed_catalogue(
    catalogue: Catalogue,
    encoder: Encoder,
    progress: Progress = silent,
    *,
    part_rows: int = 2048,
    workers: int | None = None,
) -> EmbeddingStore:
    """Make or complete the store of an encoder; only items without a vector are encoded.

    Pictures that cannot be decoded get a zero row without `HAS_IMAGE`, are named in the log and
    tried again next time.

    Args:
        catalogue: whose items.
        encoder: what encodes them.
        progress: called with the stage `embed`.
        part_rows: rows after which work is kept.
        workers: threads that decode; one a core without it, two at least.

    Raises:
        CatalogueError: another process is embedding the same.
        Cancelled: the callback asked to stop; finished parts are kept.
    """
    folder = store_folder(catalogue, encoder.name)
    with exclusive(folder):
        job = _Job(catalogue, encoder, folder, progress)
        missing = job.missing()
        progress("embed", catalogue.count - len(missing), catalogue.count)
        with closing(decoded(catalogue, encoder, missing, workers)) as squares:
            for start in range(0, len(missing), part_rows):
                job.encode(missing[start : start + part_rows], squares)
        job.finish()
    # a picture that failed is counted here, too
    progress("embed", catalogue.count, catalogue.count)
    return EmbeddingStore.open(catalogue, encoder.encoder_id)


def decoded(
    catalogue: Catalogue, encoder: Encoder, rows: Int64[np.ndarray, " m"], workers: int | None
) -> Generator[UInt8[np.ndarray, "side side 3"] | None]:
    """Pictures of some rows as the encoder's squares, in order; None for one that is damaged.

    Decoding runs ahead of whoever takes them, by a few batches, and never waits for a part to be
    written.
    """
    ids = catalogue.item_ids

    def square(row: int) -> UInt8[np.ndarray, "side side 3"] | None:
        key = ids[row].decode()
        try:
            return encoder.fit(catalogue.read_image(key))
        except (SceneError, CatalogueError, OSError) as error:
            _log.warning("item %s has no vector: %s", key, error)
            return None

    pool = ThreadPoolExecutor(workers or max(2, os.cpu_count() or 2), "decode")
    try:
        waiting: deque[Future[UInt8[np.ndarray, "side side 3"] | None]] = deque()
        for row in rows.tolist():
            waiting.append(pool.submit(square, row))
            if len(waiting) > _AHEAD * encoder.batch_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Job:
    def __init__(
        self, catalogue: Catalogue, encoder: Encoder, folder: Path, progress: Progress
    ) -> None:
        self.catalogue, self.encoder, self.folder = catalogue, encoder, folder
        self.progress = progress
        self.parts = folder / "parts"
        self.ids = catalogue.item_ids
        self._order = np.argsort(self.ids, kind="stable")
        self._captions = catalogue.texts()
        self._store = _usable(folder, encoder)
        self._tried = np.zeros(len(self.ids), bool)
        self._done = 0
        self._changed = False

    def _rows_of(self, ids: np.ndarray) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
        """Which of `ids` the catalogue has, and the rows they have there."""
        if not len(ids):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids, sorter=self._order), len(self.ids) - 1)
        rows = self._order[at]
        known = np.flatnonzero(self.ids[rows] == ids)
        return known, rows[known]

    def _pieces(self) -> Iterator[_Piece]:
        """Everything finished: the store, then the parts, later ones winning."""
        if self._store is not None:
            store = self._store
            yield _Piece(store.item_ids, store.vectors, store.captions, store.flags)
        for path in sorted(self.parts.glob("[!.]*.npz")):
            piece = _read_part(path, self.encoder.encoder_id)
            if piece is not None:
                yield piece

    def missing(self) -> Int64[np.ndarray, " m"]:
        """Rows without a picture vector, those that failed before among them."""
        have = np.zeros(len(self.ids), bool)
        for piece in self._pieces():
            known, rows = self._rows_of(piece.item_ids)
            have[rows] |= (piece.flags[known] & HAS_IMAGE) > 0
            self._tried[rows] = True
        self._done = int(have.sum())
        return np.flatnonzero(~have & self.catalogue.alive).astype(np.int64)

    def encode(
        self,
        rows: Int64[np.ndarray, " m"],
        squares: Iterator[UInt8[np.ndarray, "side side 3"] | None],
    ) -> None:
        """Encode some rows, whose pictures come next, and keep them as a part."""
        dim, size = self.encoder.dim, self.encoder.batch_size
        vectors = np.zeros((len(rows), dim), np.float16)
        flags = np.zeros(len(rows), np.uint8)
        for start in range(0, len(rows), size):
            batch = list(islice(squares, min(size, len(rows) - start)))
            places = [start + at for at, square in enumerate(batch) if square is not None]
            if places:
                seen = np.stack([square for square in batch if square is not None])
                vectors[places] = self.encoder.encode_squares(seen).astype(np.float16)
                flags[places] |= HAS_IMAGE
            self._done += len(batch)
            self.progress("embed", min(self._done, len(self.ids)), len(self.ids))
        captions = np.zeros((len(rows), dim), np.float16)
        texts = [self._captions[row] for row in rows]
        worded = np.array([bool(text.strip()) for text in texts])
        unique = list(dict.fromkeys(text for text in texts if text.strip()))
        if unique:
            encoded = dict(zip(unique, self.encoder.encode_texts(unique), strict=True))
            captions[worded] = [encoded[text] for text in texts if text.strip()]
        flags[worded] |= HAS_CAPTION
        self._keep(rows, _Piece(self.ids[rows], vectors, captions, flags))

    def _keep(self, rows: Int64[np.ndarray, " m"], piece: _Piece) -> None:
        path = self.parts / f"{hash_ids(piece.item_ids)[:16]}.npz"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                encoder_id=np.array(self.encoder.encoder_id),
                item_ids=piece.item_ids,
                vectors=piece.vectors,
                captions=piece.captions,
                flags=piece.flags,
            )
        self._changed |= bool((piece.flags & HAS_IMAGE).any() or not self._tried[rows].all())

    def finish(self) -> None:
        """Put everything finished into the store's files and drop the parts."""
        appending = self._store is not None and _covers(self._store, self.ids)
        if self._changed or not appending:
            self._assemble(appending)
        for path in self.parts.glob("*"):
            path.unlink()
        if self.parts.exists():
            self.parts.rmdir()

    def _assemble(self, appending: bool) -> None:
        count, dim = len(self.ids), self.encoder.dim
        with ExitStack() as stack:
            paths = {
                name: stack.enter_context(atomic_path(self.folder / f"{name}.npy"))
                for name in _FILES
            }
            vectors = _new(paths["vectors"], (count, dim), np.float16)
            captions = _new(paths["captions"], (count, dim), np.float16)
            flags = np.zeros(count, np.uint8)
            for piece in self._pieces():
                known, rows = self._rows_of(piece.item_ids)
                better = piece.flags[known] >= flags[rows]
                known, rows = known[better], rows[better]
                vectors[rows], captions[rows] = piece.vectors[known], piece.captions[known]
                flags[rows] = piece.flags[known]
            vectors.flush()
            captions.flush()
            _save(paths["flags"], flags)
            _save(paths["item_ids"], self.ids)
            if not appending:
                # rows move or the encoder changed: the old manifest must not meet the new files
                (self.folder / "manifest.json").unlink(missing_ok=True)
        write_json(self.folder / "manifest.json", self._manifest(flags).to_json())

    def _manifest(self, flags: UInt8[np.ndarray, " n"]) -> Manifest:
        sha256, preprocessing = weights_of(self.encoder)
        return Manifest(
            model=self.encoder.name,
            encoder_id=self.encoder.encoder_id,
            weights_sha256=sha256,
            preprocessing=preprocessing,
            dim=self.encoder.dim,
            dtype="float16",
            normalised=True,
            count=len(self.ids),
            unreadable=int(((flags & HAS_IMAGE) == 0).sum()),
            captioned=int(((flags & HAS_CAPTION) > 0).sum()),
            item_ids_sha256=hash_ids(self.ids),
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def _usable(folder: Path, encoder: Encoder) -> EmbeddingStore | None:
    """The store in a folder, if it is of this encoder and whole."""
    try:
        store = EmbeddingStore.read(folder)
        store.refuse_other(encoder.encoder_id)
    except StoreError:
        return None
    return store


def _covers(store: EmbeddingStore, ids: np.ndarray) -> bool:
    """Whether the store's rows are the first of `ids`, so that new rows can be appended."""
    return store.manifest.item_ids_sha256 == hash_ids(ids[: store.count])


def _read_part(path: Path, encoder_id: str) -> _Piece | None:
    """A finished part, or None if it is another encoder's or damaged; it is made again then."""
    try:
        with np.load(path, allow_pickle=False) as part:
            if str(part["encoder_id"]) != encoder_id:
                return None
            return _Piece(part["item_ids"], part["vectors"], part["captions"], part["flags"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        _log.warning("part %s is damaged and is made again", path)
        return None


def _new(path: Path, shape: tuple[int, int], dtype: type[np.float16]) -> Any:  # noqa: ANN401
    """A zero-filled `.npy` mapped for writing."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
