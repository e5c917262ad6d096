"""What cosines sentences have with images they are not about: the background of a score.

An image of another class can still show the thing: a "forest" sentence on a village with trees.
Such pairs are true, have true pairs' cosines, and would raise the bar for everything. So a pair is
left out where the classes agree, where a caption of the image names the concept, and where a
caption is as close to the sentence as sentences of one class are to each other.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from terraseek.encoders.base import Encoder
from terraseek_train.data.sources.templates import CONCEPTS, concept_of, concept_texts

__all__ = ["background", "background_sentences", "content_words", "summary"]

_SHARES = (
    *(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995),
    *(0.9998, 0.9999, 0.99995),
)
"""The tail is longer than a normal one, and verdicts ask for shares of one in ten thousand."""
_PER_CONCEPT = 5
_ALIKE = 0.6
"""Cosine of two sentences; before hubs, which make .81 c + .19 of a likeness c, it was 0.5."""
_PLAIN = (
    "a an the of with and by in to at from on above is are there this that seen large many some "
    "several small big white green dense open area areas land ground running round winding few "
    "main not was rows dry bare natural"
)
"""Words of concepts that name no thing."""


def background_sentences() -> list[tuple[str, str]]:
    """(concept, sentence) pairs: five wordings of every concept TerraSeek has words for."""
    found = []
    for concept in CONCEPTS:
        texts = concept_texts(concept)
        step = max(1, len(texts) // _PER_CONCEPT)
        found += [(concept, text) for text in texts[::step][:_PER_CONCEPT]]
    return found


def background(
    encoder: Encoder,
    images: Float[np.ndarray, "n dim"],
    labels: Sequence[str | None],
    captions: Sequence[Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Statistics of the cosines of general sentences with images they are not about.

    Args:
        encoder: which made the vectors.
        images: unit rows.
        labels: scene class per image; images of a sentence's own concept are left out.
        captions: sentences per image, by which more true pairs are left out; None knows none.
    """
    sentences = background_sentences()
    texts = encoder.encode_texts([text for _, text in sentences])
    cosines = texts @ np.asarray(images, np.float32).T
    concepts = [concept_of(label) for label in labels]
    other = np.array([[mine != asked for mine in concepts] for asked, _ in sentences])
    if captions is not None:
        asked_concepts = [asked for asked, _ in sentences]
        other &= ~_named(asked_concepts, captions) & ~_alike(encoder, texts, captions)
    return summary(cosines[other]) | {
        "sentences": len(sentences),
        "images": len(images),
        "pairs": int(other.sum()),
    }


def _named(
    concepts: Sequence[str], captions: Sequence[Sequence[str]]
) -> Bool[np.ndarray, "sentences images"]:
    """Whether a caption of the image holds a word of the concept."""
    own = {concept: content_words(CONCEPTS[concept]) for concept in set(concepts)}
    said = [content_words(sentences) for sentences in captions]
    return np.array([[bool(own[concept] & words) for words in said] for concept in concepts])


def content_words(sentences: Sequence[str]) -> set[str]:
    """Words of sentences that name things, in lower case and without a plural's s."""
    found = re.findall("[a-z]+", " ".join(sentences).lower())
    return {word.removesuffix("s") for word in found if word not in _PLAIN.split()}


def _alike(
    encoder: Encoder,
    texts: Float[np.ndarray, "sentences dim"],
    captions: Sequence[Sequence[str]],
) -> Bool[np.ndarray, "sentences images"]:
    """Whether a caption of the image is close to the sentence, by the encoder's own text tower.

    An image without captions is like nothing.
    """
    known = list(dict.fromkeys(text for sentences in captions for text in sentences))
    alike = np.zeros((len(texts), len(captions)), bool)
    if not known:
        return alike
    near = texts @ encoder.encode_texts(known).T >= _ALIKE
    rows = {text: row for row, text in enumerate(known)}
    for image, sentences in enumerate(captions):
        if sentences:
            alike[:, image] = near[:, [rows[text] for text in sentences]].any(axis=1)
    return alike


def summary(cosines: Float[np.ndarray, " n"]) -> dict[str, Any]:
    """Mean, standard deviation and quantiles (share 0-1 → cosine), rounded to five decimals."""
    return {
        "mean": round(float(cosines.mean()), 5),
        "std": round(float(cosines.std()), 5),
        "quantiles": {
            f"{share:g}": round(float(np.quantile(cosines, share)), 5) for share in _SHARES
        },
    }
