"""A query image on the Localize page: an upload, or an item found in Explore."""

import html
from contextlib import suppress

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from terraseek.errors import ItemNotFoundError, TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.navigation import explore_hits
from terraseek_app.server import state
from terraseek_app.server.query_images import read_upload
from terraseek_app.widgets.image_upload import image_upload

__all__ = ["apply_upload", "clear_image", "query_image", "query_image_panel", "use_image"]

_THUMBNAIL_WIDTH = 132
"""Width of the image on the page, in CSS pixels."""
_CAPTION_LENGTH = 60
"""Characters of a caption in the list of items."""
_MAX_ITEMS = 24
"""Items in the list."""


def query_image_panel() -> None:
    """Draw the upload field for a query image, and the list of items found in Explore."""
    st.caption("Find the places in the scene that look like a picture; words are not needed then.")
    # the check reports a file that is no image before a scene is encoded
    upload = image_upload("Picture to look for", "localize_picture", check=read_upload)
    if upload is not None:
        token, name = upload
        st.session_state.localize_pictured = (f"upload:{token}", name)
        st.rerun()
    _item_list()


def _item_list() -> None:
    items = _explore_items()
    if not items:
        st.caption("Pictures found in Explore are listed here, too.")
        return
    if st.session_state.localize_like not in items:
        st.session_state.localize_like = next(iter(items))
    st.selectbox(
        "Or one that Explore found",
        list(items),
        key="localize_like",
        format_func=lambda item_id: items.get(item_id, item_id),
    )
    st.button(
        "Look for it",
        icon=":material/image_search:",
        key="localize_like_go",
        on_click=_use_listed_item,
        width="stretch",
    )


def _explore_items() -> dict[str, str]:
    """Items shown in Explore, the selected one first: item id -> label."""
    hits = explore_hits()
    selected = st.session_state.get("explore_selected")
    ids = list(dict.fromkeys([*([selected] if selected else []), *hits]))[:_MAX_ITEMS]
    if not ids:
        return {}
    items = {}
    for item_id, caption in _captions(ids).items():
        rank = f"{hits.index(item_id) + 1}. " if item_id in hits else ""
        items[item_id] = f"{rank}{caption[:_CAPTION_LENGTH] or item_id}"
    return items


def _captions(ids: list[str]) -> dict[str, str]:
    """Captions by item id, without those of items that were deleted since; one read for all."""
    catalogue, rows = state.catalogue(), dict[str, int]()
    for item_id in ids:
        with suppress(ItemNotFoundError):
            rows[item_id] = catalogue.row(item_id)
    captions = catalogue.items_at(np.array(list(rows.values()), np.int64), ["caption"])["caption"]
    return dict(zip(rows, captions.fillna("").astype(str), strict=True))


def _use_listed_item() -> None:
    item_id = st.session_state.localize_like
    use_image(f"item:{item_id}", item_id)


def use_image(image: str, name: str) -> None:
    """Replace the sentence by a query image and start at once; call before the form is drawn.

    Args:
        image: `upload:<token>` or `item:<item id>`.
        name: file name or item id.
    """
    st.session_state.update(
        localize_picture=image,
        localize_picture_name=f"of item {name}" if image.startswith("item:") else name,
        localize_text="",
        localize_ask=True,
    )


def apply_upload() -> None:
    """Use an image that was uploaded in the previous run; call before the form is drawn."""
    upload = st.session_state.pop("localize_pictured", None)
    if upload:
        use_image(*upload)


def clear_image() -> None:
    """Remove the query image, so that the sentence is used again."""
    st.session_state.update(localize_picture="", localize_picture_name="")


def query_image() -> None:
    """Draw the query image with a button to remove it; nothing without one."""
    image = st.session_state.localize_picture
    if not image:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="localize_looking_for"
    ):
        try:
            st.image(_pixels(image), width=_THUMBNAIL_WIDTH)
        except TerraSeekError as error:
            show_error(error)
        name = html.escape(st.session_state.localize_picture_name)
        st.html(f'<span class="ts-quiet">looking for what this shows</span><p>picture {name}</p>')
        st.button(
            "",
            icon=":material/close:",
            help="Back to words",
            type="tertiary",
            key="localize_forget_picture",
            on_click=clear_image,
        )


def _pixels(image: str) -> UInt8[np.ndarray, "h w 3"]:
    kind, _, key = image.partition(":")
    if kind == "item":
        return state.catalogue().read_image(key, 2 * _THUMBNAIL_WIDTH)
    return read_upload(key)
