"""Write a store: encoded rows are kept in chunks, which are merged at the end."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.embeddings.chunks import Chunk, read_chunks, write_chunk
from terraseek.embeddings.encode_chunk import encode_squares, with_texts
from terraseek.embeddings.mapped_files import create_array, remove_dead_temporaries, require_space
from terraseek.embeddings.store import (
    HAS_CAPTION,
    HAS_IMAGE,
    HAS_METADATA,
    PENDING_FILE,
    EmbeddingStore,
    Manifest,
    array_checksums,
    hash_ids,
    weights_and_preprocessing,
)
from terraseek.encoders.base import Encoder
from terraseek.errors import StoreError
from terraseek.files import atomic_path, write_json
from terraseek.progress import Progress

__all__ = ["StoreJob"]

_BLOCK = 1 << 16
_FILES = ("vectors", "captions", "flags", "item_ids")


class StoreJob:
    """A change of a store; the caller holds its lock."""

    def __init__(
        self, catalogue: Catalogue, encoder: Encoder, folder: Path, progress: Progress
    ) -> None:
        """Open the store in `folder`, if it is usable, and the chunks of unfinished jobs.

        Temporary files of killed jobs are removed.
        """
        self.catalogue, self.encoder, self.folder = catalogue, encoder, folder
        self.progress = progress
        self.chunk_folder = folder / "parts"
        for place in (folder, self.chunk_folder):
            remove_dead_temporaries(place)
        self.ids = catalogue.item_ids
        self._captions = catalogue.texts()
        self._metadata_texts = catalogue.metadata_texts()
        self._store = _usable(folder, encoder)
        self._attempted = np.zeros(len(self.ids), bool)
        self._done = 0
        # the chunks of a killed job may be complete: then nothing is encoded, but the store must
        # still be written
        self._changed = any(self.chunk_folder.glob("[!.]*.npz"))

    def _rows_of(self, ids: np.ndarray) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
        """Positions of the `ids` that the catalogue has, and their rows in the catalogue."""
        if not len(ids):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = np.minimum(
            np.searchsorted(self.ids, ids, sorter=self.catalogue.rows_by_id), len(self.ids) - 1
        )
        rows = self.catalogue.rows_by_id[at].astype(np.int64)
        known = np.flatnonzero(self.ids[rows] == ids)
        return known, rows[known]

    def _chunks(self) -> Iterator[Chunk]:
        """All encoded rows: the store, then its chunks; later vectors replace earlier ones."""
        if self._store is not None:
            store = self._store
            flags = store.flags
            if store.metadata is None:  # a killed job may have left these bits
                flags = flags & ~np.uint8(HAS_METADATA)
            yield Chunk(store.item_ids, store.vectors, store.captions, flags, store.metadata)
        yield from read_chunks(self.chunk_folder, self.encoder.encoder_id)

    def missing(self) -> Int64[np.ndarray, " m"]:
        """Return rows without an image vector, including those that failed before.

        Items without an image are among them only as long as a text of theirs has no vector.
        """
        flags = self._flags()
        missing = self._without_image(flags)
        missing &= self.catalogue.has_image | self._lacks_text(flags)
        self._done = len(flags) - int(missing.sum())
        return np.flatnonzero(missing).astype(np.int64)

    def missing_images(self) -> Int64[np.ndarray, " m"]:
        """Return rows without an image vector, whether or not the items have an image file."""
        missing = self._without_image(self._flags())
        self._done = len(missing) - int(missing.sum())
        return np.flatnonzero(missing).astype(np.int64)

    def _without_image(self, flags: UInt8[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        without: Bool[np.ndarray, " n"] = (flags & HAS_IMAGE == 0) & self.catalogue.active
        return without

    def _lacks_text(self, flags: UInt8[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Rows with a text that has no vector."""
        lacks: Bool[np.ndarray, " n"] = (self._has_caption & (flags & HAS_CAPTION == 0)) | (
            self._has_metadata & (flags & HAS_METADATA == 0)
        )
        return lacks

    def rows_missing_captions(self) -> Int64[np.ndarray, " m"]:
        """Return rows with an image vector but without vectors of their texts.

        These occur after `import_vectors`.
        """
        flags = self._flags()
        missing = self._lacks_text(flags)
        return np.flatnonzero(missing & (flags & HAS_IMAGE > 0) & self.catalogue.active).astype(
            np.int64
        )

    def _flags(self) -> UInt8[np.ndarray, " n"]:
        """Flags of all encoded rows, by row of the catalogue."""
        flags = np.zeros(len(self.ids), np.uint8)
        for chunk in self._chunks():
            known, rows = self._rows_of(chunk.item_ids)
            flags[rows] |= chunk.flags[known]
            self._attempted[rows] = True
        return flags

    @cached_property
    def _has_caption(self) -> Bool[np.ndarray, " n"]:
        return np.array([bool(text.strip()) for text in self._captions], bool)

    @cached_property
    def _has_metadata(self) -> Bool[np.ndarray, " n"]:
        return np.array([bool(text) for text in self._metadata_texts], bool)

    def encode(
        self,
        rows: Int64[np.ndarray, " m"],
        squares: Iterator[UInt8[np.ndarray, "side side 3"] | None],
    ) -> None:
        """Encode some rows, with the next images of `squares`, and write them as a chunk."""
        vectors, flags = encode_squares(self.encoder, squares, len(rows), self.advance)
        self._add_texts(rows, vectors, flags)

    def advance(self, rows: int) -> None:
        """Report that further rows are done."""
        self._done += rows
        self.progress("embed", min(self._done, len(self.ids)), len(self.ids))

    def encode_captions(self, rows: Int64[np.ndarray, " m"]) -> None:
        """Encode the texts of rows that have image vectors, and write them as a chunk."""
        vectors = np.zeros((len(rows), self.encoder.dim), np.float16)
        self._add_texts(rows, vectors, np.zeros(len(rows), np.uint8))
        self._changed = True

    def import_vectors(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float16[np.ndarray, "m dim"],
        captions: Float16[np.ndarray, "m dim"],
        flags: UInt8[np.ndarray, " m"],
    ) -> None:
        """Write vectors that were made elsewhere as a chunk."""
        self._write(rows, Chunk(self.ids[rows], vectors, captions, flags, None))

    def _add_texts(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float16[np.ndarray, "m dim"],
        flags: UInt8[np.ndarray, " m"],
    ) -> None:
        chunk = Chunk(self.ids[rows], vectors, np.zeros_like(vectors), flags, None)
        self._write(rows, with_texts(self.encoder, chunk, *self.texts(rows)))

    def texts(self, rows: Int64[np.ndarray, " m"]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Captions of rows, and the metadata parts of these."""
        return (
            tuple(self._captions[row] for row in rows),
            tuple(self._metadata_texts[row] for row in rows),
        )

    def _write(self, rows: Int64[np.ndarray, " m"], chunk: Chunk) -> None:
        write_chunk(self.chunk_folder, chunk, self.encoder.encoder_id)
        self.note_chunk(rows, bool((chunk.flags & HAS_IMAGE).any()))

    def note_chunk(self, rows: Int64[np.ndarray, " m"], has_images: bool) -> None:
        """Note that a chunk of rows was written, so that `finish` merges it if it is new."""
        self._changed |= has_images or not self._attempted[rows].all()

    def finish(self) -> None:
        """Merge all encoded rows into the files of the store and delete the chunks."""
        appending = self._store is not None and _is_prefix(self._store, self.ids)
        if self._changed or not appending:
            self._merge(appending)
        for path in self.chunk_folder.glob("*"):
            path.unlink()
        if self.chunk_folder.exists():
            self.chunk_folder.rmdir()

    def _merge(self, appending: bool) -> None:
        count, dim = len(self.ids), self.encoder.dim
        kinds = 3 if any(self._metadata_texts) else 2
        require_space(self.folder, kinds * count * dim * 2, "the store of vectors")
        with ExitStack() as stack:
            paths = {
                name: stack.enter_context(atomic_path(self.folder / f"{name}.npy"))
                for name in _FILES
            }
            vectors = create_array(paths["vectors"], (count, dim), np.float16)
            captions = create_array(paths["captions"], (count, dim), np.float16)
            flags = np.zeros(count, np.uint8)
            metadata = None
            for chunk in self._chunks():
                if chunk.metadata is not None and metadata is None:
                    part = stack.enter_context(atomic_path(self.folder / "metadata.npy"))
                    metadata = create_array(part, (count, dim), np.float16)
                known, rows = self._rows_of(chunk.item_ids)
                for bit, array, made in (
                    (HAS_IMAGE, vectors, chunk.vectors),
                    (HAS_CAPTION, captions, chunk.captions),
                    (HAS_METADATA, metadata, chunk.metadata),
                ):
                    if made is not None:
                        have = chunk.flags[known] & bit > 0
                        _copy(array, rows[have], made, known[have])
                        flags[rows[have]] |= bit
            for array in (vectors, captions, *(() if metadata is None else (metadata,))):
                array.flush()
            _save(paths["flags"], flags)
            _save(paths["item_ids"], self.ids)
            written = {n: paths[n] for n in ("vectors", "captions", "flags")}
            if metadata is not None:
                written["metadata"] = part
            checksums = {name: array_checksums(path, count) for name, path in written.items()}
            # if this job is killed between two renames, the old manifest finds new files
            write_json(self.folder / PENDING_FILE, {"count": count, "checksums": checksums})
            if not appending:
                # rows moved or the encoder changed: the old manifest does not match the new files
                (self.folder / "manifest.json").unlink(missing_ok=True)
        write_json(self.folder / "manifest.json", self._manifest(flags, checksums).to_json())
        (self.folder / PENDING_FILE).unlink(missing_ok=True)

    def _manifest(
        self, flags: UInt8[np.ndarray, " n"], checksums: dict[str, list[str]]
    ) -> Manifest:
        sha256, preprocessing = weights_and_preprocessing(self.encoder)
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
            checksums=checksums,
        )


def _usable(folder: Path, encoder: Encoder) -> EmbeddingStore | None:
    """The store in a folder, or None if it is damaged or of another encoder."""
    try:
        store = EmbeddingStore.read(folder)
        store.check_encoder(encoder.encoder_id)
    except StoreError:
        return None
    return store


def _is_prefix(store: EmbeddingStore, ids: np.ndarray) -> bool:
    """Whether the store has the first of `ids`, so that new rows can be appended."""
    return store.manifest.item_ids_sha256 == hash_ids(ids[: store.count])


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _copy(
    array: Any,  # noqa: ANN401
    rows: Int64[np.ndarray, " m"],
    made: Float16[np.ndarray, "n dim"],
    known: Int64[np.ndarray, " m"],
) -> None:
    """Copy rows of one mapped array to another, block by block."""
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        array[rows[part]] = made[known[part]]
