"""Encode texts that exceed the context length of a text tower, by splitting them."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder, unit

__all__ = ["encode_long_texts", "split_text"]

_BREAKS = re.compile(r"(?<=[,.;:])\s+")


def encode_long_texts(encoder: Encoder, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
    """Encode texts of any length: the normalised mean of the unit vectors of their pieces.

    CLIP reads 77 tokens. RS5M's metadata of fMoW have 128 on average, and everything after the 77th
    (off-nadir angle, cloud cover, position in the image) would be cut off.

    Raises:
        EmptyQueryError: a text has no visible character.
    """
    pieces = [split_text(text, encoder) for text in texts]
    vectors = encoder.encode_texts([piece for of_text in pieces for piece in of_text])
    ends = np.cumsum([len(of_text) for of_text in pieces])
    means = [block.mean(axis=0) for block in np.split(vectors, ends[:-1])]
    return unit(np.stack(means))


def split_text(text: str, encoder: Encoder) -> list[str]:
    """Split a text after punctuation into as few pieces as fit into the context length.

    A long passage without punctuation stays one piece and is truncated by the text tower.
    """
    found: list[str] = []
    for part in _BREAKS.split(text.strip()):
        longer = f"{found[-1]} {part}" if found else part
        needed, read = encoder.token_count(longer)
        if found and needed <= read:
            found[-1] = longer
        else:
            found.append(part)
    return found
