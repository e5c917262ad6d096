"""A query to a scene (a sentence, several wordings, or an image) as a unit vector."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder, unit
from terraseek.errors import EmptyQueryError
from terraseek.localization.methods.registry import get_method
from terraseek.localization.options import LocalizeOptions
from terraseek.scenes import Scene

__all__ = [
    "IMAGE_SIDE",
    "EncodedQuery",
    "ImageQuery",
    "LocalizeQuery",
    "encode_minus",
    "encode_query",
]

IMAGE_SIDE = 2048
"""Longer side in pixels at which a query image is read, so that the same image gives the same
vector from a file, a page and a URL; no encoder uses more pixels."""


@dataclass(frozen=True, eq=False)
class ImageQuery:
    """An image to look for, with a name for its heat map."""

    pixels: UInt8[np.ndarray, "h w 3"]
    """RGB."""
    name: str
    """Name for people: of the file, or the id of an item."""

    @classmethod
    def read(cls, path: Path, name: str = "") -> "ImageQuery":
        """Read an image from any file that can be opened as a scene.

        Args:
            path: the file.
            name: name of the query; default the name of the file.

        Raises:
            SceneError: the file cannot be read.
        """
        with Scene.open(path) as scene:
            return cls(scene.preview(IMAGE_SIDE)[0], name or path.name)


LocalizeQuery = str | Sequence[str] | UInt8[np.ndarray, "h w 3"] | ImageQuery
"""A sentence, several wordings of one thing (their mean vector is the query), or an image."""


@dataclass(frozen=True, eq=False)
class EncodedQuery:
    """A query as a vector, with what is known of it."""

    text: str
    """The wordings joined by " | ", or "picture" and the name of the image."""
    vector: Float32[np.ndarray, " dim"]
    """Unit vector."""
    seconds: float
    """Wall time of encoding it."""
    warnings: tuple[str, ...]
    """One for each sentence that the text tower cuts off."""
    mean_length: float | None = 1.0
    """Length (0-1] of the mean of the wordings' unit vectors; None for an image."""
    sentences: tuple[str, ...] = ()
    """The wordings of the user; none for an image."""


def encode_query(query: LocalizeQuery, encoder: Encoder, options: LocalizeOptions) -> EncodedQuery:
    """Encode a query; sentences that the text tower cuts off give a warning.

    Args:
        query: what to look for.
        encoder: the model.
        options: the method may encode a sentence in several word orders.

    Raises:
        EmptyQueryError: a sentence is blank, or the sequence is empty.
    """
    began = time.perf_counter()
    if isinstance(query, ImageQuery):
        return _encode_image(query.pixels, f"picture {query.name}", encoder, began)
    if isinstance(query, np.ndarray):
        return _encode_image(query, "picture", encoder, began)
    sentences = (query,) if isinstance(query, str) else tuple(query)
    if not sentences:
        raise EmptyQueryError("there is no sentence; say what to look for in a few words")
    for sentence in sentences:
        if not any(unicodedata.category(letter)[0] in "LNS" for letter in sentence):
            problem = f"{sentence!r} holds no word" if sentence.strip() else "the sentence is empty"
            raise EmptyQueryError(f"{problem}; say what to look for in a few words")
    method = get_method(options.method)
    wordings = [w for sentence in sentences for w in method.wordings(sentence, options.seed)]
    mean = encoder.encode_texts(wordings).mean(axis=0, keepdims=True)
    return EncodedQuery(
        text=" | ".join(sentences),
        vector=unit(mean)[0],
        warnings=tuple(filter(None, map(encoder.cut_off_note, sentences))),
        mean_length=float(np.linalg.norm(mean)),
        sentences=sentences,
        seconds=time.perf_counter() - began,
    )


def _encode_image(
    pixels: UInt8[np.ndarray, "h w 3"], text: str, encoder: Encoder, began: float
) -> EncodedQuery:
    vector = encoder.encode_images([pixels])[0]
    return EncodedQuery(text, vector, time.perf_counter() - began, (), mean_length=None)


def encode_minus(encoder: Encoder, options: LocalizeOptions) -> Float32[np.ndarray, " dim"] | None:
    """Mean vector of the sentences to subtract; None where there are none.

    The vector is not normalised, so its product with a window vector is the mean cosine.

    Raises:
        EmptyQueryError: one of the sentences is blank.
    """
    if not options.minus:
        return None
    mean: Float32[np.ndarray, " dim"] = encoder.encode_texts(options.minus).mean(axis=0)
    return mean
