"""About: what is served, by which model, how well everything is, under which terms."""

import streamlit as st

import terraseek
from terraseek_app.messages import guard
from terraseek_app.pages.about.catalogue import about_catalogue
from terraseek_app.pages.about.health import about_health
from terraseek_app.pages.about.model import about_model
from terraseek_app.pages.about.terms import about_terms, about_your_data

__all__ = ["render"]

_PARTS = (
    ("Catalogue", about_catalogue),
    ("Model", about_model),
    ("Health", about_health),
    ("Your own data", about_your_data),
    ("Terms", about_terms),
)


def render() -> None:
    """Draw the page; a part that fails does not take the others along."""
    st.html(
        f'<p class="ts-hero">TerraSeek {terraseek.__version__}</p>'
        '<p class="ts-quiet">Search geotagged remote-sensing imagery with words or pictures, and '
        "see where in a scene a sentence is true. Everything runs on this machine; no request "
        "leaves it.</p>"
    )
    tabs = st.tabs([name for name, _ in _PARTS], key="about_tab", on_change="rerun")
    for tab, (_, draw) in zip(tabs, _PARTS, strict=True):
        if tab.open:  # the checks of Health take seconds; nobody waits for them who reads the terms
            with tab, guard():
                draw()
