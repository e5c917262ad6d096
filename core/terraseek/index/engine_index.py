"""Index in a vector database: candidates of the database, confirmed by the filter of the catalogue.

Beside its manifest is a file with one number for each row: a hash of the values that the database
filters by, or 0 if the database does not have the row. A row whose values have changed since then
is scored exactly, like a row that was added later, so that it can be found all the same.
"""

import logging
import time
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8, UInt64

from terraseek.catalogue import Catalogue
from terraseek.catalogue.filters.filter import Filter
from terraseek.embeddings.store import EmbeddingStore
from terraseek.engines.engine import Engine
from terraseek.engines.payload import payload_hashes
from terraseek.engines.qdrant import QdrantEngine
from terraseek.errors import EngineError, StoreCorruptError
from terraseek.files import ARRAY_ERRORS
from terraseek.index.index_types import ExactScores, Index
from terraseek.index.manifest import IndexManifest, index_folder, rebuild_hint

__all__ = ["ENGINE_KINDS", "Collection", "EngineIndex", "open_engine_index", "read_rows"]

ENGINE_KINDS = ("qdrant",)
"""Kinds of indexes that are in a vector database."""
_EXACT_BELOW = 0.1
"""Fraction of allowed rows below which the database compares with all of them: at equal recall,
Qdrant's graph is not faster there (20,000 and 100,000 vectors, `benchmarks/qdrant_recall.py`)."""
_MAX_EFFORT_FACTOR = 8
_MIN_LIST = 200
"""Fewest candidates of an inexact search: with 10, a filter that keeps a fifth found 0.93."""
_MAX_LIST = 20_000
_RETRY_S = 30.0
"""Seconds without further requests after one that failed."""
_log = logging.getLogger(__name__)


class Collection:
    """The rows of an index in a vector database, and which of them it can find."""

    def __init__(
        self, engine: Engine, hashes: UInt64[np.ndarray, " count"], catalogue: Catalogue
    ) -> None:
        """Wrap a collection.

        Args:
            engine: the collection.
            hashes: of the values of each row in the collection; 0 for rows that it does not have.
            catalogue: with the present values.
        """
        self.engine, self._hashes, self._catalogue = engine, hashes, catalogue
        self._failed_at = -_RETRY_S

    @property
    def has_failed(self) -> bool:
        """Whether a request has failed a moment ago."""
        return time.monotonic() < self._failed_at + _RETRY_S

    def note_failure(self, error: EngineError) -> None:
        """Log a failed request, and do without the database for a while."""
        _log.warning("searching without an index: %s", error)
        self._failed_at = time.monotonic()

    def uncovered(
        self, rows: Int64[np.ndarray, " m"], where: Filter | None
    ) -> Int64[np.ndarray, " u"]:
        """Select the rows that the database lacks, or cannot find by its values of them."""
        known = int(np.searchsorted(rows, len(self._hashes)))
        found = self._hashes[rows[:known]] != 0
        if self.engine.applies(where):
            found &= self._is_current[rows[:known]]
        if found.all():
            return rows[known:]
        return np.concatenate([rows[:known][~found], rows[known:]])

    @cached_property
    def _is_current(self) -> Bool[np.ndarray, " count"]:
        """Rows whose values are those that the database has."""
        hashes = payload_hashes(self._catalogue, len(self._hashes))
        current: Bool[np.ndarray, " count"] = self._hashes == hashes
        return current


class EngineIndex(Index):
    """Index whose candidates come from a vector database."""

    def __init__(
        self, collection: Collection, manifest: IndexManifest, *, exact: bool = False
    ) -> None:
        """Wrap a collection.

        Args:
            collection: the rows.
            manifest: description of the index.
            exact: whether the database compares with all rows, and the result is certified.
        """
        self.count = manifest.count
        self.manifest = manifest
        """Description of the index."""
        self._collection, self._exact = collection, exact

    @property
    def is_exact(self) -> bool:
        """Whether the result is certified with exact scores."""
        return self._exact

    @cached_property
    def exact(self) -> "EngineIndex":
        """The same index with exact searches."""
        return EngineIndex(self._collection, self.manifest, exact=True)

    def prefers_exact(self, selectivity: float) -> bool:
        """Whether an exact search is the better one, by the fraction of rows that are allowed."""
        return selectivity < _EXACT_BELOW

    def uncovered(
        self, rows: Int64[np.ndarray, " m"], where: Filter | None = None
    ) -> Int64[np.ndarray, " u"]:
        """Select the rows that the database lacks, or cannot find by its values of them."""
        return self._collection.uncovered(rows, where)

    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        exact_scores: ExactScores,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
        selectivity: float = 1.0,
        where: Filter | None = None,
    ) -> Int64[np.ndarray, " m"] | None:
        """Select candidates; None if the database cannot answer, or not with lists of this length.

        Lists are extended until `k` rows are allowed, and if the search is exact, until the last
        score listed, with its largest error, is below that of the k-th allowed row.
        """
        engine = self._collection.engine
        if self._collection.has_failed:
            return None
        effort = round(self.manifest.effort * min(_MAX_EFFORT_FACTOR, 1 / max(selectivity, 1e-9)))
        length = k + 32 if self._exact else max(k, _MIN_LIST)
        error = engine.score_error(query)
        while length <= max(_MAX_LIST, 2 * k):
            try:
                rows, scores = engine.candidates(
                    query, length, where, exact=self._exact, effort=effort
                )
            except EngineError as failure:
                self._collection.note_failure(failure)
                return None
            found = rows[rows < self.count]  # others are of a newer version of the index
            if allowed is not None:
                found = found[_is_allowed(found, allowed)]
            if len(rows) < length:
                return found
            if len(found) >= k:
                if not self._exact:
                    return found
                best = np.partition(exact_scores(found), len(found) - k)[-k]
                if float(scores[-1]) + error < best:
                    return found
            length *= 4
        return None


def _is_allowed(
    rows: Int64[np.ndarray, " c"], allowed: UInt8[np.ndarray, " bytes"]
) -> Bool[np.ndarray, " c"]:
    """Test rows against a bitmap of `scan.row_bitmap`."""
    bits: Bool[np.ndarray, " c"] = (allowed[rows >> 3] >> (rows & 7) & 1).astype(bool)
    return bits


def read_rows(store: EmbeddingStore, manifest: IndexManifest) -> UInt64[np.ndarray, " count"]:
    """Map the hashes of the rows.

    Raises:
        StoreCorruptError: the file is missing or damaged.
    """
    path = index_folder(store) / manifest.file
    try:
        hashes: UInt64[np.ndarray, " count"] = np.load(path, mmap_mode="r", allow_pickle=False)
        if hashes.shape != (manifest.count,) or hashes.dtype != np.uint64:
            raise ValueError(f"it has {hashes.shape} {hashes.dtype}, not {manifest.count} numbers")
    except ARRAY_ERRORS as error:
        raise StoreCorruptError(
            f"{path} cannot be read ({error}); {rebuild_hint(store)} --engine {manifest.kind}"
        ) from error
    return hashes


def open_engine_index(
    store: EmbeddingStore, manifest: IndexManifest, catalogue: Catalogue
) -> EngineIndex:
    """Open the index of a store in a vector database; the database is not asked yet.

    Raises:
        StoreCorruptError: the file of the rows is missing or damaged.
        ConfigError: no address of the database is set.
        MissingExtraError: its client is not installed.
    """
    hashes = read_rows(store, manifest)
    collection = Collection(QdrantEngine(manifest.collection), hashes, catalogue)
    return EngineIndex(collection, manifest)
