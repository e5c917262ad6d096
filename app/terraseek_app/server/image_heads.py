"""First bytes of the image formats that the server accepts."""

from terraseek.errors import NotAnImageError

__all__ = ["HEAD_BYTES", "check_image_head"]

HEAD_BYTES = 12
"""Bytes that tell the format."""

_HEADS = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",  # BMP
    b"II*\0",  # TIFF, and BigTIFF in the next two lines
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"\0\0\0\x0cjP  ",  # JPEG 2000, and its bare code stream
    b"\xff\x4f\xff\x51",
)


def check_image_head(head: bytes, name: str) -> None:
    """Refuse a file that does not start like an image, before the rest of it is received.

    Args:
        head: its first `HEAD_BYTES` bytes, or all of a shorter file.
        name: name of the file, for the message.

    Raises:
        NotAnImageError: no format starts with these bytes.
    """
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if not is_webp and not head.startswith(_HEADS):
        raise NotAnImageError(
            f"{name} is not an image; send a GeoTIFF, PNG, JPEG, JPEG 2000, WebP, GIF or BMP"
        )
