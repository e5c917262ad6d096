"""About: the served catalogue and model, health checks, how to use own data, licences."""

import streamlit as st

import terraseek
from terraseek_app.messages import show_errors
from terraseek_app.pages.about.catalogue import about_catalogue
from terraseek_app.pages.about.health import about_health
from terraseek_app.pages.about.model import about_model
from terraseek_app.pages.about.terms import about_terms, about_your_data

__all__ = ["render"]

_TABS = (
    ("Catalogue", about_catalogue),
    ("Model", about_model),
    ("Health", about_health),
    ("Your own data", about_your_data),
    ("Terms", about_terms),
)


def render() -> None:
    """Draw the page; an error in one tab does not affect the others."""
    st.html(
        f'<p class="ts-hero">TerraSeek {terraseek.__version__}</p>'
        '<p class="ts-quiet">Search geotagged remote-sensing imagery with words or pictures, and '
        "see where in a scene a sentence is true. Everything runs on this machine; no request "
        "leaves it.</p>"
    )
    tabs = st.tabs([name for name, _ in _TABS], key="about_tab", on_change="rerun")
    for tab, (_, draw) in zip(tabs, _TABS, strict=True):
        if tab.open:  # only the open tab is drawn: the health checks take seconds
            with tab, show_errors():
                draw()
