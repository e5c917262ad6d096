"""Base class of encoders: images and sentences in, unit vectors out.

A subclass implements two batch methods. Resizing, batching, checks and normalisation are here, so
that one image and a million images use the same code.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.dense_tower import DenseTower
from terraseek.errors import EmptyQueryError, ModelError
from terraseek.progress import Progress, silent

__all__ = ["Encoder", "Precision", "fit_square", "unit"]

Precision = Literal["float32", "bfloat16"]
"""Number format of forward passes; `bfloat16` means autocast."""


_MAX_ASPECT = 200
"""Images with a larger ratio of the sides are cropped before they are resized."""


class Encoder(ABC):
    """A CLIP-style pair of image and text tower with a joint embedding space.

    Vectors of two encoders are comparable only if their `encoder_id` is the same.
    """

    card: ModelCard | None = None
    """Model card, set when the encoder is loaded; None for an encoder without one."""
    name: str
    """Name of the model."""
    encoder_id: str
    """`name@` and 12 hex digits of a hash over architecture, weights and preprocessing."""
    dim: int
    """Length of the vectors."""
    image_size: int
    """Side in pixels of the input square of the image tower."""
    batch_size: int = 64
    """Images or sentences per forward pass."""

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.encoder_id}: {self.dim} dimensions, "
            f"{self.image_size} px>"
        )

    @abstractmethod
    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        """Compute features, of any length, of RGB squares of side `image_size`."""

    @abstractmethod
    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        """Compute features, of any length, of sentences."""

    @property
    def calibration(self) -> Calibration | None:
        """Cosines of unrelated pairs, from the card; None if they were not measured.

        Raises:
            ConfigError: the card's calibration cannot be used.
        """
        values = None if self.card is None else self.card.calibration
        return None if values is None else Calibration.from_card(values)

    @property
    def dense(self) -> DenseTower | None:
        """Feature map of the image tower before pooling; None if the tower has none."""
        return None

    def token_count(self, text: str) -> tuple[int, int]:
        """Return the number of tokens of `text` and the most the text tower reads.

        The text is truncated if the first number is larger.
        """
        needed = len(text.split())
        return needed, max(needed, 1 << 30)

    def cut_off_note(self, text: str) -> str:
        """Sentence for people if the text tower does not read the whole of `text`; else empty."""
        needed, limit = self.token_count(text)
        if needed <= limit:
            return ""
        return f"the sentence has {needed} tokens, only the first {limit} are read; shorten it"

    def encode_images(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Encode RGB images of any size (shorter side resized, centre cropped) as unit vectors."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            squares = np.stack([self.fit(image) for image in part])
            out[start : start + len(part)] = self.encode_squares(squares)
            progress("encode images", start + len(part), len(images))
        return out

    def fit(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """Resize and crop an RGB image of any size to the input square of the image tower."""
        return fit_square(image, self.image_size)

    def encode_squares(
        self, squares: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        """Encode RGB squares that already have side `image_size` as unit vectors."""
        out = np.empty((len(squares), self.dim), np.float32)
        for start in range(0, len(squares), self.batch_size):
            part = squares[start : start + self.batch_size]
            out[start : start + len(part)] = unit(self._encode_image_batch(part))
        return out

    def encode_texts(
        self, texts: Sequence[str], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Encode sentences as unit vectors.

        Raises:
            EmptyQueryError: a sentence has no visible character.
        """
        return unit(self.encode_text_features(texts, progress))

    def encode_text_features(
        self, texts: Sequence[str], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Encode sentences as features that are not normalised.

        Prompt ensembles of the zero-shot protocol average these before normalisation. A sentence
        that occurs several times is encoded once and gets exactly the same vector each time;
        otherwise rounding, which depends on the batch, would rank equal sentences by chance.

        Raises:
            EmptyQueryError: a sentence has no visible character.
        """
        for text in texts:
            if not text.strip():
                raise EmptyQueryError("the sentence is empty; say what to look for in a few words")
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        distinct = list(row_of)
        out = np.empty((len(distinct), self.dim), np.float32)
        # sort by length: the time of a batch depends on its longest sentence
        order = np.argsort([len(text) for text in distinct], kind="stable")
        for start in range(0, len(distinct), self.batch_size):
            rows = order[start : start + self.batch_size]
            out[rows] = self._encode_text_batch([distinct[row] for row in rows])
            progress("encode texts", start + len(rows), len(distinct))
        return out[[row_of[text] for text in texts]]


def fit_square(
    image: UInt8[np.ndarray, "h w 3"],
    side: int,
    interpolation: str = "bicubic",
    resize_mode: str = "shortest",
) -> UInt8[np.ndarray, "side side 3"]:
    """Resize and crop an image to the input square of an image tower, as CLIP does.

    Sizes are rounded as in torchvision's `Resize` and `CenterCrop`, with which the published
    encoders were trained.

    Args:
        image: RGB image of any size.
        side: pixels.
        interpolation: `bicubic` or `bilinear`, antialiased.
        resize_mode: `shortest` resizes the shorter side to `side` and crops the centre square;
            `squash` resizes both sides.
    """
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if resize_mode != "squash" and max(height, width) > _MAX_ASPECT * min(height, width):
        # crop first: the resized strip would have many times the pixels of the image
        length = 2 * min(height, width)
        row, col = (max(0, (n - length) // 2) for n in (height, width))
        image = image[row : row + length, col : col + length]
        height, width = image.shape[:2]
    if resize_mode == "squash":
        size = (side, side)
    elif width <= height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    resized = Image.fromarray(image).resize(size, Image.Resampling[interpolation.upper()])
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


def unit(features: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    """Scale rows to length 1.

    Raises:
        ModelError: a row is zero or not finite.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    if not np.all(np.isfinite(length)) or np.any(length == 0):
        raise ModelError("the encoder gave a zero or non-finite vector; its weights are unusable")
    rows: Float32[np.ndarray, "n dim"] = (features / length).astype(np.float32, copy=False)
    return rows
