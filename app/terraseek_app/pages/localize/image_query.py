"""An image instead of words: one's own, or one that Explore found."""

import html

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from terraseek.errors import TerraSeekError
from terraseek_app.messages import say
from terraseek_app.pages.explore.answer import read_image
from terraseek_app.server import state
from terraseek_app.server.uploads import upload_path
from terraseek_app.widgets.image_field import image_field

__all__ = ["forget_image", "image_drawer", "image_line", "look_for", "take_image"]

_SHOWN_PX = 132
"""Width of the image on the page, CSS pixels."""
_CAPTION_LENGTH = 60
_OFFERED = 24
"""Found images on offer; each costs a look into the catalogue whenever the page is drawn."""


def image_drawer() -> None:
    """The field for an image of one's own, and the list of what Explore found."""
    st.caption("Find the places in the scene that look like a picture; words are not needed then.")
    # what is no image is told now, not after a scene was encoded
    taken = image_field("Picture to look for", "localize_image", check=read_image)
    if taken is not None:
        token, name = taken
        st.session_state.localize_pictured = (f"upload:{token}", name)
        st.rerun()
    _found_drawer()


def _found_drawer() -> None:
    found = _found()
    if not found:
        st.caption("Pictures found in Explore are offered here, too.")
        return
    if st.session_state.localize_like not in found:
        st.session_state.localize_like = next(iter(found))
    st.selectbox(
        "Or one that Explore found",
        list(found),
        key="localize_like",
        format_func=lambda item_id: found.get(item_id, item_id),
    )
    st.button(
        "Look for it",
        icon=":material/image_search:",
        key="localize_like_go",
        on_click=_look_for_found,
        width="stretch",
    )


def _found() -> dict[str, str]:
    """Items Explore shows, the selected one first: id -> what to call it."""
    session = st.session_state
    hits = session.get("explore_hits") or []
    selected = session.get("explore_selected")
    ids = list(dict.fromkeys([*([selected] if selected else []), *hits]))[:_OFFERED]
    if not ids:
        return {}
    catalogue = state.catalogue()
    found = {}
    for item_id in ids:
        try:
            caption = str(catalogue.item(item_id).get("caption") or "")
        except TerraSeekError:
            continue  # an item the catalogue no longer has is not on offer
        rank = f"{hits.index(item_id) + 1}. " if item_id in hits else ""
        found[item_id] = f"{rank}{caption[:_CAPTION_LENGTH] or item_id}"
    return found


def _look_for_found() -> None:
    look_for(f"item:{st.session_state.localize_like}", st.session_state.localize_like)


def look_for(image: str, name: str) -> None:
    """Ask for an image at once, instead of words; call before the form is drawn."""
    st.session_state.update(
        localize_image=image,
        localize_image_name=f"of item {name}" if image.startswith("item:") else name,
        localize_text="",
        localize_ask=True,
    )


def take_image() -> None:
    """Take up an image that was uploaded in the last run; call before the form is drawn."""
    pictured = st.session_state.pop("localize_pictured", None)
    if pictured:
        look_for(*pictured)


def forget_image() -> None:
    """Go back to words."""
    st.session_state.update(localize_image="", localize_image_name="")


def image_line() -> None:
    """The image in force, with a way to drop it; nothing when there is none."""
    image = st.session_state.localize_image
    if not image:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="localize_looking_for"
    ):
        try:
            st.image(_pixels(image), width=_SHOWN_PX)
        except TerraSeekError as error:
            say(error)
        name = html.escape(st.session_state.localize_image_name)
        st.html(f'<span class="ts-quiet">looking for what this shows</span><p>picture {name}</p>')
        st.button(
            "",
            icon=":material/close:",
            help="Back to words",
            type="tertiary",
            key="localize_forget_picture",
            on_click=forget_image,
        )


def _pixels(image: str) -> UInt8[np.ndarray, "h w 3"]:
    kind, _, key = image.partition(":")
    if kind == "item":
        return state.catalogue().read_image(key, 2 * _SHOWN_PX)
    upload_path(key, state.settings().uploads)  # says so when it is gone
    return read_image(key)
