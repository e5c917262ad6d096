"""The looks of the app: one TOML of Streamlit theme options, one stylesheet, one wordmark."""

from pathlib import Path

import streamlit as st

__all__ = ["MARK", "THEME_FILE", "apply", "logo"]

_HERE = Path(__file__).parent

THEME_FILE = _HERE / "terraseek.toml"
"""Given to the server as its `theme.base`."""

_LOGO = (_HERE / "logo.svg").read_text(encoding="utf-8")
_BY_DAY = {"#f2f6fb": "#16202e", "#5cc9bc": "#0b7a6e", "#2bb3a3": "#0b7a6e", "#e9b44c": "#b7791f"}
"""The wordmark's colours on the light theme, by those it is drawn with."""

MARK = (_HERE / "mark.svg").read_text(encoding="utf-8")
"""The sign alone, for the browser's tab."""


def logo() -> str:
    """The wordmark of the header, readable on the theme the browser shows."""
    if st.context.theme.type != "light":
        return _LOGO
    by_day = _LOGO
    for night, day in _BY_DAY.items():
        by_day = by_day.replace(night, day)
    return by_day


def apply() -> None:
    """Add the stylesheet to the page; call once a run, before anything is drawn."""
    st.html(_HERE / "app.css")
