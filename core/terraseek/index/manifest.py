"""Manifest of an index: its type, parameters and measured recall, stored as JSON."""

import hashlib
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from terraseek.checksums import BlockCheck, block_checksums, damaged_block, small_enough
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore, hash_ids
from terraseek.errors import EncoderMismatchError, StoreCorruptError
from terraseek.files import read_json

__all__ = [
    "INDEX_MANIFEST",
    "IndexManifest",
    "index_folder",
    "rebuild_hint",
    "rows_digest",
    "scale_file",
]

INDEX_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class IndexManifest:
    """Description of an index over the first rows of a store.

    It is written after the files of the index. Field names are the keys of the JSON file.
    """

    kind: str
    """One of `plan.KINDS`, or of `engine_index.ENGINE_KINDS`."""
    reason: str
    """Why this kind was chosen."""
    factory: str
    """FAISS factory string; empty if no FAISS index is needed."""
    file: str
    """Name of its file in the same folder; empty if there is none."""
    encoder_id: str
    """Id of the encoder of the vectors."""
    dim: int
    """Length of the vectors."""
    count: int
    """Number of rows it covers, which are the first of the store; later rows are scored exactly."""
    rows_sha256: str
    """Digest of the ids of these rows and of which rows have a vector."""
    memory_bytes: int
    """Approximate memory needed for fast answers, mapped or not."""
    error: float
    """int8: largest distance between a vector and its code, a bound of the error of any score."""
    effort: int
    """ivfsq, ivfpq: number of lists searched (nprobe); hnsw, qdrant: size of the queue
    (efSearch)."""
    shortlist: int
    """Number of candidates that are re-ranked with the stored vectors."""
    recall_at_10: dict[str, float]
    """Recall (0-1) of the exact ten best, by kind of query: `pictures` (stored image vectors),
    `captions` (stored caption vectors)."""
    queries: int
    """Number of queries the recall was measured with."""
    build_s: float
    """Time to build and measure, in seconds."""
    created: str
    """Time of creation, UTC."""
    checksums: dict[str, list[str]] = field(default_factory=dict)
    """CRC-32 of each block of its files, by name; empty in older indexes."""
    collection: str = ""
    """Name of the collection in a vector database; empty for indexes in files."""

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return asdict(self)

    @classmethod
    def read(cls, store: EmbeddingStore) -> "IndexManifest | None":
        """Read the manifest of a store's index; None if it has no index.

        Raises:
            EncoderMismatchError: the index belongs to another encoder.
            StoreCorruptError: the index is damaged, or belongs to other rows.
        """
        path = index_folder(store) / INDEX_MANIFEST
        if not path.is_file():
            return None
        try:
            value = read_json(path)
            known = {f.name: value[f.name] for f in fields(cls) if _required(f) or f.name in value}
            found = cls(**known)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreCorruptError(
                f"{path} is damaged ({error!r}); {rebuild_hint(store)}"
            ) from error
        found.check_belongs_to(store)
        return found

    def verify(self, store: EmbeddingStore, *, all_files: bool = False) -> None:
        """Compare the files of the index with their checksums.

        Args:
            store: with the index.
            all_files: also those that are too large to be checked whenever the index is opened.

        Raises:
            StoreCorruptError: a block has changed since it was written, or a file is missing.
        """
        for name, expected in self.checksums.items():
            path = index_folder(store) / name
            try:
                checked = all_files or small_enough(path)
                damaged = damaged_block(block_checksums(path), expected) if checked else None
            except OSError as error:
                raise StoreCorruptError(
                    f"{path} cannot be read ({error.strerror}); {rebuild_hint(store)}"
                ) from error
            if damaged is not None:
                raise StoreCorruptError(
                    f"{path} cannot be read: block {damaged} of {len(expected)} has changed "
                    f"since it was written; {rebuild_hint(store)}"
                )

    def check_large_files(self, store: EmbeddingStore) -> list[BlockCheck]:
        """Compare the files that `verify` leaves out with their checksums, in the background.

        Raises:
            OSError: a file cannot be opened.
        """
        folder = index_folder(store)
        checks = [
            BlockCheck(folder / name, expected)
            for name, expected in self.checksums.items()
            if not small_enough(folder / name)
        ]
        for check in checks:
            check.start()
        return checks

    def check_belongs_to(self, store: EmbeddingStore) -> None:
        """Check that the index belongs to this store.

        Raises:
            EncoderMismatchError: it belongs to another encoder.
            StoreCorruptError: it belongs to other rows.
        """
        if self.encoder_id != store.encoder_id:
            raise EncoderMismatchError(
                f"the index in {index_folder(store)} is of {self.encoder_id}, the vectors are of "
                f"{store.encoder_id}; {rebuild_hint(store)}"
            )
        fits = self.count <= store.count and self.dim == store.manifest.dim
        if not fits or rows_digest(store, self.count) != self.rows_sha256:
            raise StoreCorruptError(
                f"the index in {index_folder(store)} is of other vectors than the store; "
                + rebuild_hint(store)
            )


def _required(column: Field[Any]) -> bool:
    return column.default is MISSING and column.default_factory is MISSING


def index_folder(store: EmbeddingStore) -> Path:
    """Return the folder of a store's index; it may not exist yet."""
    return store.folder / store.index_name


def scale_file(codes: Path) -> Path:
    """Return the file with the scale of each axis, beside the codes of an int8 index."""
    return codes.with_suffix(".scale.npy")


def rows_digest(store: EmbeddingStore, count: int) -> str:
    """Compute a digest of the ids of the first rows and of which of them have a vector."""
    all_rows = count == store.count  # their digest was checked when the store was opened
    ids = store.manifest.item_ids_sha256 if all_rows else hash_ids(store.item_ids[:count])
    usable = (store.flags[:count] & HAS_IMAGE).tobytes()
    return hashlib.sha256(ids.encode() + usable).hexdigest()


def rebuild_hint(store: EmbeddingStore) -> str:
    """Return the advice for an index that cannot be used."""
    return f"run `terraseek index {store.folder.parent.parent} --model {store.manifest.model}`"
