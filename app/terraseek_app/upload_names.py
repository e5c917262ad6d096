"""The user's file names of this session's uploads, for chips and error messages."""

from collections.abc import Mapping

import streamlit as st

__all__ = ["name_upload", "upload_names"]

_KEY = "upload_names"


def upload_names() -> Mapping[str, str]:
    """Name of the file by token of the upload."""
    return dict(st.session_state.get(_KEY) or {})


def name_upload(token: str, name: str) -> None:
    """Remember the name of a file that was uploaded."""
    st.session_state[_KEY] = {**upload_names(), token: name}
