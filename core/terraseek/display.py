"""Images as PNG, JPEG and data URLs, for notebooks."""

import base64
import io
from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from terraseek.errors import MissingExtraError

__all__ = ["data_url", "import_extra", "jpeg_bytes", "png_bytes", "shortened"]

_JPEG_QUALITY = 85


def png_bytes(image: UInt8[np.ndarray, "h w channels"]) -> bytes:
    """Encode an RGB or RGBA image as PNG."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def jpeg_bytes(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode an RGB image as JPEG."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def data_url(content: bytes, media: str) -> str:
    """Put a file into a URL.

    Args:
        content: bytes of the file.
        media: its media type, such as `image/png`.
    """
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def shortened(text: str, length: int = 60) -> str:
    """Text of at most `length` characters on one line, with an ellipsis where it was cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module that an extra of the distribution installs.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{package} is not installed; run: pip install 'terraseek[{extra}]'"
        ) from error
