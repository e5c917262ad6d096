"""Training of FAISS indexes on a sample of the vectors."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from terraseek.index.plan import AXES, IndexPlan
from terraseek.index.sampling import float32_rows, sample_rows
from terraseek.index.scan import faiss_module

__all__ = ["train_index"]

_MAX_TRAINING = 1 << 19
_ROWS_PER_LIST = 40  # training rows per list, about FAISS' minimum: more hardly helps
_HNSW_EF_CONSTRUCTION = 80


def train_index(vectors: np.ndarray, usable: Int64[np.ndarray, " u"], plan: IndexPlan) -> Any:  # noqa: ANN401
    """Create an empty index, trained on a sample of the vectors."""
    faiss = faiss_module()
    axes, factory = "", plan.factory
    if factory.startswith(AXES):
        axes, factory = factory.removeprefix(AXES).split(",", 1)
    dim = int(axes) if axes else vectors.shape[1]
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if plan.kind == "hnsw":
        index.hnsw.efConstruction = _HNSW_EF_CONSTRUCTION
    n_training = max(1 << 16, _ROWS_PER_LIST * getattr(index, "nlist", 0))
    sample = float32_rows(vectors, sample_rows(usable, min(_MAX_TRAINING, n_training)))
    if axes:
        index = faiss.IndexPreTransform(_principal_axes(sample, dim), index)
    index.train(sample)
    return index


def _principal_axes(sample: Float32[np.ndarray, "s dim"], n_axes: int) -> Any:  # noqa: ANN401
    """Projection to the axes with the largest second moments.

    The mean is not subtracted, so dot products with a query are preserved except for the components
    outside, which are small.
    """
    faiss = faiss_module()
    _, axes = np.linalg.eigh(sample[: 1 << 16].T @ sample[: 1 << 16])
    projection = faiss.LinearTransform(sample.shape[1], n_axes, False)
    rows = np.ascontiguousarray(axes[:, ::-1].T[_axis_order(n_axes)], np.float32)
    faiss.copy_array_to_vector(rows.ravel(), projection.A)
    projection.is_trained = True
    return projection


def _axis_order(n_axes: int) -> Int64[np.ndarray, " n_axes"]:
    """Order of the axes that pairs the largest with the smallest, and so on.

    Product quantization spends equal bits on each pair, so pairs should have similar variance
    (eigenvalue allocation of Ge et al., Optimized Product Quantization, 2013).
    """
    order = np.arange(n_axes)
    order[::2], order[1::2] = np.arange((n_axes + 1) // 2), np.arange(n_axes)[::-1][: n_axes // 2]
    return order
