"""Search: the filter first, then exact scores of everything that passed, then the best k."""

from collections.abc import Mapping
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.catalogue import Catalogue, Filter
from terraseek.encoders.base import Encoder
from terraseek.errors import QueryError
from terraseek.search.calibration import Calibration
from terraseek.search.hits import Hit, SearchResult
from terraseek.search.query import Query, mix
from terraseek.search.scoring import Matrix, best
from terraseek.search.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore

__all__ = ["Searcher"]


class Searcher:
    """Answers queries about one catalogue with one encoder; safe to share between threads."""

    def __init__(
        self, catalogue: Catalogue, encoder: Encoder, store: EmbeddingStore | None = None
    ) -> None:
        """Open the encoder's vectors.

        Args:
            catalogue: what to search.
            encoder: what turns queries into vectors.
            store: its vectors, if they are open already.

        Raises:
            StoreNotFoundError: the catalogue has none of this encoder.
            EncoderMismatchError: they are of another encoder.
            StoreCorruptError: they cannot be used.
        """
        self.catalogue = catalogue
        self.encoder = encoder
        self.store = store or EmbeddingStore.open(catalogue, encoder.encoder_id)
        self.store.refuse_other(encoder.encoder_id)
        self._items = catalogue.items()
        self._lock = Lock()

    @cached_property
    def _images(self) -> Matrix:
        return Matrix(self.store.vectors)

    @cached_property
    def _captions(self) -> Matrix:
        return Matrix(self.store.captions)

    @cached_property
    def _calibration(self) -> Calibration | None:
        card = getattr(self.encoder, "card", None)
        values = getattr(card, "calibration", None)
        return Calibration.read(values) if isinstance(values, Mapping) else None

    def search(self, query: Query, k: int = 20, where: Filter | None = None) -> SearchResult:
        """The `k` best items that meet a filter, or all if there are fewer.

        The score is the cosine of query and picture, or, with `query.alpha` a,
        `(1 - a) * picture + a * caption`; items without a caption keep their picture's cosine.
        Equal scores are ordered by row. The same call gives the same answer.

        Args:
            query: what is asked.
            k: how many hits are wanted.
            where: which items may be found; all without it.

        Raises:
            QueryError: `k` is below 1, or the query cannot be answered.
            ItemNotFoundError: the query names an item that is not there.
            FilterError: the filter names a source or label that is not there.
        """
        if k < 1:
            raise QueryError(f"the number of hits must be 1 or more, not {k}")
        rows, matched = self._candidates(where)
        searchable = len(rows)
        if query.item_id is not None:
            rows = rows[rows != self.catalogue.row(query.item_id)]
        vector = mix(query, self.encoder, self._item_vector(query))
        found, scores = self._rank(rows, vector, query.alpha, k)
        return SearchResult(
            hits=self._hits(found, scores, vector, query),
            matched=matched,
            query=query,
            encoder_id=self.encoder.encoder_id,
            unsearchable=matched - searchable,
        )

    def vector(self, query: Query) -> Float32[np.ndarray, " dim"]:
        """Unit vector of a query, for example to look for it in a scene.

        Raises:
            QueryError: the query cannot be answered.
            ItemNotFoundError: the query names an item that is not there.
        """
        return mix(query, self.encoder, self._item_vector(query))

    def _candidates(self, where: Filter | None) -> tuple[Int64[np.ndarray, " m"], int]:
        """Rows that meet the filter and have a vector, and how many meet it at all."""
        usable = (self.store.flags & HAS_IMAGE) > 0
        if where is None:
            return np.flatnonzero(usable).astype(np.int64), self.catalogue.count
        passed = self.catalogue.where(where)
        return np.flatnonzero(passed[: len(usable)] & usable).astype(np.int64), int(passed.sum())

    def _item_vector(self, query: Query) -> Float32[np.ndarray, " dim"] | None:
        """Stored vector of the item, or its picture encoded now if it is new."""
        if query.item_id is None:
            return None
        row = self.catalogue.row(query.item_id)
        if row < self.store.count and self.store.flags[row] & HAS_IMAGE:
            with self._lock:
                return self._images.row(row)
        fresh: Float32[np.ndarray, " dim"] = self.encoder.encode_images(
            [self.catalogue.read_image(query.item_id)]
        )[0]
        return fresh

    def _rank(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        alpha: float,
        k: int,
    ) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"]]:
        """Rows of the best `k` and their scores, in order."""
        with self._lock:
            images = self._images
            captions = self._captions if alpha > 0 else None
        rough = images.scores(rows, vector)
        if captions is not None:
            worded = self._worded(rows)
            rough[worded] *= 1 - alpha
            rough[worded] += alpha * captions.scores(rows[worded], vector)
        rows = rows[best(rough, k)]
        scores = images.exact(rows, vector)
        if captions is not None:
            worded = self._worded(rows)
            scores[worded] *= 1 - alpha
            scores[worded] += alpha * captions.exact(rows[worded], vector)
        scores = scores.round(7)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def _worded(self, rows: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " w"]:
        return np.flatnonzero(self.store.flags[rows] & HAS_CAPTION).astype(np.int64)

    def _hits(
        self,
        rows: Int64[np.ndarray, " h"],
        scores: Float64[np.ndarray, " h"],
        vector: Float32[np.ndarray, " dim"],
        query: Query,
    ) -> list[Hit]:
        images = self._images.exact(rows, vector).round(7)
        captions = self._captions.exact(rows, vector).round(7) if query.alpha > 0 else None
        items = self._items.iloc[rows].to_dict("records")
        hits = []
        for at, item in enumerate(items):
            worded = captions is not None and bool(self.store.flags[rows[at]] & HAS_CAPTION)
            extra = self._judged(query, float(images[at]))
            extra["image_score"] = float(images[at])
            extra["caption_score"] = (
                float(captions[at]) if captions is not None and worded else None
            )
            hits.append(_hit(item, float(scores[at]), at + 1, extra))
        return hits

    def _judged(self, query: Query, cosine: float) -> dict[str, Any]:
        """Percentile and verdict, for what the calibration is about: words alone on pictures."""
        plain = query.image is None and query.item_id is None and not query.minus
        if self._calibration is None or not plain or query.alpha > 0:
            return {}
        return {
            "percentile": self._calibration.percentile(cosine),
            "convincing": self._calibration.convincing(cosine),
        }


def _hit(item: dict[Any, Any], score: float, rank: int, extra: dict[str, Any]) -> Hit:
    located = np.isfinite(item["lon"]) and np.isfinite(item["lat"])
    return Hit(
        item_id=item["item_id"],
        score=score,
        lon=float(item["lon"]) if located else None,
        lat=float(item["lat"]) if located else None,
        caption=item["caption"],
        image=item["image"],
        rank=rank,
        label=item["label"],
        source=item["source"],
        location_precision=item["location_precision"],
        **extra,
    )
