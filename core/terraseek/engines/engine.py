"""What search asks of a vector database; `qdrant` is one.

A database holds a copy of the vectors of a store, by row number, and of the columns that it can
filter by (`payload`). It only selects candidates: their scores are computed from the stored
vectors, and a row that it returns although the filter does not allow it is dropped. A filter may
therefore be passed on in part, or with a margin, but must never leave out a row that meets it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from terraseek.catalogue.filters.filter import Filter

__all__ = ["Engine"]


class Engine(ABC):
    """One collection of vectors in a database.

    Every method raises `EngineError` if the database cannot be reached or refuses the request.
    """

    name: str
    """Name of the collection in the database."""

    @abstractmethod
    def upsert(
        self,
        rows: Int64[np.ndarray, " m"],
        vectors: Float[np.ndarray, "m dim"],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Insert rows, or replace those that are there already."""

    @abstractmethod
    def delete(self, rows: Int64[np.ndarray, " m"]) -> None:
        """Delete rows; those that are not there are ignored."""

    @abstractmethod
    def candidates(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        where: Filter | None,
        *,
        exact: bool,
        effort: int,
    ) -> tuple[Int64[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
        """Find the rows of the highest dot products among those that may meet a filter.

        Args:
            query: unit vector.
            k: number of rows; fewer are returned only if there are no more, or by an inexact
                search.
            where: filter, of which any part may be applied; None for all rows.
            exact: whether to compare with all rows instead of using a graph.
            effort: size of the queue of an inexact search.

        Returns:
            Rows, best first, and their dot products, with an error of `score_error`.
        """

    @abstractmethod
    def score_error(self, query: Float32[np.ndarray, " dim"]) -> float:
        """Bound of the error of the dot products of a query."""

    @abstractmethod
    def applies(self, where: Filter | None) -> bool:
        """Whether any part of a filter is applied by the database."""

    @abstractmethod
    def count(self) -> int:
        """Number of rows in the collection."""

    @abstractmethod
    def drop(self) -> None:
        """Delete the collection."""
