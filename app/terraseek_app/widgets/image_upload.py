"""Upload field for a query image."""

from collections.abc import Callable

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.server import state
from terraseek_app.server.uploads import keep_upload

__all__ = ["IMAGE_TYPES", "image_upload"]

IMAGE_TYPES = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "jp2")
"""File suffixes that the upload fields accept."""
_MAX_MB = 50


def image_upload(
    label: str, key: str, check: Callable[[str], object] | None = None
) -> tuple[str, str] | None:
    """Draw an upload field for one image; it is emptied once the image is stored.

    Errors are shown below the field.

    Args:
        label: label for screen readers.
        key: prefix of the field's session keys.
        check: called with the upload's token; raises `TerraSeekError` if the image is invalid.

    Returns:
        The token of the stored upload and the name of its file, in the run that stored it; else
        None.
    """
    # the upload stays in the server's memory until the field is replaced by one with another key
    field_number = st.session_state.setdefault(f"{key}_generation", 0)
    upload = st.file_uploader(
        label,
        type=list(IMAGE_TYPES),
        key=f"{key}_{field_number}",
        label_visibility="collapsed",
        max_upload_size=_MAX_MB,
    )
    if upload is None:
        return None
    settings = state.settings()
    try:
        token = keep_upload(upload, upload.name, settings.uploads, settings.max_upload_bytes)
        if check is not None:
            check(token)
    except TerraSeekError as error:
        show_error(error)
        return None
    st.session_state[f"{key}_generation"] = field_number + 1
    return token, upload.name
