"""Assess a query on images or windows: the one way from vectors to a level, for all callers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.significance.evidence import PairCosines, QueryVectors, evidence
from terraseek.significance.model import Assessment, Kind, model_of
from terraseek.significance.readable import readable
from terraseek.significance.reference import reference_texts

__all__ = ["assess"]


def assess(
    sentences: Sequence[str],
    query: QueryVectors,
    hits: Float32[np.ndarray, "k dim"],
    pairs: PairCosines,
    encoder: Encoder,
    kind: Kind = "search",
) -> Assessment | None:
    """Assess a query; None if the encoder's card has no calibration.

    Args:
        sentences: wanted sentences of the query.
        query: its vectors.
        hits: unit vectors of the best images or windows, best first, at least `N_BEST` if there
            are as many.
        pairs: of the images or windows that were searched.
        encoder: of all vectors.
        kind: whether `hits` are images of a catalogue or windows of a scene.

    Raises:
        ConfigError: the calibration of the card cannot be used.
    """
    model = model_of(encoder.card, kind)
    if model is None:
        return None
    found = evidence(query, hits, reference_texts(encoder), pairs)
    return model.assess(found, readable(sentences, encoder.card))
