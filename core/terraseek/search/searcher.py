"""Search: apply the filter, score the rows that pass, and rank the best k."""

from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.catalogue import Catalogue, Filter
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore
from terraseek.encoders.base import Encoder
from terraseek.encoders.calibration import Calibration
from terraseek.errors import QueryError
from terraseek.index.candidates import Candidates
from terraseek.index.scoring import Matrix, top_positions
from terraseek.request import SearchRequest
from terraseek.search import fused_candidates
from terraseek.search.captions import CaptionVectors
from terraseek.search.collapse import best_of_each_group, duplicate_groups
from terraseek.search.fused_candidates import FusedCandidates
from terraseek.search.hits import Hit
from terraseek.search.query import Query
from terraseek.search.query_vectors import nearest_points, query_parts, query_vector
from terraseek.search.result import SearchResult
from terraseek.search.score_fusion import ScoreFusion, ScoreStats, subsample
from terraseek.significance.assess import assess
from terraseek.significance.evidence import N_BEST, N_PAIRED, PairCosines, QueryVectors
from terraseek.significance.model import Assessment

__all__ = ["Searcher"]


class Searcher:
    """Runs queries on one catalogue with one encoder; can be shared between threads."""

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
            catalogue: to search in.
            encoder: for the queries.
            store: vectors of the encoder, if already open.
            exact: whether to score all items even if there is an index.

        Raises:
            StoreNotFoundError: the catalogue has no vectors of this encoder.
            EncoderMismatchError: the vectors are of another encoder.
            StoreCorruptError: the vectors cannot be used.
        """
        self.catalogue = catalogue
        self.encoder = encoder
        self.store = store or EmbeddingStore.open(catalogue, encoder.encoder_id)
        self.store.check_encoder(encoder.encoder_id)
        self._exact = exact
        self._lock = Lock()
        self._image_candidates = Candidates(self.store, catalogue)

    @property
    def _images(self) -> Matrix:
        return self._image_candidates.matrix

    @cached_property
    def _captions(self) -> CaptionVectors:
        return CaptionVectors(self.store, self.catalogue)

    @cached_property
    def _fused_candidates(self) -> FusedCandidates:
        return FusedCandidates(self._image_candidates, self._captions)

    @cached_property
    def _calibration(self) -> Calibration | None:
        return self.encoder.calibration

    def search(
        self,
        query: Query,
        k: int = 20,
        where: Filter | None = None,
        *,
        collapse_duplicates: bool = False,
    ) -> SearchResult:
        """Find the `k` best items that pass a filter, or all if there are fewer.

        The score is the cosine of query and image, or, with `query.alpha` a,
        `(1 - a) * image + a * caption` with the caption's cosine on the scale of the images'
        (`ScoreFusion`); items without a caption have their image cosine. Items without an image
        have their caption's cosine on that scale; they are found if `alpha` is above 0, or if no
        item that passes the filter has an image. For a query by place the
        score is minus the distance in kilometres. Equal scores are ordered by row. The same call
        gives the same result.

        Args:
            query: to run.
            k: maximum number of hits.
            where: filter of the items; None for all.
            collapse_duplicates: whether to return only the best hit of each group of
                near-duplicates (`duplicate_of`) that pass the filter.

        Raises:
            QueryError: `k` is below 1, or the query cannot be run.
            ItemNotFoundError: the query refers to an unknown item.
            FilterError: the filter refers to an unknown source or label.
            ConfigError: duplicates are to be collapsed, but were never marked.
        """
        if not collapse_duplicates:
            return self._search(query, k, where)
        groups = duplicate_groups(self.catalogue)
        n_requested = k
        while True:  # until k groups are found
            result = self._search(query, n_requested, where)
            hits = best_of_each_group(result.hits, groups)
            if len(hits) >= k or len(result.hits) < n_requested:
                ranked = [replace(hit, rank=rank) for rank, hit in enumerate(hits[:k], start=1)]
                return replace(result, hits=ranked)
            n_requested *= 2

    def run(self, request: SearchRequest) -> SearchResult:
        """Answer a request; see `search`.

        Raises:
            EmptyQueryError: the request has no query.
        """
        return self.search(
            request.ranked_query,
            request.k,
            request.filter or None,
            collapse_duplicates=request.collapse_duplicates,
        )

    def _search(self, query: Query, k: int, where: Filter | None) -> SearchResult:
        if k < 1:
            raise QueryError(f"the number of hits must be 1 or more, not {k}")
        self.store.raise_if_changed()
        if query.near is not None:
            return self._nearest(query, query.near, k, where)
        rows, matched = self._filtered_rows(where)
        captions_only = self._rows_of_captions_only(where, query.alpha > 0 or not len(rows))
        searchable = len(rows) + len(captions_only)
        excluded = [*query.disliked, *query.items]
        if excluded:
            known = [self.catalogue.row(key) for key in excluded]
            rows, captions_only = (some[~np.isin(some, known)] for some in (rows, captions_only))
        vector, parts = query_parts(query, self.encoder, self._item_vector)
        background = np.asarray(self._sample @ vector, np.float32)
        fusion = self._fusion(background, vector, query.alpha)
        found, scores, exact = self._rank(rows, vector, fusion, max(k, N_BEST), where)
        assessed = self._assess(query, parts, found, rows)
        found, scores = found[:k], scores[:k]
        if len(captions_only):
            ranked = self._rank_captions(captions_only, vector, fusion, k, where)
            found, scores, exact = _merged((found, scores, exact), ranked, k)
        self.store.check_rows(found)
        return SearchResult(
            hits=self._hits(found, scores, vector, query, fusion, assessed),
            significance=None if assessed is None else assessed.level,
            matched=matched,
            query=query,
            encoder_id=self.encoder.encoder_id,
            unsearchable=matched - searchable,
            exact=exact,
            catalogue=self.catalogue,
        )

    def vector(self, query: Query) -> Float32[np.ndarray, " dim"]:
        """Compute the unit vector of a query, for example to localize it in a scene.

        Raises:
            QueryError: the query has no vector.
            ItemNotFoundError: the query refers to an unknown item.
        """
        return query_vector(query, self.encoder, self._item_vector)

    def _nearest(
        self, query: Query, place: tuple[float, float], k: int, where: Filter | None
    ) -> SearchResult:
        """Rank items by distance, including those without a vector."""
        passed = self.catalogue.active if where is None else self.catalogue.mask(where)
        rows = np.flatnonzero(passed).astype(np.int64)
        lon, lat = (degrees[rows] for degrees in self.catalogue.lonlat())
        at, km = nearest_points(place, lon, lat, k)
        items = self.catalogue.items_at(rows[at]).to_dict("records")
        hits = [
            _hit(item, -round(float(distance), 6), rank, {"distance_km": round(float(distance), 6)})
            for rank, (item, distance) in enumerate(zip(items, km, strict=True), 1)
        ]
        return SearchResult(
            hits, len(rows), query, self.encoder.encoder_id, catalogue=self.catalogue
        )

    def _fusion(
        self,
        background: Float32[np.ndarray, " n"],
        vector: Float32[np.ndarray, " dim"],
        alpha: float,
    ) -> ScoreFusion:
        """Score fusion of a query, with statistics of samples of image and caption cosines."""
        captions = self._captions.sample_scores(vector) if alpha > 0 else background[:0]
        return ScoreFusion(alpha, ScoreStats.of(background), ScoreStats.of(captions))

    @cached_property
    def _sample(self) -> Float32[np.ndarray, "n dim"]:
        """Vectors of a fixed sample of images, the background of a query's cosines."""
        rows = subsample(np.flatnonzero(self.store.flags & HAS_IMAGE).astype(np.int64))
        return np.asarray(self.store.vectors[rows], np.float32)

    def _assess(
        self,
        query: Query,
        parts: QueryVectors | None,
        found: Int64[np.ndarray, " h"],
        rows: Int64[np.ndarray, " m"],
    ) -> Assessment | None:
        """Significance of the best rows among those searched; None where it is unknown."""
        if parts is None or not len(found):
            return None
        with self._lock:
            hits = self._images.rows(found)
        return assess(query.sentences, parts, hits, self._pair_cosines(rows), self.encoder)

    def _pair_cosines(self, rows: Int64[np.ndarray, " m"]) -> PairCosines:
        """Cosines of pairs of the searched images."""
        if rows is self._all_rows:
            return self._all_pairs
        return PairCosines.of(self._images.rows(subsample(rows, N_PAIRED)))

    @cached_property
    def _all_pairs(self) -> PairCosines:
        return PairCosines.of(self._sample)

    def _filtered_rows(self, where: Filter | None) -> tuple[Int64[np.ndarray, " m"], int]:
        """Rows that pass the filter and have a vector, and the number of all items that pass."""
        if where is None:
            return self._all_rows, self.catalogue.count
        passed = self.catalogue.mask(where)
        usable = self._image_candidates.usable_mask
        rows = np.flatnonzero(passed[: len(usable)] & usable).astype(np.int64)
        return rows, int(passed.sum())

    def _rows_of_captions_only(self, where: Filter | None, wanted: bool) -> Int64[np.ndarray, " c"]:
        """Rows that pass the filter and have a caption vector but no image; empty if not wanted."""
        flags = self.store.flags
        mask = (flags & (HAS_IMAGE | HAS_CAPTION)) == HAS_CAPTION
        if not wanted or not mask.any():
            return np.empty(0, np.int64)
        passed = self.catalogue.active if where is None else self.catalogue.mask(where)
        return np.flatnonzero(mask & passed[: len(mask)]).astype(np.int64)

    def _rank_captions(
        self,
        rows: Int64[np.ndarray, " c"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
        k: int,
        where: Filter | None,
    ) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"], bool]:
        """The `k` best items without images, as `_rank` gives those with images."""
        with self._lock:
            captions = self._captions
        found, cosines, exact = captions.find(rows, vector, k, self._exact, where)
        has_images = bool(len(self._image_candidates.usable))
        scores = fusion.to_image_scale(cosines) if has_images else cosines
        return found, scores.round(7), exact

    @cached_property
    def _all_rows(self) -> Int64[np.ndarray, " m"]:
        """Rows with a vector that are not deleted; one array, because caches use its identity."""
        usable = self._image_candidates.usable_mask
        alive = self.catalogue.active[: len(usable)]
        return self._image_candidates.usable if alive.all() else np.flatnonzero(usable & alive)

    def _item_vector(self, item_id: str) -> Float32[np.ndarray, " dim"]:
        """Stored vector of an item; the image is encoded if there is none."""
        row = self.catalogue.row(item_id)
        if row < self.store.count and self.store.flags[row] & HAS_IMAGE:
            with self._lock:
                images = self._images
            self.store.check_rows(np.array([row]))
            return images.row(row)
        encoded: Float32[np.ndarray, " dim"] = self.encoder.encode_images(
            [self.catalogue.read_image(item_id)]
        )[0]
        return encoded

    def _rank(
        self,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
        k: int,
        where: Filter | None,
    ) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"], bool]:
        """The `k` best rows in order, their scores, and whether they are provably the best."""
        with self._lock:
            images = self._images
            fused = self._fused_candidates if fusion.alpha > 0 else None
        if fused is None:
            rows, exact = self._image_candidates.find(rows, vector, k, self._exact, where)
            scores = images.exact_scores(rows, vector)
        else:
            rows, exact = self._select_fused(fused, rows, vector, fusion, k, where)
            scores = fused.exact_scores(rows, vector, fusion)
        scores = scores.round(7)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order], exact

    def _select_fused(
        self,
        fused: FusedCandidates,
        rows: Int64[np.ndarray, " m"],
        vector: Float32[np.ndarray, " dim"],
        fusion: ScoreFusion,
        k: int,
        where: Filter | None,
    ) -> tuple[Int64[np.ndarray, " c"], bool]:
        """Rows to score exactly: from merged lists if there are many, otherwise by a full scan."""
        if not self._exact and len(rows) * len(vector) > fused_candidates.MIN_ELEMENTS:
            found = fused.find(rows, vector, fusion, k, where)
            if found is not None:
                return found
        return rows[top_positions(fused.approximate_scores(rows, vector, fusion), k)], True

    def _hits(
        self,
        rows: Int64[np.ndarray, " h"],
        scores: Float64[np.ndarray, " h"],
        vector: Float32[np.ndarray, " dim"],
        query: Query,
        fusion: ScoreFusion,
        assessed: Assessment | None,
    ) -> list[Hit]:
        has_image = self._image_candidates.usable_mask[rows]
        images = np.zeros(len(rows))
        images[has_image] = self._images.exact_scores(rows[has_image], vector).round(7)
        with_caption = np.flatnonzero(~has_image)
        if query.alpha > 0:
            with_caption = np.flatnonzero(self._captions.has_caption(rows))
        caption_scores = self._captions.exact_scores(rows[with_caption], vector)
        captions = dict(zip(with_caption.tolist(), caption_scores, strict=True))
        items = self.catalogue.items_at(rows).to_dict("records")
        rank_among_images = np.cumsum(has_image) - 1  # hits without an image are not assessed
        hits = []
        for at, item in enumerate(items):
            image = float(images[at])
            caption = round(float(captions[at]), 7) if at in captions else None
            if not has_image[at]:
                extra = {"caption_score": caption, "matched_by": "caption"}
                hits.append(_hit(item, float(scores[at]), at + 1, extra))
                continue
            number = int(rank_among_images[at])
            extra = ({} if assessed is None else _hit_significance(assessed, number)) | {
                "percentile": self._percentile(image) if query.is_text_only else None,
                "image_score": image,
                "caption_score": caption,
                "margin": round(fusion.images.z_score(image), 3),
                "matched_by": fusion.main_contribution(image, caption) if query.alpha > 0 else None,
            }
            hits.append(_hit(item, float(scores[at]), at + 1, extra))
        return hits

    def _percentile(self, cosine: float) -> float | None:
        """Percentile of an image among unrelated pairs; None without a calibration."""
        return None if self._calibration is None else self._calibration.percentile(cosine)


def _hit_significance(assessed: Assessment, at: int) -> dict[str, Any]:
    return {
        "significance": assessed.levels[at],
        "probability": round(float(assessed.probabilities[at]), 4),
    }


def _merged(
    one: tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"], bool],
    other: tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " n"], bool],
    k: int,
) -> tuple[Int64[np.ndarray, " h"], Float64[np.ndarray, " h"], bool]:
    """The `k` best of two rankings."""
    rows, scores = (np.concatenate([one[at], other[at]]) for at in (0, 1))
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order], one[2] and other[2]


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
