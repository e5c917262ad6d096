"""Links between pages: their addresses, and the session keys one page sets for another.

`streamlit_app` registers the pages under these addresses, so that no page imports another.
"""

from typing import Literal

import streamlit as st

__all__ = [
    "DEFAULT_PAGE",
    "PageAddress",
    "explore_hits",
    "explore_query",
    "go",
    "open_localize",
    "open_review",
    "search_image",
]

PageAddress = Literal["explore", "localize", "review", "about"]
"""URL path of a page."""

DEFAULT_PAGE: PageAddress = "explore"
"""The page served at `/`."""


def go(address: PageAddress) -> None:
    """Switch to the page with this address; the session state is kept."""
    # Streamlit looks a page up by its URL path alone and calls the function registered for it
    st.switch_page(st.Page(_placeholder, url_path=address, default=address == DEFAULT_PAGE))


def _placeholder() -> None:
    raise AssertionError("no page is registered under this address")


def open_localize(item_id: str, text: str) -> None:
    """Open the Localize page with an item's image as the scene.

    Args:
        item_id: the item.
        text: sentence to localize at once; blank leaves the page's own sentence.
    """
    st.session_state.localize_source = f"item:{item_id}"
    if text:
        st.session_state.localize_text = text
        st.session_state.localize_ask = True
    go("localize")


def open_review(item_id: str) -> None:
    """Open the Review page at an item."""
    st.session_state.review_item = item_id
    go("review")


def search_image(token: str) -> None:
    """Open Explore with an uploaded image as the query; the filters stay.

    Args:
        token: token of the upload.
    """
    st.session_state.explore_pictures = [token]
    st.session_state.explore_text = ""
    go("explore")


def explore_hits() -> list[str]:
    """Item ids of the hits shown in Explore, best first."""
    return list(st.session_state.get("explore_hits") or [])


def explore_query() -> str:
    """The sentence entered in Explore; blank without one."""
    return str(st.session_state.get("explore_text") or "").strip()
