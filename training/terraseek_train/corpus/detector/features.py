"""Features of the detector: the vector of a registered encoder, and statistics of the pixels.

An encoder trained on overhead imagery alone has seen no graphics; flat areas, few colours and
straight edges are what its vectors say little about.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder

__all__ = ["N_STATISTICS", "detector_features", "measure_images", "pixel_statistics"]

N_STATISTICS = 16
_SIDE = 96


def detector_features(
    vectors: Float32[np.ndarray, "n dim"], statistics: Float32[np.ndarray, "n k"]
) -> Float32[np.ndarray, "n features"]:
    """Join vectors, scaled to a mean square of one, and statistics."""
    scaled = vectors * np.sqrt(vectors.shape[1])
    return np.concatenate([scaled, statistics], axis=1).astype(np.float32)


def pixel_statistics(rgb: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, " k"]:
    """Sixteen statistics of an image, most of them shares between 0 and 1."""
    small = cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.float32) / 255
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = np.hypot(across, down)
    codes = (small // 16).astype(np.int32) @ np.array([256, 16, 1])
    counts = np.sort(np.bincount(codes.ravel()))[::-1] / codes.size
    counts = counts[counts > 0]
    # share of gradients along the axes: high for drawings and text
    angle = np.abs(np.arctan2(np.abs(down), np.abs(across)) - np.pi / 4) / (np.pi / 4)
    strong = edges > 0.25
    blur = cv2.GaussianBlur(grey, (0, 0), 4)
    top, bottom = grey[: _SIDE // 3].mean(), grey[-_SIDE // 3 :].mean()
    middle = grey[_SIDE // 3 : -_SIDE // 3, _SIDE // 3 : -_SIDE // 3].mean()
    values = (
        grey.mean(),
        grey.std(),
        hsv[..., 1].mean(),
        hsv[..., 1].std(),
        (edges < 0.01).mean(),
        strong.mean(),
        float(angle[strong].mean()) if strong.any() else 0.0,
        counts[0],
        counts[:4].sum(),
        min(1.0, len(counts) / 400),
        float(-(counts * np.log(counts)).sum() / 8),
        (grey > 0.95).mean(),
        (grey < 0.05).mean(),
        float(np.abs(grey - blur).mean() * 10),
        float(top - bottom),
        float(middle - grey.mean()),
    )
    return np.array(values, np.float32)


def measure_images(
    images: list[UInt8[np.ndarray, "h w 3"]], encoder: Encoder
) -> Float32[np.ndarray, "n features"]:
    """Features of decoded images."""
    statistics = np.stack([pixel_statistics(image) for image in images])
    return detector_features(encoder.encode_images(images), statistics)
