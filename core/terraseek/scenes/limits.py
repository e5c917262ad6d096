"""Limits of file and image size; a decompression bomb is refused before any pixel is decoded."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from terraseek.errors import ConfigError, SceneTooLargeError, UnsupportedSceneError

__all__ = ["SceneLimits"]

MAX_BLOCK_BYTES = 1 << 28
"""Largest decoded strip or tile in bytes, because GDAL decodes each as a whole."""

MAX_SEQUENTIAL_BYTES = 1 << 30
"""Largest decoded image in bytes of a format that is decoded from its first row, such as PNG."""

SEQUENTIAL_DRIVERS = frozenset({"PNG", "GIF", "WEBP"})
"""GDAL drivers of formats whose pixels cannot be read without those before them."""


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = int(text.replace("_", ""))
    except ValueError as error:
        raise ConfigError(
            f"{name}={text!r} must be a whole number, for example {default}"
        ) from error
    if value < 1:
        raise ConfigError(f"{name}={text!r} must be at least 1")
    return value


@dataclass(frozen=True, slots=True)
class SceneLimits:
    """Upper limits, with defaults from environment variables."""

    max_pixels: int = field(
        default_factory=lambda: _from_environment("TERRASEEK_MAX_PIXELS", 2_000_000_000)
    )
    """Number of pixels, columns times rows (`TERRASEEK_MAX_PIXELS`)."""
    max_bytes: int = field(
        default_factory=lambda: _from_environment("TERRASEEK_MAX_BYTES", 500_000_000)
    )
    """Size of the file in bytes (`TERRASEEK_MAX_BYTES`)."""

    max_gcp_error_px: int = field(
        default_factory=lambda: _from_environment("TERRASEEK_MAX_GCP_ERROR", 10)
    )
    """Error of the fit to ground control points in pixels (`TERRASEEK_MAX_GCP_ERROR`)."""

    def check_control_points(self, path: Path, residual_px: float | None) -> None:
        """Refuse a raster whose control points contradict each other.

        Raises:
            UnsupportedSceneError: the fit misses them by more than `max_gcp_error_px`.
        """
        if residual_px is not None and residual_px > self.max_gcp_error_px:
            raise UnsupportedSceneError(
                f"the control points of {path.name} contradict each other: the best fit misses "
                f"them by {residual_px:,.0f} pixels, the limit is {self.max_gcp_error_px}; correct "
                "them, or raise TERRASEEK_MAX_GCP_ERROR to accept places that are so wrong"
            )

    def check_file(self, path: Path, size: int) -> None:
        """Refuse a file above `max_bytes`.

        Raises:
            SceneTooLargeError: the message has both sizes and the setting that raises the limit.
        """
        if size > self.max_bytes:
            raise SceneTooLargeError(
                f"{path.name} has {size / 1e6:,.1f} MB, the limit is "
                f"{self.max_bytes / 1e6:,.1f} MB; cut the scene or raise TERRASEEK_MAX_BYTES"
            )

    def check_pixels(self, path: Path, width: int, height: int) -> None:
        """Refuse a raster above `max_pixels`.

        Raises:
            SceneTooLargeError: the message has both sizes and the setting that raises the limit.
        """
        if width * height > self.max_pixels:
            raise SceneTooLargeError(
                f"{path.name} has {width:,} x {height:,} = {width * height / 1e6:,.1f} megapixels, "
                f"the limit is {self.max_pixels / 1e6:,.1f}; cut the scene or raise "
                "TERRASEEK_MAX_PIXELS"
            )
