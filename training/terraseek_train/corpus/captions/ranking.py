"""Choice among candidate captions: by similarity, and by invariance to rotation (RS5M, B6-B8)."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from terraseek.encoders.base import Encoder

__all__ = ["most_similar", "rotated_copies", "rotation_variance"]

N_ROTATIONS = 12


def most_similar(
    image: Float32[np.ndarray, " dim"], texts: Float32[np.ndarray, "n dim"], count: int
) -> list[int]:
    """Rows of the `count` texts most similar to an image, best first; ties in order of rows."""
    order: list[int] = np.argsort(-(texts @ image), kind="stable")[:count].tolist()
    return order


def rotated_copies(
    rgb: UInt8[np.ndarray, "h w 3"], circular: bool = False
) -> list[UInt8[np.ndarray, "side side 3"]]:
    """Twelve copies of the centre square, rotated in steps of 30 degrees.

    As published, corners come from outside the square and are black, which differs from angle to
    angle. With `circular`, every copy shows the inscribed circle alone, on the image's mean colour:
    the copies then show the same pixels.
    """
    side = min(rgb.shape[:2])
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    square = np.ascontiguousarray(rgb[top : top + side, left : left + side])
    centre = ((side - 1) / 2, (side - 1) / 2)
    copies = []
    for step in range(N_ROTATIONS):
        turn = cv2.getRotationMatrix2D(centre, 360 / N_ROTATIONS * step, 1.0)
        mode = cv2.BORDER_REFLECT if circular else cv2.BORDER_CONSTANT
        copies.append(cv2.warpAffine(square, turn, (side, side), borderMode=mode))
    if circular:
        rows, columns = np.mgrid[:side, :side]
        outside = np.hypot(rows - centre[0], columns - centre[1]) > side / 2
        colour = square[~outside].mean(axis=0).round().astype(np.uint8)
        for copy in copies:
            copy[outside] = colour
    return [np.asarray(copy, np.uint8) for copy in copies]


def rotation_variance(
    rgb: UInt8[np.ndarray, "h w 3"],
    texts: Sequence[str],
    encoder: Encoder,
    circular: bool = False,
) -> Float64[np.ndarray, " n"]:
    """Variance of each caption's cosine over twelve rotations of the image.

    RS5M chooses the caption with the smallest one: it tends to be less specific, and to name less
    that is not there.
    """
    images = encoder.encode_images(rotated_copies(rgb, circular))
    return np.asarray((encoder.encode_texts(texts) @ images.T).astype(np.float64).var(axis=1))
