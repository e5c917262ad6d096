"""From a query to a vector, and the queries that need none: the items nearest to a place."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.prompts import prompts
from terraseek.errors import QueryError
from terraseek.geo import distance_km
from terraseek.search.query import Query

__all__ = ["mix", "nearest", "words_vector"]

VectorOf = Callable[[str], Float32[np.ndarray, " dim"]]
"""Unit vector of the item with an id; raises `ItemNotFoundError`."""


def mix(query: Query, encoder: Encoder, vector_of: VectorOf) -> Float32[np.ndarray, " dim"]:
    """Unit vector of a query.

    Liked and disliked items move it as in Rocchio's relevance feedback (Manning, Raghavan,
    Schuetze: Introduction to Information Retrieval, eq. 9.3), on unit vectors.

    Args:
        query: what is asked.
        encoder: turns its words and image into vectors.
        vector_of: vectors of the items it names.

    Raises:
        QueryError: the parts cancel each other, or the query is a place.
        ItemNotFoundError: it names an item that is not there.
    """
    if query.near is not None:
        raise QueryError("a place has no vector; ask for words, a picture or an item")
    total = np.zeros(encoder.dim, np.float64)
    if query.sentences:
        total += query.text_weight * words_vector(query.sentences, encoder, query.ensemble)
    if query.image is not None:
        total += query.image_weight * encoder.encode_images([query.image])[0]
    if query.item_id is not None:
        total += query.item_weight * _mean([query.item_id], vector_of)
    if query.liked:
        total += query.liked_weight * _mean(query.liked, vector_of)
    if query.minus:
        total -= query.minus_weight * words_vector(query.minus, encoder, query.ensemble)
    if query.disliked:
        total -= query.disliked_weight * _mean(query.disliked, vector_of)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise QueryError("the parts of the query cancel each other; change words or weights")
    return (total / length).astype(np.float32)


def words_vector(
    sentences: Sequence[str], encoder: Encoder, ensemble: bool = False
) -> Float64[np.ndarray, " dim"]:
    """Mean of the unit vectors of sentences.

    Args:
        sentences: at least one.
        encoder: whose text tower.
        ensemble: put each sentence into the zero-shot prompts first; as in the zero-shot protocol
            features are averaged before they are scaled to length 1.
    """
    if not ensemble:
        return np.asarray(encoder.encode_texts(list(sentences)).mean(axis=0), np.float64)
    frames = prompts("rs105")
    rows = [frame.format(_bare(text)) for text in sentences for frame in frames]
    features = encoder.encode_text_features(rows)
    means = features.reshape(len(sentences), len(frames), -1).mean(axis=1)
    return np.asarray(unit(means).mean(axis=0), np.float64)


def _bare(text: str) -> str:
    """A thing's name as the prompts take it: without article, full stop and braces."""
    words = text.strip().rstrip(".").replace("{", " ").replace("}", " ").split()
    if len(words) > 1 and words[0].lower() in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)


def _mean(item_ids: Sequence[str], vector_of: VectorOf) -> Float64[np.ndarray, " dim"]:
    rows = np.stack([np.asarray(vector_of(key), np.float64) for key in item_ids])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    mean: Float64[np.ndarray, " dim"] = rows.mean(axis=0)
    return mean


def nearest(
    place: tuple[float, float],
    lon: Float64[np.ndarray, " n"],
    lat: Float64[np.ndarray, " n"],
    k: int,
) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Positions of the `k` points nearest to a place and their distances in kilometres, rising.

    Points without coordinates are left out; equal distances keep their order.

    Args:
        place: (lon, lat) in degrees.
        lon: degrees east, NaN where unknown.
        lat: degrees north, NaN where unknown.
        k: how many.
    """
    known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat)).astype(np.int64)
    km = distance_km(lon[known], lat[known], *place)
    order = np.argsort(km, kind="stable")[:k]
    return known[order], np.asarray(km[order], np.float64)
