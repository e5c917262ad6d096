"""Addresses of thumbnails on this server."""

from urllib.parse import quote

import streamlit as st

__all__ = ["thumbnail_url", "upload_url"]

THUMBNAIL_SIDE = 256
"""Longer side in pixels of thumbnails in the gallery and on the map."""


def thumbnail_url(item_id: str, side: int = THUMBNAIL_SIDE) -> str:
    """Address of an item's thumbnail; `side` is its longer side in pixels."""
    return f"{_base()}/api/thumbnails/{quote(item_id, safe='')}?size={side}"


def upload_url(token: str, side: int = THUMBNAIL_SIDE) -> str:
    """Address of an uploaded image's thumbnail; `side` is its longer side in pixels."""
    return f"{_base()}/api/uploads/{quote(token, safe='')}?size={side}"


def _base() -> str:
    """Path under which Streamlit serves the app, without a trailing slash; blank for the root."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""
