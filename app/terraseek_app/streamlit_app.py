"""The Streamlit script: header, page registration, error handling around the chosen page."""

from collections.abc import Callable

import streamlit as st

from terraseek_app import theme
from terraseek_app.messages import show_errors
from terraseek_app.navigation import DEFAULT_PAGE, PageAddress
from terraseek_app.pages.about import page as about
from terraseek_app.pages.explore import page as explore
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.localize import page as localize
from terraseek_app.pages.localize import state as localize_state
from terraseek_app.pages.review import page as review

__all__ = ["main"]


def _page(address: PageAddress, draw: Callable[[], None], title: str, icon: str) -> st.Page:
    default = address == DEFAULT_PAGE
    return st.Page(draw, title=title, url_path=address, icon=icon, default=default)


def _pages() -> list[st.Page]:
    return [
        _page("explore", explore.render, "Explore", ":material/travel_explore:"),
        _page("localize", localize.render, "Localize", ":material/my_location:"),
        _page("review", review.render, "Review", ":material/rate_review:"),
        _page("about", about.render, "About", ":material/info:"),
    ]


def main() -> None:
    """Draw the header and the chosen page."""
    st.set_page_config(
        page_title="TerraSeek",
        page_icon=theme.MARK,
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    theme.apply()
    st.logo(theme.logo(), size="large")
    explore_state.preserve_session()
    localize_state.preserve_session()
    page = st.navigation(_pages(), position="top")
    with show_errors():
        page.run()


if __name__ == "__main__":
    main()
