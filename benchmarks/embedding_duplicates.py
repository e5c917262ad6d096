"""Duplicates by embedding among many vectors: recall and precision of planted copies, and time.

    python benchmarks/embedding_duplicates.py --count 1000000 --dim 64

Vectors lie around one centre per 50 of them, with a cosine of about 0.7 within a cluster. A share
of them are copies of others, with a cosine from 0.9 to 1 and the same perceptual hash; all other
hashes are random. The decision of the corpus stage `duplicates` is measured; reading images, hashes
and encoding are not. Of each copy and its original, one must be rejected.
"""

import argparse
import time

import numpy as np
import pyarrow as pa
from common import machine, peak_rss_gib

from terraseek.imagehash import ORIENTATIONS
from terraseek_train.corpus.stages.duplicates import Duplicates
from terraseek_train.corpus.vectors import vector_column

BANDS = ((0.90, 0.92), (0.92, 0.95), (0.95, 0.98), (0.98, 1.0))
BLOCK = 100_000


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def clustered(count: int, dim: int, random: np.random.Generator) -> np.ndarray:
    """Unit vectors around one centre per 50 of them."""
    centres = unit(random.standard_normal((count // 50 + 1, dim), np.float32))
    out = np.empty((count, dim), np.float32)
    for start in range(0, count, BLOCK):
        rows = min(BLOCK, count - start)
        own = unit(random.standard_normal((rows, dim), np.float32))
        near = centres[random.integers(0, len(centres), rows)]
        out[start : start + rows] = unit(np.sqrt(0.7) * near + np.sqrt(0.3) * own)
    return out


def plant(
    vectors: np.ndarray, copies: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make the last rows copies of distinct earlier ones; returns rows, originals and cosines."""
    count, dim = vectors.shape
    rows = np.arange(count - copies, count)
    originals = random.permutation(count - copies)[:copies]
    wanted = random.uniform(0.9, 1.0, (copies, 1)).astype(np.float32)
    base = vectors[originals]
    other = random.standard_normal((copies, dim), np.float32)
    other = unit(other - (other * base).sum(axis=1, keepdims=True) * base)
    vectors[rows] = wanted * base + np.sqrt(1 - wanted**2) * other
    stored = vectors.astype(np.float16).astype(np.float32)  # as the stage stores them
    cosines = np.einsum("ij,ij->i", stored[rows], stored[originals])
    return rows, originals, cosines


def main() -> None:
    """Measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--planted", type=float, default=0.05, help="share of copies")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    vectors = clustered(options.count, options.dim, random)
    rows, originals, cosines = plant(vectors, int(options.count * options.planted), random)
    hashes = random.integers(1, 2**63, (options.count, len(ORIENTATIONS)), np.int64)
    hashes = hashes.astype(np.uint64)
    hashes[rows] = hashes[originals]
    flat = pa.array(hashes.reshape(-1))
    measured = pa.table(
        {
            "item": [f"a/{n}" for n in range(options.count)],
            "source": ["a"] * options.count,
            "hash": pa.FixedSizeListArray.from_arrays(flat, len(ORIENTATIONS)),
            "vector": vector_column(vectors),
        }
    )
    del vectors
    before, started, cpu = peak_rss_gib(), time.perf_counter(), time.process_time()
    decision = Duplicates("embedding").decide(measured)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    rejected = np.array([bool(reason) for reason in decision.reasons])
    found = rejected[rows] | rejected[originals]
    planted = np.zeros(options.count, bool)
    planted[rows] = planted[originals] = True
    print(f"{options.count:,} x {options.dim} ({machine()}): CPU {cpu:.0f} s, {wall:.0f} s")
    print(f"peak memory {peak_rss_gib():.2f} GiB ({before:.2f} GiB before the decision)")
    print(f"rejected {rejected.sum():,}, of these planted {int((rejected & planted).sum()):,}")
    sure = cosines >= 0.9
    print(f"recall {found[sure].mean():.4f} of {int(sure.sum()):,} copies of cosine 0.9 or more")
    for low, high in BANDS:
        band = (cosines >= low) & (cosines < high + (high == 1.0))
        print(f"  cosine {low:.2f} to {high:.2f}: {found[band].mean():.4f} of {int(band.sum()):,}")


if __name__ == "__main__":
    main()
