"""VLM score: how well an image fits the words "remote sensing image", in RS5M's 33 prompts."""

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder, unit

__all__ = ["PROMPTS", "prompt_vector"]

_NOUNS = ("remote sensing image", "aerial image", "satellite image")
_WORDINGS = (
    "",
    "low resolution ",
    "bad ",
    "cropped ",
    "bright ",
    "dark ",
    "close-up ",
    "black and white ",
    "jpeg corrupted ",
    "blurry ",
    "good ",
)
PROMPTS = tuple(
    f"{'an' if (wording + noun)[0] in 'aeiou' else 'a'} {wording}{noun}."
    for noun in _NOUNS
    for wording in _WORDINGS
)
"""11 wordings of 3 nouns (RS5M, appendix B5)."""


def prompt_vector(encoder: Encoder) -> Float32[np.ndarray, " dim"]:
    """Mean of the features of all prompts, which are not normalised before, as a unit vector."""
    features = encoder.encode_text_features(PROMPTS).mean(axis=0, keepdims=True)
    vector: Float32[np.ndarray, " dim"] = unit(features.astype(np.float32))[0]
    return vector
