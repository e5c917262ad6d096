"""The app's theme: Streamlit theme options (TOML), stylesheets, the logo."""

from pathlib import Path

import streamlit as st

__all__ = ["MARK", "THEME_FILE", "apply", "logo"]

_HERE = Path(__file__).parent

THEME_FILE = _HERE / "terraseek.toml"
"""Value of Streamlit's option `theme.base`."""

_LOGO = (_HERE / "logo.svg").read_text(encoding="utf-8")
_LIGHT_COLOURS = {
    "#f2f6fb": "#16202e",
    "#5cc9bc": "#0b7a6e",
    "#2bb3a3": "#0b7a6e",
    "#e9b44c": "#b7791f",
}
"""Colour in the logo's file, which is for the dark theme -> colour on the light theme."""

MARK = (_HERE / "mark.svg").read_text(encoding="utf-8")
"""The symbol of the logo, for the browser's tab."""


def logo() -> str:
    """The logo as SVG, in the colours of the browser's theme."""
    if st.context.theme.type != "light":
        return _LOGO
    svg = _LOGO
    for dark, light in _LIGHT_COLOURS.items():
        svg = svg.replace(dark, light)
    return svg


def apply() -> None:
    """Add the stylesheets to the page; must be called once a run, before anything is drawn."""
    for name in ("app.css", "canvas.css"):
        st.html(_HERE / name)
