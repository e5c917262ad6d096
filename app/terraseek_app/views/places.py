"""Going from page to page by name, from anywhere."""

import streamlit as st

__all__ = ["go"]


def go(url_path: str) -> None:
    """Switch to the page with this address; session state travels along."""
    from terraseek_app.pages import about, explore, localize, review

    renders = {
        "explore": explore.render,
        "localize": localize.render,
        "review": review.render,
        "about": about.render,
    }
    st.switch_page(st.Page(renders[url_path], url_path=url_path, default=url_path == "explore"))
