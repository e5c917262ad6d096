"""The button "Copy link", which also keeps the map's view in the page's address."""

from pathlib import Path

import streamlit as st

from terraseek_app.widgets.copy_button import BUTTON_CSS

__all__ = ["page_link"]

_HERE = Path(__file__).parent


@st.cache_resource(show_spinner=False)
def _component() -> object:
    return st.components.v2.component(
        "terraseek_link",
        css=BUTTON_CSS,
        js=(_HERE / "page_link.js").read_text(encoding="utf-8"),
    )


def page_link(key: str, map_key: str | None = None) -> None:
    """Draw the button.

    Args:
        key: widget key.
        map_key: widget key of the map whose view belongs to the link; None without one.
    """
    mount = _component()
    mount(key=key, data={"map": map_key or ""}, width="content")  # type: ignore[operator]
