"""One question to a scene as plain values, and what the library makes of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from terraseek.errors import EmptyQueryError, UnknownModelError
from terraseek.localization.methods.dense_availability import dense_offered
from terraseek.localization.options import LocalizeOptions, Method
from terraseek_app.pages.localize.parsing import parse_scales, sentences_of
from terraseek_app.server import state
from terraseek_app.server.item_images import item_image
from terraseek_app.server.uploads import upload_path

if TYPE_CHECKING:
    from terraseek.encoders.base import Encoder
    from terraseek.localization.query import Query

__all__ = ["METHOD_WORDS", "Question", "methods_for", "read"]

METHOD_WORDS = {
    "terraseek": "Windows",
    "dense": "Dense",
    "selo-v1": "SeLo v1",
    "selo-v2": "SeLo v2",
}
"""What people read for each method."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a scene is asked: words, or an image instead of them."""

    text: str = ""
    """Sentences, parted by semicolons; unused with an image."""
    minus: str = ""
    """Sentence whose score is subtracted."""
    image: str = ""
    """`upload:<token>` or `item:<item id>`; empty for words."""
    image_name: str = ""
    """What the image is called."""
    method: str = "terraseek"
    """How windows are laid and put together, one of the library's methods."""
    scales: tuple[int, ...] = ()
    """Window sides in pixels; empty leaves them to the method."""

    def __post_init__(self) -> None:
        if not (self.text or self.image):
            raise EmptyQueryError("The sentence is empty; say what to look for in a few words.")

    @property
    def wordings(self) -> list[str]:
        """What each heat map of the answer is called."""
        return [f"picture {self.image_name}"] if self.image else sentences_of(self.text)

    @property
    def options(self) -> LocalizeOptions:
        """The library's settings for it."""
        minus = (self.minus,) if self.minus else ()
        return LocalizeOptions(method=self.method, scales=self.scales or None, minus=minus)

    def queries(self) -> "list[Query]":
        """What the library is asked, one a heat map.

        Raises:
            SceneError: the image is gone or cannot be read. ItemNotFoundError: no such item.
        """
        from terraseek.localization.query import Picture

        kind, _, key = self.image.partition(":")
        if kind == "item":
            return [item_image(key)]
        if kind == "upload":
            file: Path = upload_path(key, state.settings().uploads)
            return [Picture.read(file, self.image_name)]
        return list(sentences_of(self.text))

    def plain(self) -> dict[str, Any]:
        """The same for the session."""
        return asdict(self)


def methods_for(model: str, encoder: "Encoder | None" = None) -> list[str]:
    """Methods a model allows.

    Dense needs an encoder with cells before its pooling, and a card that shows it to be no worse
    than windows; of a model that is not loaded yet only the card is looked at.
    """
    from terraseek.encoders import get_card

    try:
        dense = dense_offered(get_card(model))
    except UnknownModelError:  # an encoder of tests, whose maps nobody measured
        dense = False
    if encoder is not None and encoder.dense is None:
        dense = False
    return [name for name in get_args(Method) if dense or name != "dense"]


def read() -> Question:
    """The question in the session.

    Raises:
        EmptyQueryError: neither words nor an image.
        LatticeError: the window sizes are no sizes.
    """
    session = st.session_state
    return Question(
        text=(session.localize_text or "").strip(),
        minus=(session.localize_minus or "").strip(),
        image=session.localize_image or "",
        image_name=session.localize_image_name or "",
        method=session.localize_method,
        scales=parse_scales(session.localize_scales or ""),
    )
