"""Vectors of queries, and the search for the items nearest to a place."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.prompts import prompts
from terraseek.errors import QueryError
from terraseek.geo import distance_km
from terraseek.search.query import Query

__all__ = ["mean_text_vector", "nearest_points", "query_vector"]

ItemVector = Callable[[str], Float32[np.ndarray, " dim"]]
"""Return the unit vector of an item id; raises `ItemNotFoundError`."""


def query_vector(
    query: Query, encoder: Encoder, item_vector: ItemVector
) -> Float32[np.ndarray, " dim"]:
    """Compute the unit vector of a query.

    Liked and disliked items are used as in Rocchio's relevance feedback (Manning, Raghavan,
    Schuetze: Introduction to Information Retrieval, eq. 9.3), on unit vectors.

    Args:
        query: without a place.
        encoder: for texts and image.
        item_vector: returns the vector of an item.

    Raises:
        QueryError: the parts cancel each other, or the query is a place.
        ItemNotFoundError: the query refers to an unknown item.
    """
    if query.near is not None:
        raise QueryError("a place has no vector; give a text, an image or an item")
    total = np.zeros(encoder.dim, np.float64)
    if query.sentences:
        total += query.text_weight * mean_text_vector(query.sentences, encoder, query.ensemble)
    if query.image is not None:
        total += query.image_weight * encoder.encode_images([query.image])[0]
    if query.item_id is not None:
        total += query.item_weight * _mean([query.item_id], item_vector)
    if query.liked:
        total += query.liked_weight * _mean(query.liked, item_vector)
    if query.minus:
        total -= query.minus_weight * mean_text_vector(query.minus, encoder, query.ensemble)
    if query.disliked:
        total -= query.disliked_weight * _mean(query.disliked, item_vector)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise QueryError("the parts of the query cancel each other; change texts or weights")
    return (total / length).astype(np.float32)


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
    if not ensemble:
        return np.asarray(encoder.encode_texts(list(sentences)).mean(axis=0), np.float64)
    templates = prompts("rs105")
    rows = [template.format(_class_name(text)) for text in sentences for template in templates]
    features = encoder.encode_text_features(rows)
    means = features.reshape(len(sentences), len(templates), -1).mean(axis=1)
    return np.asarray(unit(means).mean(axis=0), np.float64)


def _class_name(text: str) -> str:
    """Text without article, full stop and braces, to insert into a prompt."""
    words = text.strip().rstrip(".").replace("{", " ").replace("}", " ").split()
    if len(words) > 1 and words[0].lower() in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)


def _mean(item_ids: Sequence[str], item_vector: ItemVector) -> Float64[np.ndarray, " dim"]:
    rows = np.stack([np.asarray(item_vector(key), np.float64) for key in item_ids])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    mean: Float64[np.ndarray, " dim"] = rows.mean(axis=0)
    return mean


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
