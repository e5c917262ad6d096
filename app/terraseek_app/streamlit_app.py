"""The frame around the pages; `entry/main.py` is the script that draws it."""

import streamlit as st

from terraseek_app import theme
from terraseek_app.messages import guard
from terraseek_app.pages.about import page as about
from terraseek_app.pages.explore import page as explore
from terraseek_app.pages.explore import state as explore_state
from terraseek_app.pages.localize import page as localize
from terraseek_app.pages.localize import state as localize_state
from terraseek_app.pages.review import page as review


def _pages() -> list[st.Page]:
    return [
        st.Page(
            explore.render,
            title="Explore",
            url_path="explore",
            icon=":material/travel_explore:",
            default=True,
        ),
        st.Page(
            localize.render, title="Localize", url_path="localize", icon=":material/my_location:"
        ),
        st.Page(review.render, title="Review", url_path="review", icon=":material/rate_review:"),
        st.Page(about.render, title="About", url_path="about", icon=":material/info:"),
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
    explore_state.keep()
    localize_state.keep()
    page = st.navigation(_pages(), position="top")
    with guard():
        page.run()


if __name__ == "__main__":
    main()
