"""The field for an image of one's own."""

from collections.abc import Callable

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek_app.messages import say
from terraseek_app.server import state
from terraseek_app.server.uploads import keep_upload

__all__ = ["IMAGE_TYPES", "image_field"]

IMAGE_TYPES = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "jp2")
"""Suffixes the upload fields take."""


def image_field(
    label: str, name: str, check: Callable[[str], object] | None = None
) -> tuple[str, str] | None:
    """A field for one image, emptied once it has taken one; what is wrong is told in its place.

    Args:
        label: for those who cannot see the field.
        name: of the field in the session.
        check: given the token, raises what is wrong with the image.

    Returns:
        The token of the kept upload and the name of its file, in the one run that took it up.
    """
    generation = st.session_state.setdefault(f"{name}_generation", 0)
    upload = st.file_uploader(
        label,
        type=list(IMAGE_TYPES),
        key=f"{name}_{generation}",
        label_visibility="collapsed",
        max_upload_size=50,
    )
    if upload is None:
        return None
    limits = state.settings()
    try:
        token = keep_upload(upload, upload.name, limits.uploads, limits.max_upload_bytes)
        if check is not None:
            check(token)
    except TerraSeekError as error:
        say(error)
        return None
    # a new generation of the field drops the upload from the server's memory
    st.session_state[f"{name}_generation"] = generation + 1
    return token, upload.name
