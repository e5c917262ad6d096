"""What an index is and what it was measured to find, kept beside it as JSON."""

import hashlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore, hash_ids
from terraseek.errors import EncoderMismatchError, StoreCorruptError
from terraseek.files import read_json

__all__ = ["INDEX_MANIFEST", "IndexManifest", "index_folder", "rows_digest", "scale_file"]

INDEX_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class IndexManifest:
    """An index over the first rows of a store; written last, so that its files are whole."""

    kind: str
    """One of `index_plan.KINDS`."""
    reason: str
    """Why this kind."""
    factory: str
    """FAISS' name of it; empty for what needs no FAISS index."""
    file: str
    """Name of its file in the same folder; empty if it needs none."""
    encoder_id: str
    """Encoder of the vectors."""
    dim: int
    """Length of the vectors."""
    count: int
    """Rows it covers, which are the first of the store; later ones are scored exactly."""
    rows_sha256: str
    """Digest over the ids of these rows and which of them have a vector."""
    memory_bytes: int
    """About how much must be in memory for quick answers, mapped or not."""
    error: float
    """int8: the largest distance between a vector and its code, which bounds any score's error."""
    effort: int
    """ivfsq, ivfpq: lists looked into; hnsw: candidates kept on the way."""
    shortlist: int
    """Rows that are re-ranked by the stored vectors."""
    recall_at_10: dict[str, float]
    """Share of the exact ten best it finds, by kind of query: stored images, stored captions."""
    queries: int
    """Queries the recall was measured with."""
    build_s: float
    """Seconds it took to build and measure."""
    created: str
    """When, UTC."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def read(cls, store: EmbeddingStore) -> "IndexManifest | None":
        """The manifest of a store's index, or None if it has none.

        Raises:
            EncoderMismatchError: it is of another encoder.
            StoreCorruptError: it is damaged, or of other rows than the store's.
        """
        path = index_folder(store) / INDEX_MANIFEST
        if not path.is_file():
            return None
        try:
            value = read_json(path)
            found = cls(**{field.name: value[field.name] for field in fields(cls)})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreCorruptError(f"{path} is damaged ({error!r}); {again(store)}") from error
        found.refuse_other(store)
        return found

    def refuse_other(self, store: EmbeddingStore) -> None:
        """Raise unless the index is of this store.

        Raises:
            EncoderMismatchError: it is of another encoder.
            StoreCorruptError: it is of other rows.
        """
        if self.encoder_id != store.encoder_id:
            raise EncoderMismatchError(
                f"the index in {index_folder(store)} is of {self.encoder_id}, the vectors are of "
                f"{store.encoder_id}; {again(store)}"
            )
        fits = self.count <= store.count and self.dim == store.manifest.dim
        if not fits or rows_digest(store, self.count) != self.rows_sha256:
            raise StoreCorruptError(
                f"the index in {index_folder(store)} is of other vectors than the store; "
                + again(store)
            )


def index_folder(store: EmbeddingStore) -> Path:
    """Where the index of a store is or will be."""
    return store.folder / store.index_name


def scale_file(codes: Path) -> Path:
    """Beside the codes of an int8 index: what each axis was multiplied with before rounding."""
    return codes.with_suffix(".scale.npy")


def rows_digest(store: EmbeddingStore, count: int) -> str:
    """Digest over the ids of the first rows and which of them have a vector."""
    whole = count == store.count  # then the digest is known; the store checked it when opened
    ids = store.manifest.item_ids_sha256 if whole else hash_ids(store.item_ids[:count])
    usable = (store.flags[:count] & HAS_IMAGE).tobytes()
    return hashlib.sha256(ids.encode() + usable).hexdigest()


def again(store: EmbeddingStore) -> str:
    """What to do about an index that cannot be used."""
    return f"run `terraseek index {store.folder.parent.parent} --model {store.manifest.model}`"
