"""Addresses of thumbnails on this server."""

from urllib.parse import quote

from terraseek_app.address import base_path

__all__ = ["thumbnail_url", "upload_url"]

THUMBNAIL_SIDE = 256
"""Longer side in pixels of thumbnails in the gallery and on the map."""


def thumbnail_url(item_id: str, side: int = THUMBNAIL_SIDE) -> str:
    """Address of an item's thumbnail; `side` is its longer side in pixels."""
    return f"{base_path()}/api/thumbnails/{quote(item_id, safe='')}?size={side}"


def upload_url(token: str, side: int = THUMBNAIL_SIDE) -> str:
    """Address of an uploaded image's thumbnail; `side` is its longer side in pixels."""
    return f"{base_path()}/api/uploads/{quote(token, safe='')}?size={side}"
