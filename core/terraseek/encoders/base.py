"""What an encoder is: images and sentences in, unit vectors out.

A subclass writes two batch methods; resizing, batching, checks and normalisation are here, so that
one image and a million take the same path.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from terraseek.encoders.nets.feature_maps import DenseTower
from terraseek.errors import EmptyQueryError, ModelError
from terraseek.progress import Progress, silent

__all__ = ["INTERPOLATIONS", "RESIZE_MODES", "Encoder", "fit_square", "unit"]

INTERPOLATIONS = ("bicubic", "bilinear")
RESIZE_MODES = ("shortest", "squash")


class Encoder(ABC):
    """A CLIP-style pair of towers with one embedding space.

    Vectors of two encoders are comparable only if their `encoder_id` is the same.
    """

    name: str
    """Name of the model card."""
    encoder_id: str
    """`name@` and 12 hex digits over architecture, weights and preprocessing."""
    dim: int
    """Length of the vectors."""
    image_size: int
    """Side in pixels of the square the image tower sees."""
    batch_size: int = 64
    """Images or sentences per forward pass."""

    @abstractmethod
    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        """Features of RGB squares of side `image_size`; any length."""

    @abstractmethod
    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        """Features of sentences; any length."""

    @property
    def dense(self) -> DenseTower | None:
        """The image tower before its pooling; None where it has no such thing."""
        return None

    def token_count(self, text: str) -> tuple[int, int]:
        """Tokens `text` needs and tokens the text tower reads; more needed means it is cut off."""
        needed = len(text.split())
        return needed, max(needed, 1 << 30)

    def encode_images(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Unit vectors of RGB images of any size: shorter side resized, centre cropped."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            squares = np.stack([self.fit(image) for image in part])
            out[start : start + len(part)] = self.encode_squares(squares)
            progress("encode images", start + len(part), len(images))
        return out

    def fit(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """The square the image tower sees of an RGB image of any size."""
        return fit_square(image, self.image_size)

    def encode_squares(
        self, squares: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        """Unit vectors of RGB squares that already have side `image_size`."""
        out = np.empty((len(squares), self.dim), np.float32)
        for start in range(0, len(squares), self.batch_size):
            part = squares[start : start + self.batch_size]
            out[start : start + len(part)] = unit(self._encode_image_batch(part))
        return out

    def encode_texts(
        self, texts: Sequence[str], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Unit vectors of sentences.

        Raises:
            EmptyQueryError: a sentence has no visible character.
        """
        return unit(self.encode_text_features(texts, progress))

    def encode_text_features(
        self, texts: Sequence[str], progress: Progress = silent
    ) -> Float32[np.ndarray, "n dim"]:
        """Features of sentences with the length the text tower gave them.

        Prompt ensembles of the zero-shot protocol average these before they normalise. A sentence
        that is there several times has the same vector each time, to the last bit: beside other
        sentences rounding differs, and what is equal would be ranked by chance.

        Raises:
            EmptyQueryError: a sentence has no visible character.
        """
        for text in texts:
            if not text.strip():
                raise EmptyQueryError("the sentence is empty; say what to look for in a few words")
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        distinct = list(row_of)
        out = np.empty((len(distinct), self.dim), np.float32)
        # sentences of like length together: a batch takes as long as its longest
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
    """The square an image tower sees, made as CLIP does.

    The rounding is torchvision's, whose `Resize` and `CenterCrop` the published encoders were
    trained with.

    Args:
        image: RGB image of any size.
        side: pixels.
        interpolation: one of `INTERPOLATIONS`, antialiased.
        resize_mode: `shortest` side to `side`, then the centre square; or `squash` to the square.
    """
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if resize_mode == "squash":
        size = (side, side)
    elif width <= height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    how = Image.Resampling[interpolation.upper()]
    resized = Image.fromarray(image).resize(size, how)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


def unit(features: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    """Rows scaled to length 1.

    Raises:
        ModelError: a row is zero or not finite, which no direction can be made of.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    if not np.all(np.isfinite(length)) or np.any(length == 0):
        raise ModelError("the encoder gave a zero or non-finite vector; its weights are unusable")
    rows: Float32[np.ndarray, "n dim"] = (features / length).astype(np.float32, copy=False)
    return rows
