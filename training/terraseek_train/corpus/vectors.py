"""Vectors of images as an Arrow column of float16, and the encoder that a worker has loaded."""

import logging
from functools import lru_cache

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.encoders.load import load_encoder
from terraseek.errors import SceneError
from terraseek_train.corpus.items import image_refs, read_pixels

__all__ = ["encoder_of", "image_vectors", "vector_column", "vector_name", "vectors_of"]

_log = logging.getLogger(__name__)


@lru_cache(maxsize=2)
def encoder_of(model: str) -> Encoder:
    """Load a registered encoder once per process."""
    return load_encoder(model)


def image_vectors(items: pa.Table, encoder: Encoder) -> Float32[np.ndarray, "n dim"]:
    """Unit vectors of the images of items; zeros for an image that cannot be read.

    One batch of decoded images is in memory at a time. Vectors that the stage `embed` has stored
    are used.
    """
    if vector_name(encoder) in items.column_names:
        return vectors_of(items, vector_name(encoder))
    out = np.zeros((len(items), encoder.dim), np.float32)
    refs = image_refs(items)
    for start in range(0, len(refs), encoder.batch_size):
        rows, squares = [], []
        for row, ref in enumerate(refs[start : start + encoder.batch_size], start=start):
            try:
                squares.append(encoder.fit(read_pixels(ref, 4 * encoder.image_size)))
                rows.append(row)
            except (SceneError, FileNotFoundError) as error:
                _log.warning("%s; it has no vector", error)
        if rows:
            out[rows] = encoder.encode_squares(np.stack(squares))
    return out


def vector_name(encoder: Encoder) -> str:
    """Name of the column of an encoder's vectors."""
    return f"vector {encoder.encoder_id}"


def vector_column(vectors: Float32[np.ndarray, "n dim"]) -> pa.FixedSizeListArray:
    """Vectors as a column of lists of float16."""
    values = pa.array(vectors.astype(np.float16).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])


def vectors_of(table: pa.Table, column: str) -> Float32[np.ndarray, "n dim"]:
    """Read a column of `vector_column`."""
    array = table.column(column).combine_chunks()
    dim = array.type.list_size
    values = array.flatten().to_numpy(zero_copy_only=False)
    vectors: Float32[np.ndarray, "n dim"] = values.astype(np.float32).reshape(-1, dim)
    return vectors
