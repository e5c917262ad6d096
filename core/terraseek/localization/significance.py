"""Significance of a heat map: that of its best windows, by the statistic of searches."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.encoders.cards import ModelCard
from terraseek.localization.query import EncodedQuery
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.significance.assess import assess
from terraseek.significance.evidence import N_BEST, N_PAIRED, PairCosines, QueryVectors
from terraseek.significance.model import Assessment
from terraseek.significance.places import place_model_of
from terraseek.significance.scale import LevelScale

__all__ = ["assess_windows", "best_confidence", "level_scale"]


def assess_windows(
    query: EncodedQuery,
    minus: Float32[np.ndarray, " dim"] | None,
    scores: Float32[np.ndarray, " n"],
    embedding: SceneEmbedding,
    encoder: Encoder,
) -> Assessment | None:
    """Assess the best windows of a scene.

    Args:
        query: the encoded query.
        minus: mean vector of sentences whose cosine is subtracted.
        scores: score of each window; NaN for windows that were not encoded.
        embedding: of the windows.
        encoder: of query and windows.

    Returns:
        The assessment; None for an image, whose cosines with windows are of another kind, for an
        encoder without calibration, and for a scene without windows.

    Raises:
        ConfigError: the calibration of the card is invalid.
    """
    encoded = np.flatnonzero(embedding.encoded)
    if query.mean_length is None or not len(encoded):
        return None
    best = encoded[np.argsort(-scores[encoded], kind="stable")[:N_BEST]]
    paired = encoded[np.linspace(0, len(encoded) - 1, min(len(encoded), N_PAIRED)).astype(int)]
    vectors = QueryVectors(
        query.vector * np.float32(query.mean_length), rest=None if minus is None else -minus
    )
    hits, sample = (np.asarray(embedding.vectors[rows], np.float32) for rows in (best, paired))
    return assess(query.sentences, vectors, hits, PairCosines.of(sample), encoder, "scene")


def level_scale(
    found: Assessment | None, query: EncodedQuery, card: ModelCard | None
) -> LevelScale | None:
    """Level by score of the windows; None where it is unknown.

    Args:
        found: what `assess_windows` found.
        query: the same query.
        card: of the encoder; without values for places, a place has the log odds that the scene
            would have if its best windows had only the score of that place.

    Raises:
        ConfigError: the values of the card cannot be used.
    """
    if found is None or found.scale is None or query.mean_length is None:
        return None
    # the assessment compares means of wordings, of which the query is the unit vector
    scale = replace(found.scale, per_score=found.scale.per_score * query.mean_length)
    places = place_model_of(card)
    return scale if places is None else places.scale(scale, found.level)


def best_confidence(
    scores: Float32[np.ndarray, " n"], query: EncodedQuery, encoder: Encoder
) -> float | None:
    """Fraction (0-1) of unrelated pairs below the best window; None where it is unknown.

    The unit vector of several wordings has `1 / mean_length` times their mean cosine, and the
    background is about single wordings.
    """
    if query.mean_length is None or encoder.calibration is None:
        return None
    return encoder.calibration.percentile(float(np.nanmax(scores)) * query.mean_length) / 100
