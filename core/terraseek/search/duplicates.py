"""Find and mark near-duplicates in a catalogue by cosine and perceptual hash.

Neither is sufficient alone. Vectors of two different fields may be as similar as those of copies,
and 64-bit hashes of grey structure agree for any two images that are half sea, half beach. A pair
counts as duplicates if the cosine is high *and* the hashes agree in one of eight orientations.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from terraseek.catalogue import Catalogue
from terraseek.catalogue.importing.writing.rewrite import replace_column, text_of_rows
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.errors import CatalogueError, ConfigError, SceneError
from terraseek.files import ARRAY_ERRORS, atomic_path
from terraseek.imagehash import FLAT, components, hashes_agree, image_hashes
from terraseek.progress import Progress, silent

__all__ = ["COLUMN", "Duplicates", "mark_duplicates"]

COLUMN = "duplicate_of"
"""Column with the id of the item that a row duplicates; empty for all others."""

_log = logging.getLogger(__name__)
_HASHES = "hashes.npz"
_N_NEIGHBOURS = 16
_MAX_EXACT = 20_000
"""Items up to which all pairs are compared."""
_BLOCK = 512
_SAVE_EVERY = 20_000


@dataclass(frozen=True)
class Duplicates:
    """Number of near-duplicates in a catalogue."""

    pairs: int
    """Pairs of near-duplicates."""
    groups: int
    """Groups of near-duplicates."""
    marked: int
    """Items that duplicate an earlier one."""


def mark_duplicates(
    path: str | Path,
    model: str | None = None,
    *,
    cosine: float = 0.9,
    bits: int = 10,
    progress: Progress = silent,
) -> Duplicates:
    """Write the column `duplicate_of`, replacing earlier marks.

    The first item of a group is not marked.

    For up to 20,000 items all pairs of vectors are compared; for more, each item with its 16
    nearest neighbours in an inverted file index, which may miss a pair.

    Args:
        path: of the catalogue.
        model: whose vectors to use, if there are several.
        cosine: minimum cosine of duplicates, 0 to 1.
        bits: maximum number of different bits of their 64-bit hashes.
        progress: called with the stages `hash` and `compare`.

    Raises:
        ConfigError: a threshold is out of range.
        StoreNotFoundError: the catalogue has no vectors.
        CatalogueError: another process is changing the catalogue.
    """
    if not 0 < cosine <= 1 or not 0 <= bits <= 64:
        raise ConfigError(f"cosine {cosine:g} must be in 0..1 and bits {bits} in 0..64")
    folder = Path(path).absolute()
    Catalogue.open(folder)
    with exclusive(folder):
        catalogue = Catalogue.open(folder)
        store = EmbeddingStore.open(catalogue, model)
        alive = catalogue.active[: store.count]
        rows = np.flatnonzero(alive & ((store.flags & HAS_IMAGE) > 0)).astype(np.int64)
        hashes = _hashes(catalogue, rows, progress)
        pairs = [
            (rows[a], rows[b])
            for a, b in _similar_pairs(store, rows, cosine, progress)
            if hashes_agree(hashes[a], hashes[b], bits)
        ]
        one, other = np.array(pairs, np.int64).reshape(-1, 2).T
        group = components(catalogue.row_count, (one, other))
        first = np.unique(group, return_index=True)[1][group]  # smallest row of each one's group
        marked = np.flatnonzero(first != np.arange(len(first)))
        marks = text_of_rows(catalogue.item_ids, marked, first[marked])
        replace_column(folder, COLUMN, marks)
    return Duplicates(len(pairs), len(np.unique(first[marked])), len(marked))


def _similar_pairs(
    store: EmbeddingStore, rows: Int64[np.ndarray, " n"], cosine: float, progress: Progress
) -> Iterator[tuple[int, int]]:
    """Positions in `rows` of pairs with a high cosine, each once, the smaller first."""
    if len(rows) <= _MAX_EXACT:
        yield from _all_similar_pairs(store, rows, cosine, progress)
        return
    import faiss

    vectors = np.asarray(store.vectors[rows], np.float32)
    lists = max(1, min(int(4 * np.sqrt(len(rows))), len(rows) // 40))  # FAISS requires 39 per list
    index = faiss.index_factory(vectors.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(rows) // (40 * lists))])
    index.add(vectors)
    faiss.ParameterSpace().set_index_parameter(index, "nprobe", 16)
    for start in range(0, len(rows), _BLOCK):
        scores, others = index.search(vectors[start : start + _BLOCK], _N_NEIGHBOURS)
        for at, place in zip(*np.nonzero(scores >= cosine), strict=True):
            if start + at < others[at, place]:
                yield int(start + at), int(others[at, place])
        progress("compare", min(start + _BLOCK, len(rows)), len(rows))


def _all_similar_pairs(
    store: EmbeddingStore, rows: Int64[np.ndarray, " n"], cosine: float, progress: Progress
) -> Iterator[tuple[int, int]]:
    vectors = np.asarray(store.vectors[rows], np.float32)
    for start in range(0, len(rows), _BLOCK):
        scores = vectors[start : start + _BLOCK] @ vectors[start:].T
        for at, other in zip(*np.nonzero(scores >= cosine), strict=True):
            if at < other:
                yield int(start + at), int(start + other)
        progress("compare", min(start + _BLOCK, len(rows)), len(rows))


def _hashes(
    catalogue: Catalogue, rows: Int64[np.ndarray, " n"], progress: Progress
) -> UInt64[np.ndarray, "n 8"]:
    """Perceptual hashes of rows; hashes of earlier runs are cached in the catalogue's folder."""
    known = _read_hashes(catalogue.path / _HASHES)
    ids = catalogue.item_ids[rows].tolist()
    missing = [key for key in ids if key not in known]

    def compute(key: bytes) -> UInt64[np.ndarray, " 8"]:
        try:
            return image_hashes(catalogue.read_image(key.decode(), 256))
        except (SceneError, CatalogueError, OSError) as error:
            _log.warning("item %s has no hash: %s", key.decode(), error)
            return np.full(8, FLAT)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(missing), _SAVE_EVERY):
            part = missing[start : start + _SAVE_EVERY]
            for done, (key, value) in enumerate(zip(part, pool.map(compute, part), strict=True), 1):
                known[key] = value
                if done % 200 == 0 or done == len(part):
                    progress("hash", start + done, len(missing))
            _write_hashes(catalogue.path / _HASHES, known)
    return np.array([known[key] for key in ids], np.uint64).reshape(-1, 8)


def _read_hashes(path: Path) -> dict[bytes, UInt64[np.ndarray, " 8"]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(zip(file["ids"].tolist(), file["hashes"], strict=True))
    except (*ARRAY_ERRORS, KeyError):
        return {}


def _write_hashes(path: Path, known: dict[bytes, UInt64[np.ndarray, " 8"]]) -> None:
    with atomic_path(path) as part, part.open("wb") as file:
        np.savez(file, ids=np.array(list(known), "S12"), hashes=np.array(list(known.values())))
