"""A question to a scene as a unit vector."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder, unit
from terraseek.errors import EmptyQueryError
from terraseek.localization.methods.selo import shuffles
from terraseek.localization.options import LocalizeOptions
from terraseek.scenes import Scene

__all__ = ["IMAGE_SIDE", "Asked", "Picture", "Query", "ask", "subtracted"]

IMAGE_SIDE = 2048
"""Longer side in pixels an image to look for is read at, whoever reads it; no encoder sees more,
and the same image must give the same vector from file, page and address."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to look for, with the name its map goes by."""

    pixels: UInt8[np.ndarray, "h w 3"]
    """RGB."""
    name: str
    """For people: a file's name, or an item's id."""

    @classmethod
    def read(cls, path: Path, name: str = "") -> "Picture":
        """An image out of any file a scene may be read from.

        Args:
            path: the file.
            name: what to call it; the file's own name unless given.

        Raises:
            SceneError: it cannot be read.
        """
        with Scene.open(path) as scene:
            return cls(scene.thumbnail(IMAGE_SIDE)[0], name or path.name)


Query = str | Sequence[str] | UInt8[np.ndarray, "h w 3"] | Picture
"""A sentence, several wordings of one thing (their mean is asked), or an image."""


@dataclass(frozen=True, eq=False)
class Asked:
    """An encoded query."""

    text: str
    """The words, or "image" with its name if it has one."""
    vector: Float32[np.ndarray, " dim"]
    seconds: float
    """Wall time of encoding it."""
    warnings: tuple[str, ...]
    share: float | None = 1.0
    """Length (0-1] of the mean of the wordings' unit vectors; None for an image."""
    sentences: tuple[str, ...] = ()
    """The wordings as they were asked; none for an image."""


def ask(query: Query, encoder: Encoder, options: LocalizeOptions) -> Asked:
    """Encode a query; sentences cut off by the text tower are reported, not hidden.

    Raises:
        EmptyQueryError: a sentence is blank, or the sequence is empty.
    """
    began = time.perf_counter()
    if isinstance(query, Picture):
        return _image(query.pixels, f"picture {query.name}", encoder, began)
    if isinstance(query, np.ndarray):
        return _image(query, "picture", encoder, began)
    sentences = [query] if isinstance(query, str) else list(query)
    if not sentences:
        raise EmptyQueryError("there is no sentence; say what to look for in a few words")
    wordings = sentences
    if options.method == "selo-v2":
        wordings = [w for sentence in sentences for w in shuffles(sentence, options.seed)]
    mean = encoder.encode_texts(wordings).mean(axis=0, keepdims=True)
    share = float(np.linalg.norm(mean))
    warnings = tuple(filter(None, (_cut_off(sentence, encoder) for sentence in sentences)))
    seconds = time.perf_counter() - began
    words = tuple(sentences)
    return Asked(" | ".join(words), unit(mean)[0], seconds, warnings, share, words)


def _image(pixels: UInt8[np.ndarray, "h w 3"], text: str, encoder: Encoder, began: float) -> Asked:
    vector = encoder.encode_images([pixels])[0]
    return Asked(text, vector, time.perf_counter() - began, (), None)


def _cut_off(sentence: str, encoder: Encoder) -> str:
    needed, limit = encoder.token_count(sentence)
    if needed <= limit:
        return ""
    return f"the sentence has {needed} tokens, only the first {limit} are read; shorten it"


def subtracted(encoder: Encoder, options: LocalizeOptions) -> Float32[np.ndarray, " dim"] | None:
    """Mean vector of the sentences to subtract; its product with a window is their mean cosine.

    Raises:
        EmptyQueryError: one of them is blank.
    """
    if not options.minus:
        return None
    mean: Float32[np.ndarray, " dim"] = encoder.encode_texts(options.minus).mean(axis=0)
    return mean
