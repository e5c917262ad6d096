"""Streamlit v2 components (no iframe) made of the files beside this one."""

from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["component"]

_HERE = Path(__file__).parent


@st.cache_resource(show_spinner=False)
def component(name: str, scripts: tuple[str, ...], styles: tuple[str, ...]) -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    """A component, which is called to draw it.

    Args:
        name: name that no other component has.
        scripts: files of one JavaScript module, joined in this order; the last one exports the
            function that draws the component.
        styles: CSS files.
    """
    return st.components.v2.component(name, css=_joined(styles), js=_joined(scripts))


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
