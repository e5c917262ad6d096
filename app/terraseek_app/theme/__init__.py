"""The looks of the app: one TOML of Streamlit theme options, one stylesheet, one wordmark."""

from pathlib import Path

import streamlit as st

__all__ = ["LOGO", "MARK", "THEME_FILE", "apply"]

_HERE = Path(__file__).parent

THEME_FILE = _HERE / "terraseek.toml"
"""Given to the server as its `theme.base`."""

LOGO = (_HERE / "logo.svg").read_text(encoding="utf-8")
"""The wordmark of the header."""

MARK = (_HERE / "mark.svg").read_text(encoding="utf-8")
"""The sign alone, for the browser's tab."""


def apply() -> None:
    """Add the stylesheet to the page; call once a run, before anything is drawn."""
    st.html(_HERE / "app.css")
