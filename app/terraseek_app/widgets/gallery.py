"""The gallery of results: a grid of images to click, as a Streamlit v2 component (no iframe)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from terraseek_app.widgets.component import component

__all__ = ["GalleryTile", "gallery"]


@dataclass(frozen=True, slots=True)
class GalleryTile:
    """One tile of the gallery; plain values, which are sent to the browser as JSON."""

    item_id: str
    """Id of the catalogue item."""
    rank: int
    """1 for the best hit."""
    thumbnail: str
    """URL of the thumbnail on this server."""
    caption: str
    """Caption; may be blank."""
    place: str
    """Place name or coordinates; blank when unknown."""
    score: str
    """Score as text, such as `0.31`."""
    strength: float
    """Length of the score bar, 0 to 1."""
    liked: bool = False
    """Whether the user voted the hit as relevant."""
    facts: str = ""
    """Date and resolution; blank when unknown."""
    level: str = ""
    """Its significance, `likely`, `possible` or `none`; empty where that is unknown."""


def gallery(
    key: str,
    tiles: Sequence[GalleryTile],
    *,
    on_pick: Callable[[str], None],
    on_like: Callable[[str], None],
    on_vote: Callable[[str, bool], None],
    on_choose: Callable[[Sequence[str], bool], None] | None = None,
    selected: str | None = None,
    chosen: Sequence[str] = (),
) -> None:
    """Draw the gallery. Callbacks run before the page is drawn again.

    Args:
        key: widget key; the same key keeps the scroll position.
        tiles: tiles in order of rank.
        on_pick: called with the item id of a clicked image.
        on_like: called with the item id of a clicked "More like this".
        on_vote: called with an item id and whether it was voted as relevant.
        on_choose: called with the ids of tiles that were chosen (True) or are no longer (False), by
            their corner button, a click with control or, for all up to the last one, with shift;
            None: tiles cannot be chosen.
        selected: id of the item to highlight and scroll to.
        chosen: ids of the items that are chosen.
    """
    mount = component("terraseek_gallery", ("gallery.js",), ("gallery.css",))
    mount(
        key=key,
        data={
            "tiles": [asdict(tile) for tile in tiles],
            "selected": selected,
            "chosen": list(chosen) if on_choose is not None else None,
        },
        on_picked_change=lambda: _dispatch(key, "picked", on_pick),
        on_like_change=lambda: _dispatch(key, "like", on_like),
        on_good_change=lambda: _dispatch(key, "good", lambda item: on_vote(item, True)),
        on_choose_change=lambda: _dispatch_choice(key, on_choose),
        on_bad_change=lambda: _dispatch(key, "bad", lambda item: on_vote(item, False)),
    )


def _dispatch(key: str, trigger: str, callback: Callable[[str], None]) -> None:
    """Call `callback` with the item id of a trigger, if it has one."""
    item_id = st.session_state[key].get(trigger)
    if item_id:
        callback(str(item_id))


def _dispatch_choice(key: str, callback: Callable[[Sequence[str], bool], None] | None) -> None:
    choice = st.session_state[key].get("choose")
    if choice and callback is not None:
        callback([str(item_id) for item_id in choice["items"]], bool(choice["on"]))
