"""Upload field for a query image."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.server import state
from terraseek_app.server.clients import client_name
from terraseek_app.server.uploads import discard_upload, keep_upload, named_error
from terraseek_app.upload_names import name_upload

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["IMAGE_TYPES", "check_or_discard", "image_upload", "store", "store_bytes"]

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
    try:
        token = store(upload)
        if check is not None:
            check_or_discard(token, upload.name, check)
    except TerraSeekError as error:
        show_error(error)
        return None
    st.session_state[f"{key}_generation"] = field_number + 1
    return token, upload.name


def store(upload: "UploadedFile") -> str:
    """Store an upload of this session's client and return its token.

    Raises:
        EmptySceneError: the upload is empty.
        SceneTooLargeError: it is larger than the server accepts, or than what is left of its quota.
    """
    return _store(upload, upload.name)


def store_bytes(content: bytes, name: str) -> str:
    """Store the bytes of an image file as if the user had uploaded it; see `store`."""
    return _store(io.BytesIO(content), name)


def _store(source: BinaryIO, name: str) -> str:
    settings = state.settings()
    token = keep_upload(
        source,
        name,
        settings.uploads,
        settings.max_upload_bytes,
        client=client_name(st.context.ip_address or "127.0.0.1"),
        quota_bytes=settings.upload_quota_bytes,
        max_age_s=settings.upload_age_s,
    )
    name_upload(token, name)
    return token


def check_or_discard(token: str, name: str, check: Callable[[str], object]) -> None:
    """Check an upload; one that is refused is removed at once.

    Args:
        token: token of the upload.
        name: the user's file name, which errors then have in place of the token.
        check: called with the token; raises `TerraSeekError` if the file is invalid.
    """
    try:
        check(token)
    except TerraSeekError as error:
        discard_upload(token, state.settings().uploads)
        raise named_error(error, token, name) from error
