"""Vectors of queries, and the search for the items nearest to a place."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.prompts import prompts
from terraseek.errors import QueryError
from terraseek.geo import distance_km
from terraseek.search.query import Query, Weights
from terraseek.significance.evidence import QueryVectors

__all__ = ["mean_text_vector", "nearest_points", "query_parts", "query_vector"]

ItemVector = Callable[[str], Float32[np.ndarray, " dim"]]
"""Return the unit vector of an item id; raises `ItemNotFoundError`."""


def query_vector(
    query: Query, encoder: Encoder, item_vector: ItemVector
) -> Float32[np.ndarray, " dim"]:
    """Compute the unit vector of a query; see `query_parts`.

    Raises:
        QueryError: the parts cancel each other, or the query is a place.
        ItemNotFoundError: the query refers to an unknown item.
    """
    return query_parts(query, encoder, item_vector)[0]


def query_parts(
    query: Query, encoder: Encoder, item_vector: ItemVector
) -> tuple[Float32[np.ndarray, " dim"], QueryVectors | None]:
    """Compute the unit vector of a query, and its sentences apart from everything else.

    Liked and disliked items are used as in Rocchio's relevance feedback (Manning, Raghavan,
    Schuetze: Introduction to Information Retrieval, eq. 9.3), on unit vectors.

    Args:
        query: without a place.
        encoder: for texts and image.
        item_vector: returns the vector of an item.

    Returns:
        The vector; the parts, None for a query without sentences.

    Raises:
        QueryError: the parts cancel each other, or the query is a place.
        ItemNotFoundError: the query refers to an unknown item.
    """
    if query.near is not None:
        raise QueryError("a place has no vector; give a text, an image or an item")
    total = np.zeros(encoder.dim, np.float64)
    wanted: Float64[np.ndarray, " dim"] | None = None
    if query.sentences:
        texts = _text_vectors(query.sentences, encoder, query.ensemble)
        wanted = _weighted(query.text_weight, texts)
    if query.images:
        images = np.asarray(encoder.encode_images(list(query.images)), np.float64)
        total += _weighted(query.image_weight, images)
    if query.items:
        total += _weighted(query.item_weight, _item_vectors(query.items, item_vector))
    if query.liked:
        total += _weighted(query.liked_weight, _item_vectors(query.liked, item_vector))
    if query.minus:
        unwanted = _text_vectors(query.minus, encoder, query.ensemble)
        total -= _weighted(query.minus_weight, unwanted)
    if query.disliked:
        total -= _weighted(query.disliked_weight, _item_vectors(query.disliked, item_vector))
    whole = total if wanted is None else total + wanted
    length = float(np.linalg.norm(whole))
    if length < 1e-6:
        raise QueryError("the parts of the query cancel each other; change texts or weights")
    return (whole / length).astype(np.float32), _query_vectors(query, wanted, total)


def _query_vectors(
    query: Query, wanted: Float64[np.ndarray, " dim"] | None, rest: Float64[np.ndarray, " dim"]
) -> QueryVectors | None:
    weight = float(np.mean(query.text_weight))
    if wanted is None or weight <= 0:
        return None
    return QueryVectors(
        (wanted / weight).astype(np.float32),
        weight,
        rest.astype(np.float32) if rest.any() else None,
    )


def mean_text_vector(
    sentences: Sequence[str], encoder: Encoder, ensemble: bool = False
) -> Float64[np.ndarray, " dim"]:
    """Compute the mean of the unit vectors of sentences.

    Args:
        sentences: at least one.
        encoder: for the sentences.
        ensemble: whether to insert each sentence into the zero-shot prompts. As in the zero-shot
            protocol, features are averaged before they are scaled to length 1.
    """
    mean: Float64[np.ndarray, " dim"] = _text_vectors(sentences, encoder, ensemble).mean(axis=0)
    return mean


def _weighted(
    weights: Weights, vectors: Float64[np.ndarray, "n dim"]
) -> Float64[np.ndarray, " dim"]:
    """Mean of vectors, each multiplied by its weight."""
    factors = np.broadcast_to(np.asarray(weights, np.float64), len(vectors))
    mean: Float64[np.ndarray, " dim"] = (factors[:, None] * vectors).mean(axis=0)
    return mean


def _text_vectors(
    sentences: Sequence[str], encoder: Encoder, ensemble: bool
) -> Float64[np.ndarray, "n dim"]:
    if not ensemble:
        return np.asarray(encoder.encode_texts(list(sentences)), np.float64)
    templates = prompts("rs105")
    rows = [template.format(_class_name(text)) for text in sentences for template in templates]
    features = encoder.encode_text_features(rows)
    means = features.reshape(len(sentences), len(templates), -1).mean(axis=1)
    return np.asarray(unit(means), np.float64)


def _class_name(text: str) -> str:
    """Text without article, full stop and braces, to insert into a prompt."""
    words = text.strip().rstrip(".").replace("{", " ").replace("}", " ").split()
    if len(words) > 1 and words[0].lower() in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)


def _item_vectors(item_ids: Sequence[str], item_vector: ItemVector) -> Float64[np.ndarray, "n dim"]:
    rows = np.stack([np.asarray(item_vector(key), np.float64) for key in item_ids])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def nearest_points(
    place: tuple[float, float],
    lon: Float64[np.ndarray, " n"],
    lat: Float64[np.ndarray, " n"],
    k: int,
) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Find the `k` points nearest to a place.

    Points without coordinates are ignored; equal distances keep their order.

    Args:
        place: (lon, lat) in degrees.
        lon: longitudes in degrees, NaN if unknown.
        lat: latitudes in degrees, NaN if unknown.
        k: maximum number of points.

    Returns:
        Positions of the points, and their distances in kilometres, ascending.
    """
    known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat)).astype(np.int64)
    km = distance_km(lon[known], lat[known], *place)
    order = np.argsort(km, kind="stable")[:k]
    return known[order], np.asarray(km[order], np.float64)
