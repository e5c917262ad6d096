"""Qdrant as the vector database of a search: its server, or the client's local mode for tests.

`TERRASEEK_QDRANT` is the address of the server, such as `http://localhost:6333`, and
`TERRASEEK_QDRANT_KEY` its API key, if it has one. `:memory:` keeps the vectors in this process.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from terraseek.catalogue.filters.filter import Filter
from terraseek.display import import_extra
from terraseek.engines.engine import Engine
from terraseek.engines.qdrant_filter import qdrant_filter
from terraseek.errors import ConfigError, EngineError

__all__ = ["ADDRESS_VARIABLE", "MEMORY_ADDRESS", "QdrantEngine", "address"]

ADDRESS_VARIABLE = "TERRASEEK_QDRANT"
"""Environment variable with the address of the server."""
MEMORY_ADDRESS = ":memory:"
"""Address of a database in the memory of this process."""
_KEY_VARIABLE = "TERRASEEK_QDRANT_KEY"
_TIMEOUT_S = 10
_BATCH = 512
_POLL_S = 0.5
_UPLOAD_TIMEOUT_S = 300
_FLOAT32_ERROR = 4e-6
"""Bound of the error of float32 sums of products of unit vectors."""
_log = logging.getLogger(__name__)


def address() -> str:
    """Address of the server, from the settings.

    Raises:
        ConfigError: it is not set, or is no address.
    """
    found = os.environ.get(ADDRESS_VARIABLE, "").strip()
    if found == MEMORY_ADDRESS or found.startswith(("http://", "https://")):
        return found
    raise ConfigError(
        f"{ADDRESS_VARIABLE} is {found!r}; set it to the address of a Qdrant server, e.g. "
        "http://localhost:6333"
    )


class QdrantEngine(Engine):
    """A collection of a Qdrant server."""

    def __init__(self, name: str, server: str | None = None) -> None:
        """Connect to a collection, which may not exist yet; see `create`.

        Raises:
            ConfigError: no server is set.
            MissingExtraError: `qdrant-client` is not installed.
        """
        self.name = name
        self._models = import_extra("qdrant_client.models", "qdrant")
        self._client = _client(server or address())

    def create(self, dim: int) -> None:
        """Create the collection, for dot products of float16 vectors, with indexes of payload."""
        models = self._models
        schema = models.PayloadSchemaType
        kinds = {
            "at": schema.GEO,
            "source": schema.KEYWORD,
            "label": schema.KEYWORD,
            "precision": schema.KEYWORD,
            "gsd_m": schema.FLOAT,
            "first": schema.INTEGER,
            "last": schema.INTEGER,
        }
        with _as_engine_error(self.name):
            self._client.create_collection(
                self.name,
                vectors_config=models.VectorParams(
                    size=dim, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16
                ),
            )
            if self._is_local:  # its warning says that payload indexes have no effect
                return
            for field, kind in kinds.items():
                self._client.create_payload_index(self.name, field, field_schema=kind)

    @property
    def _is_local(self) -> bool:
        return type(self._client._client).__name__ == "QdrantLocal"

    def upsert(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float[np.ndarray, "m dim"],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Insert rows, or replace those that are there already."""
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            batch = self._models.Batch(
                ids=rows[part].tolist(),
                vectors=np.asarray(vectors[part], np.float32).tolist(),
                payloads=list(payloads[part]),
            )
            with _as_engine_error(self.name):
                self._client.upsert(self.name, batch, wait=True, timeout=_UPLOAD_TIMEOUT_S)

    def delete(self, rows: Int64[np.ndarray, " m"]) -> None:
        """Delete rows; those that are not there are ignored."""
        for start in range(0, len(rows), _BATCH):
            points = self._models.PointIdsList(points=rows[start : start + _BATCH].tolist())
            with _as_engine_error(self.name):
                self._client.delete(self.name, points, wait=True)

    def wait(self, seconds: float = 3600) -> None:
        """Wait until the graph of all rows is built; a search before that is slower."""
        end = time.monotonic() + seconds
        green = self._models.CollectionStatus.GREEN
        while time.monotonic() < end:
            with _as_engine_error(self.name):
                if self._client.get_collection(self.name).status == green:
                    return
            time.sleep(_POLL_S)
        _log.warning("Qdrant has not finished the graph of %s after %d s", self.name, seconds)

    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        where: Filter | None,
        *,
        exact: bool,
        effort: int,
    ) -> tuple[Int64[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
        """Find the rows of the highest dot products among those that may meet a filter."""
        params = None  # the local mode is always exact, and warns if it is told so
        if not self._is_local:
            params = self._models.SearchParams(
                exact=exact, hnsw_ef=None if exact else max(effort, k)
            )
        with _as_engine_error(self.name):
            points = self._client.query_points(
                self.name,
                query=query.tolist(),
                query_filter=qdrant_filter(where, self._models),
                search_params=params,
                limit=k,
                with_payload=False,
            ).points
        rows = np.array([point.id for point in points], np.int64)
        return rows, np.array([point.score for point in points], np.float32)

    def score_error(self, query: Float32[np.ndarray, " dim"]) -> float:
        """Bound of the error of dot products: Qdrant rounds the query to float16 too."""
        rounded = query.astype(np.float16).astype(np.float32)
        return float(np.linalg.norm(query - rounded)) * 1.001 + _FLOAT32_ERROR

    def applies(self, where: Filter | None) -> bool:
        """Whether any part of a filter is applied by the database."""
        return qdrant_filter(where, self._models) is not None

    def count(self) -> int:
        """Number of rows in the collection."""
        with _as_engine_error(self.name):
            return int(self._client.count(self.name, exact=True).count)

    def exists(self) -> bool:
        """Whether the collection exists."""
        with _as_engine_error(self.name):
            return bool(self._client.collection_exists(self.name))

    def drop(self) -> None:
        """Delete the collection."""
        with _as_engine_error(self.name):
            self._client.delete_collection(self.name)


@cache
def _client(server: str) -> Any:  # noqa: ANN401 - untyped package
    """One client a process and address; it is safe to share between threads."""
    package = import_extra("qdrant_client", "qdrant")
    if server == MEMORY_ADDRESS:
        return package.QdrantClient(MEMORY_ADDRESS)
    key = os.environ.get(_KEY_VARIABLE) or None
    # without its check of versions, which asks the server before the first request and warns
    return package.QdrantClient(
        url=server, api_key=key, timeout=_TIMEOUT_S, check_compatibility=False
    )


@contextmanager
def _as_engine_error(name: str) -> Iterator[None]:
    """Translate the errors of the client."""
    exceptions = import_extra("qdrant_client.http.exceptions", "qdrant")
    try:
        yield
    except (exceptions.ApiException, ValueError) as error:  # ValueError: of the local mode
        raise EngineError(
            f"Qdrant cannot answer for the collection {name} ({_first_line(error)}); check that "
            f"{ADDRESS_VARIABLE} names a running server, or build the index again"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
