"""The upper rim of Explore: sentence, image, filters, and sentences to try."""

from collections.abc import Sequence

import streamlit as st

from terraseek_app.pages.explore.filters import FILTER_KEYS, filter_drawer
from terraseek_app.pages.explore.state import DEFAULTS, Ask, clear
from terraseek_app.widgets.image_field import image_field

__all__ = ["examples_for", "search_bar", "show_examples"]

_EXAMPLES = (
    ("airport apron plane", "many planes parked next to a terminal"),
    ("harbour harbor port ship", "ships moored along a pier in a harbour"),
    ("pivot circular crop", "large round green fields"),
    ("stadium", "a stadium with a green pitch"),
    ("tank storage", "white round storage tanks"),
    ("solar", "rows of solar panels"),
    ("tennis court", "blue tennis courts side by side"),
    ("bridge", "a bridge over a wide river"),
    ("residential housing dense", "houses in rows with gardens"),
    ("flood damage", "houses standing in brown flood water"),
    ("forest", "dense green forest"),
    ("highway motorway interchange", "a motorway crossing farmland"),
    ("sea lake beach", "a lake with a sandy shore"),
    ("industrial", "large industrial halls with grey roofs"),
    ("annualcrop crop pasture", "fields of different colours"),
    ("river", "a river winding through fields"),
)


def examples_for(labels: Sequence[str], most: int = 6) -> list[str]:
    """Sentences to try that fit the catalogue's labels; general ones when nothing fits."""
    words = " ".join(labels).lower()
    fitting = [text for keys, text in _EXAMPLES if any(key in words for key in keys.split())]
    return (fitting or [text for _, text in _EXAMPLES])[:most]


def search_bar(ask: Ask) -> None:
    """Draw the form and the two drawers beside it; changes arrive in the session state."""
    with st.container(key="explore_bar"):
        form, image, filters = st.columns([8, 1.15, 1.15], vertical_alignment="bottom")
    with form, st.container(key="explore_form"), st.form("explore_ask"):
        _sentence()
    with image, st.popover("Picture", icon=":material/image_search:", width="stretch"):
        _image_drawer()
    label = f"Filters ({ask.filters})" if ask.filters else "Filters"
    with filters, st.popover(label, icon=":material/tune:", width="stretch"):
        filter_drawer()


def _sentence() -> None:
    text, minus, button = st.columns([5, 2.4, 1.1], vertical_alignment="bottom")
    text.text_input(
        "What to look for",
        key="explore_text",
        placeholder="Describe what the picture shows, e.g. many planes parked next to a terminal",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    minus.text_input(
        "But not",
        key="explore_minus",
        placeholder="but not ...",
        icon=":material/do_not_disturb_on:",
        label_visibility="collapsed",
    )
    button.form_submit_button("Search", type="primary", width="stretch", on_click=_asked)


def _asked() -> None:
    # a new sentence starts from words alone; the image or item asked about before is done with
    if st.session_state.explore_text.strip():
        clear("explore_like", "explore_image")
    clear("explore_selected", "explore_liked", "explore_disliked")


def _image_drawer() -> None:
    st.caption("Find pictures that look like one of yours. Words may be added to it.")
    taken = image_field("Query picture", "explore_upload")
    if taken is None:
        return
    st.session_state.explore_image, _ = taken
    clear("explore_like", "explore_selected")
    st.rerun()


def show_examples(labels: Sequence[str]) -> None:
    """Sentences to click, for a page nobody has asked anything yet."""
    with st.container(key="explore_examples", gap="small"):
        for number, text in enumerate(examples_for(labels)):
            st.button(
                text,
                key=f"explore_example_{number}",
                icon=":material/search:",
                on_click=_try,
                args=(text,),
                width="stretch",
            )


def _try(text: str) -> None:
    clear(*(key for key in DEFAULTS if key not in FILTER_KEYS and key != "explore_k"))
    st.session_state.explore_text = text
