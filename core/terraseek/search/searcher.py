"""Search: the filter first, then exact scores of everything that passed, then the best k."""

from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.catalogue import Catalogue, Filter
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.encoders.base import Encoder
from terraseek.encoders.calibration import Calibration
from terraseek.errors import QueryError
from terraseek.index.candidates import Shortlist
from terraseek.index.scoring import Matrix, best
from terraseek.search import score_fusion
from terraseek.search.background import Blend, Spread, convincing_from, spaced
from terraseek.search.captions import Words
from terraseek.search.hits import Hit, SearchResult
from terraseek.search.query import Query
from terraseek.search.query_vectors import mix, nearest
from terraseek.search.score_fusion import Mixture

__all__ = ["Searcher"]


class Searcher:
    """Answers queries about one catalogue with one encoder; safe to share between threads."""

    def __init__(
        self,
        catalogue: Catalogue,
        encoder: Encoder,
        store: EmbeddingStore | None = None,
        *,
        exact: bool = False,
    ) -> None:
        """Open the encoder's vectors.

        Args:
            catalogue: what to search.
            encoder: what turns queries into vectors.
            store: its vectors, if they are open already.
            exact: compare with every item although there is an index that is faster.

        Raises:
            StoreNotFoundError: the catalogue has none of this encoder.
            EncoderMismatchError: they are of another encoder.
            StoreCorruptError: they cannot be used.
        """
        self.catalogue = catalogue
        self.encoder = encoder
        self.store = store or EmbeddingStore.open(catalogue, encoder.encoder_id)
        self.store.refuse_other(encoder.encoder_id)
        self._exact = exact
        self._lock = Lock()
        self._shortlist = Shortlist(self.store)

    @property
    def _images(self) -> Matrix:
        return self._shortlist.matrix

    @cached_property
    def _words(self) -> Words:
        return Words(self.store)

    @cached_property
    def _mixture(self) -> Mixture:
        return Mixture(self._shortlist, self._words)

    @cached_property
    def _calibration(self) -> Calibration | None:
        return self.encoder.calibration

    def search(self, query: Query, k: int = 20, where: Filter | None = None) -> SearchResult:
        """The `k` best items that meet a filter, or all if there are fewer.

        The score is the cosine of query and image, or, with `query.alpha` a,
        `(1 - a) * image + a * caption` with the caption's cosine brought to the scale of the
        images' (`Blend`); items without a caption keep their image's cosine. For a place it is
        minus the distance in kilometres. Equal scores are ordered by row. The same call gives the
        same answer.

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
        if query.near is not None:
            return self._nearest(query, query.near, k, where)
        rows, matched = self._candidates(where)
        searchable = len(rows)
        left_out = [*query.disliked, *([] if query.item_id is None else [query.item_id])]
        if left_out:
            rows = rows[~np.isin(rows, [self.catalogue.row(key) for key in left_out])]
        vector = self.vector(query)
        background = np.asarray(self._sample @ vector, np.float32)
        blend = self._blend(background, vector, query.alpha)
        found, scores, certain = self._rank(rows, vector, blend, k)
        return SearchResult(
            hits=self._hits(found, scores, vector, query, blend, background, len(rows)),
            matched=matched,
            query=query,
            encoder_id=self.encoder.encoder_id,
            unsearchable=matched - searchable,
            exact=certain,
        )

    def vector(self, query: Query) -> Float32[np.ndarray, " dim"]:
        """Unit vector of a query, for example to look for it in a scene.

        Raises:
            QueryError: the query cannot be answered.
            ItemNotFoundError: the query names an item that is not there.
        """
        return mix(query, self.encoder, self._item_vector)

    def _nearest(
        self, query: Query, place: tuple[float, float], k: int, where: Filter | None
    ) -> SearchResult:
        """Items by their distance; those without a vector are found, too."""
        passed = self.catalogue.active if where is None else self.catalogue.mask(where)
        rows = np.flatnonzero(passed).astype(np.int64)
        lon, lat = (degrees[rows] for degrees in self.catalogue.lonlat())
        at, km = nearest(place, lon, lat, k)
        items = self.catalogue.items_at(rows[at]).to_dict("records")
        hits = [
            _hit(item, -round(float(far), 6), rank, {"distance_km": round(float(far), 6)})
            for rank, (item, far) in enumerate(zip(items, km, strict=True), 1)
        ]
        return SearchResult(hits, len(rows), query, self.encoder.encoder_id)

    def _blend(
        self,
        background: Float32[np.ndarray, " n"],
        vector: Float32[np.ndarray, " dim"],
        alpha: float,
    ) -> Blend:
        """How image and caption mix for a query."""
        told = self._words.sampled(vector) if alpha > 0 else background[:0]
        return Blend(alpha, Spread.of(background), Spread.of(told))

    @cached_property
    def _sample(self) -> Float32[np.ndarray, "n dim"]:
        """Images whose cosines are ordinary for a query: a fixed part of the catalogue."""
        rows = spaced(np.flatnonzero(self.store.flags & HAS_IMAGE).astype(np.int64))
        return np.asarray(self.store.vectors[rows], np.float32)

    def _candidates(self, where: Filter | None) -> tuple[Int64[np.ndarray, " m"], int]:
        """Rows that meet the filter and have a vector, and how many meet it at all."""
        if where is None:
            return self._everything, self.catalogue.count
        passed = self.catalogue.mask(where)
        usable = self._shortlist.usable_mask
        rows = np.flatnonzero(passed[: len(usable)] & usable).astype(np.int64)
        return rows, int(passed.sum())

    @cached_property
    def _everything(self) -> Int64[np.ndarray, " m"]:
        """Rows with a vector that were not deleted; one array, so that its bits are made once."""
        usable = self._shortlist.usable_mask
        alive = self.catalogue.active[: len(usable)]
        return self._shortlist.usable if alive.all() else np.flatnonzero(usable & alive)

    def _item_vector(self, item_id: str) -> Float32[np.ndarray, " dim"]:
        """Stored vector of an item, or its image encoded now if it is new."""
        row = self.catalogue.row(item_id)
        if row < self.store.count and self.store.flags[row] & HAS_IMAGE:
            with self._lock:
                return self._images.row(row)
        fresh: Float32[np.ndarray, " dim"] = self.encoder.encode_images(
            [self.catalogue.read_image(item_id)]
        )[0]
        return fresh

    def _rank(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        blend: Blend,
        k: int,
    ) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"], bool]:
        """Rows of the best `k` and their scores, in order, and whether no better one is missed."""
        with self._lock:
            images = self._images
            mixture = self._mixture if blend.alpha > 0 else None
        if mixture is None:
            rows, certain = self._shortlist.likely(rows, vector, k, self._exact)
            scores = images.exact(rows, vector)
        else:
            rows, certain = self._mixed(mixture, rows, vector, blend, k)
            scores = mixture.scores(rows, vector, blend)
        scores = scores.round(7)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order], certain

    def _mixed(
        self,
        mixture: Mixture,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        blend: Blend,
        k: int,
    ) -> tuple[Int64[np.ndarray, " c"], bool]:
        """Rows to score exactly for a mixture, by lists where comparing all would take long."""
        if not self._exact and len(rows) * len(vector) > score_fusion.WORTH:
            found = mixture.likely(rows, vector, blend, k)
            if found is not None:
                return found
        return rows[best(mixture.rough(rows, vector, blend), k)], True

    def _hits(
        self,
        rows: Int64[np.ndarray, " h"],
        scores: Float64[np.ndarray, " h"],
        vector: Float32[np.ndarray, " dim"],
        query: Query,
        blend: Blend,
        background: Float32[np.ndarray, " n"],
        searched: int,
    ) -> list[Hit]:
        images = self._images.exact(rows, vector).round(7)
        told = np.flatnonzero(self._words.among(rows)) if query.alpha > 0 else rows[:0]
        captions = dict(zip(told.tolist(), self._words.exact(rows[told], vector), strict=True))
        lowest = None
        if self._calibration is not None and query.is_words:
            lowest = convincing_from(self._calibration, background, images, searched)
        items = self.catalogue.items_at(rows).to_dict("records")
        hits = []
        for at, item in enumerate(items):
            image = float(images[at])
            caption = round(float(captions[at]), 7) if at in captions else None
            extra = self._judged(image, lowest) | {
                "image_score": image,
                "caption_score": caption,
                "margin": round(blend.images.margin(image), 3),
                "matched_by": blend.side(image, caption) if query.alpha > 0 else None,
            }
            hits.append(_hit(item, float(scores[at]), at + 1, extra))
        return hits

    def _judged(self, cosine: float, lowest: float | None) -> dict[str, Any]:
        """Percentile and verdict of an image, where the encoder is calibrated."""
        if self._calibration is None or lowest is None:
            return {}
        percentile = self._calibration.percentile(cosine)
        return {"percentile": percentile, "convincing": cosine >= lowest}


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
