"""Background distribution of scores: cosines of sentences with images they do not describe.

An image of another class can still show what a sentence says: "forest" is true of a village with
trees. Such pairs are positives and would shift the distribution to higher cosines. So a pair is
left out if the classes agree, if a caption of the image names the concept, or if a caption is as
similar to the sentence as sentences of one class are to each other.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from terraseek.encoders.base import Encoder
from terraseek_train.data.sources.templates import CONCEPTS, concept_of, concept_texts

__all__ = ["background", "background_sentences", "content_words", "summary"]

_QUANTILES = (
    *(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995),
    *(0.9998, 0.9999, 0.99995),
)
"""The tail is heavier than a normal one, and significance needs shares of one in ten thousand."""
_PER_CONCEPT = 5
"""Sentences per concept."""
_SIMILAR = 0.6
"""Cosine from which two sentences count as similar; without hubness correction, which makes
.81 c + .19 of a cosine c, it was 0.5."""
_NOT_OBJECTS = (
    "a an the of with and by in to at from on above is are there this that seen large many some "
    "several small big white green dense open area areas land ground running round winding few "
    "main not was rows dry bare natural"
)
"""Words in the phrases of concepts that name no object."""


def background_sentences() -> list[tuple[str, str]]:
    """List (concept, sentence) pairs: five template sentences of every concept."""
    pairs = []
    for concept in CONCEPTS:
        texts = concept_texts(concept)
        step = max(1, len(texts) // _PER_CONCEPT)
        pairs += [(concept, text) for text in texts[::step][:_PER_CONCEPT]]
    return pairs


def background(
    encoder: Encoder,
    images: Float[np.ndarray, "n dim"],
    labels: Sequence[str | None],
    captions: Sequence[Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Compute statistics of the cosines of template sentences with images of other concepts.

    Args:
        encoder: the encoder that made the image vectors.
        images: unit rows.
        labels: scene class of each image; pairs of equal concepts are left out.
        captions: captions of each image, by which further positive pairs are left out.
    """
    sentences = background_sentences()
    texts = encoder.encode_texts([text for _, text in sentences])
    cosines = texts @ np.asarray(images, np.float32).T
    concepts = [concept_of(label) for label in labels]
    unrelated = np.array(
        [[concept != sentence_concept for concept in concepts] for sentence_concept, _ in sentences]
    )
    if captions is not None:
        sentence_concepts = [concept for concept, _ in sentences]
        unrelated &= ~_names_concept(sentence_concepts, captions)
        unrelated &= ~_similar_caption(encoder, texts, captions)
    return summary(cosines[unrelated]) | {
        "sentences": len(sentences),
        "images": len(images),
        "pairs": int(unrelated.sum()),
    }


def _names_concept(
    concepts: Sequence[str], captions: Sequence[Sequence[str]]
) -> Bool[np.ndarray, "sentences images"]:
    """Whether a caption of the image contains a word of the concept."""
    concept_words = {concept: content_words(CONCEPTS[concept]) for concept in set(concepts)}
    caption_words = [content_words(sentences) for sentences in captions]
    return np.array(
        [[bool(concept_words[concept] & words) for words in caption_words] for concept in concepts]
    )


def content_words(sentences: Sequence[str]) -> set[str]:
    """Extract words that name objects, in lower case and without a final s."""
    found = re.findall("[a-z]+", " ".join(sentences).lower())
    return {word.removesuffix("s") for word in found if word not in _NOT_OBJECTS.split()}


def _similar_caption(
    encoder: Encoder,
    texts: Float[np.ndarray, "sentences dim"],
    captions: Sequence[Sequence[str]],
) -> Bool[np.ndarray, "sentences images"]:
    """Whether a caption of the image is similar to the sentence for the encoder's text tower.

    False for an image without captions.
    """
    distinct = list(dict.fromkeys(text for sentences in captions for text in sentences))
    result = np.zeros((len(texts), len(captions)), bool)
    if not distinct:
        return result
    similar = texts @ encoder.encode_texts(distinct).T >= _SIMILAR
    rows = {text: row for row, text in enumerate(distinct)}
    for image, sentences in enumerate(captions):
        if sentences:
            result[:, image] = similar[:, [rows[text] for text in sentences]].any(axis=1)
    return result


def summary(cosines: Float[np.ndarray, " n"]) -> dict[str, Any]:
    """Compute mean, standard deviation and quantiles (share 0-1 → cosine), to five decimals."""
    return {
        "mean": round(float(cosines.mean()), 5),
        "std": round(float(cosines.std()), 5),
        "quantiles": {
            f"{share:g}": round(float(np.quantile(cosines, share)), 5) for share in _QUANTILES
        },
    }
