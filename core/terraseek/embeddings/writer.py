"""Work on a store: finished rows are kept in parts, each written whole, and joined at the end."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.embeddings.long_texts import encode_whole
from terraseek.embeddings.shards import Piece, read_parts, write_part
from terraseek.embeddings.store import (
    HAS_CAPTION,
    HAS_IMAGE,
    HAS_METADATA,
    EmbeddingStore,
    Manifest,
    hash_ids,
    weights_of,
)
from terraseek.encoders.base import Encoder
from terraseek.errors import StoreError
from terraseek.files import atomic_path, write_json
from terraseek.progress import Progress

__all__ = ["StoreJob"]

_BLOCK = 1 << 16
_FILES = ("vectors", "captions", "flags", "item_ids")


class StoreJob:
    """One change of a store; the caller holds its lock."""

    def __init__(
        self, catalogue: Catalogue, encoder: Encoder, folder: Path, progress: Progress
    ) -> None:
        self.catalogue, self.encoder, self.folder = catalogue, encoder, folder
        self.progress = progress
        self.parts = folder / "parts"
        self.ids = catalogue.item_ids
        self._captions = catalogue.texts()
        self._described = catalogue.metadata_texts()
        self._store = _usable(folder, encoder)
        self._tried = np.zeros(len(self.ids), bool)
        self._done = 0
        # parts of a job that was killed may hold all that is missing: then nothing is encoded any
        # more, and the store is still to be written
        self._changed = any(self.parts.glob("[!.]*.npz"))

    def _rows_of(self, ids: np.ndarray) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
        """Which of `ids` the catalogue has, and the rows they have there."""
        if not len(ids):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = np.minimum(
            np.searchsorted(self.ids, ids, sorter=self.catalogue.rows_by_id), len(self.ids) - 1
        )
        rows = self.catalogue.rows_by_id[at].astype(np.int64)
        known = np.flatnonzero(self.ids[rows] == ids)
        return known, rows[known]

    def _pieces(self) -> Iterator[Piece]:
        """Everything finished: the store, then the parts, later ones winning."""
        if self._store is not None:
            store = self._store
            flags = store.flags
            if store.metadata is None:  # a job that was killed may have left their bits
                flags = flags & ~np.uint8(HAS_METADATA)
            yield Piece(store.item_ids, store.vectors, store.captions, flags, store.metadata)
        yield from read_parts(self.parts, self.encoder.encoder_id)

    def missing(self) -> Int64[np.ndarray, " m"]:
        """Rows without an image vector, those that failed before among them."""
        have = self._flags() & HAS_IMAGE > 0
        self._done = int(have.sum())
        return np.flatnonzero(~have & self.catalogue.active).astype(np.int64)

    def untold(self) -> Int64[np.ndarray, " m"]:
        """Rows with an image vector, and words that have none: such as adopted ones."""
        flags = self._flags()
        told = flags & HAS_CAPTION > 0
        described = flags & HAS_METADATA > 0
        lacking = (self._worded & ~told) | (self._has_metadata & ~described)
        return np.flatnonzero(lacking & (flags & HAS_IMAGE > 0) & self.catalogue.active).astype(
            np.int64
        )

    def _flags(self) -> UInt8[np.ndarray, " n"]:
        """Everything finished, by row."""
        flags = np.zeros(len(self.ids), np.uint8)
        for piece in self._pieces():
            known, rows = self._rows_of(piece.item_ids)
            flags[rows] |= piece.flags[known]
            self._tried[rows] = True
        return flags

    @cached_property
    def _worded(self) -> Bool[np.ndarray, " n"]:
        return np.array([bool(text.strip()) for text in self._captions], bool)

    @cached_property
    def _has_metadata(self) -> Bool[np.ndarray, " n"]:
        return np.array([bool(text) for text in self._described], bool)

    def encode(
        self,
        rows: Int64[np.ndarray, " m"],
        squares: Iterator[UInt8[np.ndarray, "side side 3"] | None],
    ) -> None:
        """Encode some rows, whose images come next, and keep them as a part."""
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
        self._add_words(rows, vectors, flags)

    def encode_words(self, rows: Int64[np.ndarray, " m"]) -> None:
        """Encode the words of rows whose image vectors are there, and keep them as a part."""
        vectors = np.zeros((len(rows), self.encoder.dim), np.float16)
        self._add_words(rows, vectors, np.zeros(len(rows), np.uint8))
        self._changed = True

    def adopt(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float16[np.ndarray, "m dim"],
        captions: Float16[np.ndarray, "m dim"],
        flags: UInt8[np.ndarray, " m"],
    ) -> None:
        """Keep vectors that were made elsewhere as a part."""
        self._keep(rows, Piece(self.ids[rows], vectors, captions, flags, None))

    def _add_words(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float16[np.ndarray, "m dim"],
        flags: UInt8[np.ndarray, " m"],
    ) -> None:
        captions, told = self._encoded([self._captions[row] for row in rows])
        metadata, described = self._encoded([self._described[row] for row in rows], whole=True)
        flags |= HAS_CAPTION * told.astype(np.uint8) | HAS_METADATA * described.astype(np.uint8)
        there = metadata if described.any() else None
        self._keep(rows, Piece(self.ids[rows], vectors, captions, flags, there))

    def _encoded(
        self, texts: list[str], whole: bool = False
    ) -> tuple[Float16[np.ndarray, "m dim"], Bool[np.ndarray, " m"]]:
        """Vectors of texts and which have one; each text is encoded once.

        Args:
            texts: blank ones have none.
            whole: a text longer than the encoder reads is encoded in pieces that are averaged.
        """
        out = np.zeros((len(texts), self.encoder.dim), np.float16)
        worded = np.array([bool(text.strip()) for text in texts], bool)
        if worded.any():
            encode = partial(encode_whole, self.encoder) if whole else self.encoder.encode_texts
            out[worded] = encode([text for text in texts if text.strip()])
        return out, worded

    def _keep(self, rows: Int64[np.ndarray, " m"], piece: Piece) -> None:
        write_part(self.parts, piece, self.encoder.encoder_id)
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
            metadata = None
            for piece in self._pieces():
                if piece.metadata is not None and metadata is None:
                    part = stack.enter_context(atomic_path(self.folder / "metadata.npy"))
                    metadata = _new(part, (count, dim), np.float16)
                known, rows = self._rows_of(piece.item_ids)
                for bit, array, made in (
                    (HAS_IMAGE, vectors, piece.vectors),
                    (HAS_CAPTION, captions, piece.captions),
                    (HAS_METADATA, metadata, piece.metadata),
                ):
                    if made is not None:
                        have = piece.flags[known] & bit > 0
                        _copy(array, rows[have], made, known[have])
                        flags[rows[have]] |= bit
            for array in (vectors, captions, *(() if metadata is None else (metadata,))):
                array.flush()
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
            described=int(((flags & HAS_METADATA) > 0).sum()),
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


def _new(path: Path, shape: tuple[int, int], dtype: type[np.float16]) -> Any:  # noqa: ANN401
    """A zero-filled `.npy` mapped for writing."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _copy(
    array: Any,  # noqa: ANN401
    rows: Int64[np.ndarray, " m"],
    made: Float16[np.ndarray, "n dim"],
    known: Int64[np.ndarray, " m"],
) -> None:
    """Rows of one mapped array into another, some at a time."""
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        array[rows[part]] = made[known[part]]
