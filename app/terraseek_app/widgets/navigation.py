"""Going from page to page by name, from anywhere."""

import streamlit as st

__all__ = ["go"]


def go(url_path: str) -> None:
    """Switch to the page with this address; session state travels along."""
    from terraseek_app.pages.about import page as about
    from terraseek_app.pages.explore import page as explore
    from terraseek_app.pages.localize import page as localize
    from terraseek_app.pages.review import page as review

    renders = {
        "explore": explore.render,
        "localize": localize.render,
        "review": review.render,
        "about": about.render,
    }
    st.switch_page(st.Page(renders[url_path], url_path=url_path, default=url_path == "explore"))
