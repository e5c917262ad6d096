"""Import vectors that a source contains, so that its images need not be encoded again."""

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
from terraseek.files import ARRAY_ERRORS
from terraseek.progress import Progress, silent

__all__ = ["ImportedVectors", "import_vectors"]

_COLUMNS = ("vector_file", "vector_row")
_BLOCK = 1 << 16
_MIN_LENGTH = 1e-6

Rows = Callable[[Int64[np.ndarray, " m"]], Float32[np.ndarray, "m dim"]]
"""Return vectors of a file by their row numbers."""


@dataclass(frozen=True)
class ImportedVectors:
    """Numbers of imported vectors."""

    images: int
    """Number of image vectors."""
    captions: int
    """Number of caption vectors, which clip-retrieval folders may contain."""
    n_invalid: int
    """Number of vectors that are zero or not finite, which were not imported."""
    store: EmbeddingStore
    """Store that contains them."""


def import_vectors(
    catalogue: Catalogue, encoder: Encoder, progress: Progress = silent
) -> ImportedVectors:
    """Import the vectors that items refer to (`vector_file`, `vector_row`), scaled to length 1.

    The files do not contain the encoder's name, so the caller states it; only the vector length
    can be checked. Items that have a vector of this encoder keep it.

    Args:
        catalogue: imported from clip-retrieval folders or Major TOM embeddings, for example.
        encoder: that made the vectors.
        progress: called with the stage `import vectors`.

    Raises:
        StoreError: no item refers to a vector, or a file of vectors cannot be read.
        EncoderMismatchError: their length is not that of the encoder; nothing is imported.
        CatalogueError: another process is changing the same store.
    """
    if not set(_COLUMNS) <= set(catalogue.columns):
        raise StoreError(
            f"no item of {catalogue.name} refers to a vector file; import a clip-retrieval folder "
            "or Major TOM embeddings"
        )
    items = catalogue.items(list(_COLUMNS), deleted=True)
    files = items["vector_file"].to_numpy(object)
    file_rows = items["vector_row"].to_numpy(np.float64, na_value=np.nan)
    folder = store_folder(catalogue, encoder.name)
    images = captions = n_invalid = 0
    with exclusive(folder):
        job = StoreJob(catalogue, encoder, folder, progress)
        rows = job.missing_images()
        rows = rows[(files[rows] != "") & np.isfinite(file_rows[rows])]
        groups = {file: rows[files[rows] == file] for file in sorted(set(files[rows]))}
        for file, file_items in groups.items():  # check all files before the first import
            ends = [file_rows[file_items].min(), file_rows[file_items].max()]
            _reader(Path(file), encoder)(np.array(ends, np.int64))
        for file, file_items in groups.items():
            read = _reader(Path(file), encoder)
            for start in range(0, len(file_items), _BLOCK):
                part = file_items[start : start + _BLOCK]
                at = file_rows[part].astype(np.int64)
                vectors, valid = _normalise(read(at))
                texts, captioned = _caption_vectors(Path(file), at, encoder)
                flags = HAS_IMAGE * valid.astype(np.uint8)
                flags |= HAS_CAPTION * captioned.astype(np.uint8)
                job.import_vectors(part, vectors, texts, flags)
                images, captions = images + int(valid.sum()), captions + int(captioned.sum())
                n_invalid += int((~valid).sum())
                progress("import vectors", images + n_invalid, len(rows))
        job.finish()
    return ImportedVectors(
        images, captions, n_invalid, EmbeddingStore.open(catalogue, encoder.encoder_id)
    )


def _normalise(
    vectors: Float32[np.ndarray, "m dim"],
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors as float16, zero for invalid ones, and the mask of valid ones."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1)
    valid = np.isfinite(length) & (length > _MIN_LENGTH)
    out = np.zeros(vectors.shape, np.float16)
    out[valid] = unit(vectors[valid]).astype(np.float16)
    return out, valid


def _caption_vectors(
    images: Path, at: Int64[np.ndarray, " m"], encoder: Encoder
) -> tuple[np.ndarray, np.ndarray]:
    """Caption vectors of a clip-retrieval folder and their mask, if it has matching ones."""
    path = images.parent.parent / "text_emb" / images.name.replace("img_emb", "text_emb")
    if images.parent.name == "img_emb" and path.is_file():
        with suppress(StoreError, EncoderMismatchError, IndexError):
            return _normalise(_reader(path, encoder)(at))
    return np.zeros((len(at), encoder.dim), np.float16), np.zeros(len(at), bool)


def _reader(path: Path, encoder: Encoder) -> Rows:
    """Open a file of vectors, and return a function that reads rows of it."""
    try:
        vectors = _load_vectors(path)
    except (*ARRAY_ERRORS, KeyError) as error:
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


def _load_vectors(path: Path) -> np.ndarray:
    """Load vectors from a `.npy` file (mapped), or from column `embedding` of a Parquet file."""
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
