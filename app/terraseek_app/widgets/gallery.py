"""The results as a grid of images that can be clicked; a v2 component without an iframe."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

__all__ = ["Picture", "gallery"]

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Picture:
    """What one tile of the grid shows; plain values, because they travel to the browser."""

    item_id: str
    """Id of the catalogue item."""
    rank: int
    """1 for the best."""
    thumbnail: str
    """Address of the small image on this server."""
    caption: str
    """Caption, may be blank."""
    place: str
    """Where it is, in words or degrees; blank when unknown."""
    score: str
    """The score as text, for example `0.31`."""
    strength: float
    """Length of the score bar, 0 to 1."""
    liked: bool = False
    """Whether the user said that this was meant."""
    weak: bool = False
    """Whether the match is no better than images that have nothing to do with the query."""


@st.cache_resource(show_spinner=False)
def _component() -> object:
    return st.components.v2.component(
        "terraseek_gallery",
        css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
        js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
    )


def gallery(
    key: str,
    images: Sequence[Picture],
    *,
    on_pick: Callable[[str], None],
    on_like: Callable[[str], None],
    on_vote: Callable[[str, bool], None],
    selected: str | None = None,
    height: str = "420px",
) -> None:
    """Draw the grid.

    Args:
        key: widget key, constant so that the grid keeps its scroll position.
        images: tiles in order of rank.
        on_pick: called with the item whose image was clicked, before the page is drawn again.
        on_like: the same for "more like this".
        on_vote: called with an item and True for "this was meant", False for "this was not".
        selected: item to emphasise and bring into view.
        height: CSS length; the grid scrolls inside.
    """
    mount = _component()
    mount(  # type: ignore[operator]
        key=key,
        data={
            "pictures": [asdict(image) for image in images],
            "selected": selected,
            "height": height,
        },
        on_picked_change=lambda: _hand_over(key, "picked", on_pick),
        on_like_change=lambda: _hand_over(key, "like", on_like),
        on_good_change=lambda: _hand_over(key, "good", lambda item: on_vote(item, True)),
        on_bad_change=lambda: _hand_over(key, "bad", lambda item: on_vote(item, False)),
    )


def _hand_over(key: str, trigger: str, receiver: Callable[[str], None]) -> None:
    value = st.session_state[key].get(trigger)
    if value:
        receiver(str(value))
