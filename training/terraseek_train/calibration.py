"""What cosines sentences have with pictures they are not about: the background of a score."""

from typing import Any

import numpy as np
from jaxtyping import Float

from terraseek.encoders.base import Encoder
from terraseek_train.sources.templates import CONCEPTS, concept_of, concept_texts

__all__ = ["background", "background_sentences", "summary"]

_SHARES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995)
_PER_CONCEPT = 5


def background_sentences() -> list[tuple[str, str]]:
    """(concept, sentence) pairs: five wordings of every concept TerraSeek has words for."""
    found = []
    for concept in CONCEPTS:
        texts = concept_texts(concept)
        step = max(1, len(texts) // _PER_CONCEPT)
        found += [(concept, text) for text in texts[::step][:_PER_CONCEPT]]
    return found


def background(
    encoder: Encoder, images: Float[np.ndarray, "n dim"], labels: list[str | None]
) -> dict[str, Any]:
    """Statistics of the cosines of general sentences with pictures of other classes.

    Args:
        encoder: which made the vectors.
        images: unit rows.
        labels: scene class per picture; pictures of a sentence's own concept are left out.
    """
    sentences = background_sentences()
    texts = encoder.encode_texts([text for _, text in sentences])
    cosines = texts @ np.asarray(images, np.float32).T
    concepts = [concept_of(label) for label in labels]
    other = np.array([[mine != asked for mine in concepts] for asked, _ in sentences])
    return summary(cosines[other]) | {
        "sentences": len(sentences),
        "images": len(images),
        "pairs": int(other.sum()),
    }


def summary(cosines: Float[np.ndarray, " n"]) -> dict[str, Any]:
    """Mean, standard deviation and quantiles (share 0-1 → cosine), rounded to five decimals."""
    return {
        "mean": round(float(cosines.mean()), 5),
        "std": round(float(cosines.std()), 5),
        "quantiles": {
            f"{share:g}": round(float(np.quantile(cosines, share)), 5) for share in _SHARES
        },
    }
