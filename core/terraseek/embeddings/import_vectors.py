"""Vectors a source came with become a store's, so that its images need not be encoded again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore, store_folder
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.base import Encoder, unit
from terraseek.errors import EncoderMismatchError, StoreError
from terraseek.progress import Progress, silent

__all__ = ["Adopted", "adopt_vectors"]

_COLUMNS = ("vector_file", "vector_row")
_PART = 1 << 16
_LEAST_LENGTH = 1e-6

Rows = Callable[[Int64[np.ndarray, " m"]], Float32[np.ndarray, "m dim"]]
"""Vectors of a file by their numbers in it."""


@dataclass(frozen=True)
class Adopted:
    """What was taken over."""

    images: int
    """Image vectors."""
    captions: int
    """Caption vectors, which clip-retrieval may have beside them."""
    useless: int
    """Vectors of no direction (zero, or not finite), which were left."""
    store: EmbeddingStore
    """What they are in now."""


def adopt_vectors(catalogue: Catalogue, encoder: Encoder, progress: Progress = silent) -> Adopted:
    """Take over the vectors items came with (`vector_file`, `vector_row`), scaled to length 1.

    Files do not say which encoder made them: the caller does, and only their length can be
    checked. Items that have a vector of this encoder keep it.

    Args:
        catalogue: of clip-retrieval folders or Major TOM's embeddings, among others.
        encoder: what made them.
        progress: called with the stage `adopt`.

    Raises:
        StoreError: no item came with a vector, or a file of them is gone or cannot be read.
        EncoderMismatchError: they are not as long as the encoder's; nothing is taken over.
        CatalogueError: another process changes the same store.
    """
    if not set(_COLUMNS) <= set(catalogue.columns):
        raise StoreError(
            f"no item of {catalogue.name} came with a vector; import a clip-retrieval folder or "
            "Major TOM embeddings"
        )
    items = catalogue.items(list(_COLUMNS), deleted=True)
    files = items["vector_file"].to_numpy(object)
    places = items["vector_row"].to_numpy(np.float64, na_value=np.nan)
    folder = store_folder(catalogue, encoder.name)
    images = captions = useless = 0
    with exclusive(folder):
        job = StoreJob(catalogue, encoder, folder, progress)
        rows = job.missing()
        rows = rows[(files[rows] != "") & np.isfinite(places[rows])]
        groups = {file: rows[files[rows] == file] for file in sorted(set(files[rows]))}
        for file, mine in groups.items():  # before the first is taken over
            ends = [places[mine].min(), places[mine].max()]
            _reader(Path(file), encoder)(np.array(ends, np.int64))
        for file, mine in groups.items():
            read = _reader(Path(file), encoder)
            for start in range(0, len(mine), _PART):
                part = mine[start : start + _PART]
                at = places[part].astype(np.int64)
                vectors, seen = _scaled(read(at))
                words, told = _told(Path(file), at, encoder)
                flags = HAS_IMAGE * seen.astype(np.uint8) | HAS_CAPTION * told.astype(np.uint8)
                job.adopt(part, vectors, words, flags)
                images, captions = images + int(seen.sum()), captions + int(told.sum())
                useless += int((~seen).sum())
                progress("adopt", images + useless, len(rows))
        job.finish()
    return Adopted(images, captions, useless, EmbeddingStore.open(catalogue, encoder.encoder_id))


def _scaled(
    vectors: Float32[np.ndarray, "m dim"],
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors as float16, zero where there is no direction, and where there is one."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1)
    usable = np.isfinite(length) & (length > _LEAST_LENGTH)
    out = np.zeros(vectors.shape, np.float16)
    out[usable] = unit(vectors[usable]).astype(np.float16)
    return out, usable


def _told(
    images: Path, at: Int64[np.ndarray, " m"], encoder: Encoder
) -> tuple[np.ndarray, np.ndarray]:
    """Caption vectors beside clip-retrieval's image vectors, where there are any that fit."""
    path = images.parent.parent / "text_emb" / images.name.replace("img_emb", "text_emb")
    if images.parent.name == "img_emb" and path.is_file():
        with suppress(StoreError, EncoderMismatchError, IndexError):
            return _scaled(_reader(path, encoder)(at))
    return np.zeros((len(at), encoder.dim), np.float16), np.zeros(len(at), bool)


def _reader(path: Path, encoder: Encoder) -> Rows:
    """Opens a file of vectors; nothing of it is held longer than it is asked for."""
    try:
        vectors = _opened(path)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise StoreError(
            f"the vectors in {path} cannot be read ({error}); put the file back, or leave out "
            "--encoder and run `terraseek embed`"
        ) from error
    if vectors.ndim != 2 or vectors.shape[1] != encoder.dim:
        shape = " x ".join(map(str, vectors.shape))
        raise EncoderMismatchError(
            f"the vectors in {path} are {shape}, those of {encoder.name} have {encoder.dim} "
            "numbers; name the encoder that made them with --encoder"
        )

    def rows(at: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m dim"]:
        if len(at) and not 0 <= at.min() <= at.max() < len(vectors):
            raise StoreError(f"{path} has {len(vectors):,} vectors, not {at.max() + 1:,}")
        return np.asarray(vectors[at], np.float32)

    return rows


def _opened(path: Path) -> np.ndarray:
    """The vectors of a `.npy` file, mapped, or those of a Parquet file's column `embedding`."""
    if path.suffix.lower() == ".npy":
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(path, columns=["embedding"])["embedding"].combine_chunks()
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(str(error)) from error
    if not len(column):
        return np.empty((0, 0), np.float32)
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if (lengths != lengths[0]).any():
        raise ValueError("its vectors have different lengths")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    matrix: np.ndarray = np.asarray(flat, np.float32).reshape(len(column), int(lengths[0]))
    return matrix
