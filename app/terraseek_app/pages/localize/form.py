"""Form values of the Localize page, and the library's queries and options they stand for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from terraseek.errors import EmptyQueryError, InputError, UnknownModelError
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS
from terraseek.localization.options import LocalizeOptions
from terraseek_app.pages.localize.parsing import parse_scales, split_sentences
from terraseek_app.server.query_images import item_image, uploaded_image

if TYPE_CHECKING:
    from terraseek.encoders.base import Encoder
    from terraseek.localization.query import LocalizeQuery

__all__ = ["MAX_SENTENCES", "LocalizeForm", "available_methods", "read_form"]

MAX_SENTENCES = 8
"""Most sentences of a question: colours that can be told apart on a map."""


@dataclass(frozen=True, slots=True)
class LocalizeForm:
    """A query to a scene: sentences, or an image instead of them."""

    text: str = ""
    """Sentences separated by semicolons; ignored when there is an image."""
    minus: str = ""
    """Sentence whose score is subtracted."""
    image: str = ""
    """`upload:<token>` or `item:<item id>`; empty for a text query."""
    image_name: str = ""
    """Display name of the image."""
    method: str = DEFAULT_METHOD
    """Name of the localization method."""
    scales: tuple[int, ...] = ()
    """Window sides in pixels; empty uses the method's own."""

    def __post_init__(self) -> None:
        if not (self.text.strip("; ") or self.image):
            problem = f"{self.text!r} holds no sentence" if self.text else "The sentence is empty"
            raise EmptyQueryError(f"{problem}; say what to look for in a few words.")
        if len(self.labels) > MAX_SENTENCES:
            raise InputError(
                f"{len(self.labels)} sentences are more than the {MAX_SENTENCES} that a map can "
                "show; ask the others in another question."
            )

    @property
    def labels(self) -> list[str]:
        """Label of each heat map."""
        return [f"picture {self.image_name}"] if self.image else split_sentences(self.text)

    @property
    def options(self) -> LocalizeOptions:
        """The library's options."""
        minus = (self.minus,) if self.minus else ()
        return LocalizeOptions(method=self.method, scales=self.scales or None, minus=minus)

    def queries(self) -> "list[LocalizeQuery]":
        """The library's queries, one for each heat map.

        Raises:
            SceneError: the image was removed, or cannot be read.
            ItemNotFoundError: the catalogue has no such item.
        """
        kind, _, key = self.image.partition(":")
        if kind == "item":
            return [item_image(key)]
        if kind == "upload":
            return [uploaded_image(key, self.image_name)]
        return list(split_sentences(self.text))


def available_methods(model: str, encoder: "Encoder | None" = None) -> list[str]:
    """Localization methods that a model supports; see `Method.is_offered`.

    Args:
        model: name of the model.
        encoder: the loaded encoder; None while it is not loaded, when only the card is checked.
    """
    from terraseek.encoders import get_card

    try:
        card = get_card(model)
    except UnknownModelError:
        card = None
    return [name for name, method in METHODS.items() if method.is_offered(card, encoder)]


def read_form() -> LocalizeForm:
    """Form values from the session.

    Raises:
        EmptyQueryError: there is neither a sentence nor an image.
        InputError: there are more than `MAX_SENTENCES` sentences.
        LatticeError: the window sizes are invalid.
    """
    session = st.session_state
    return LocalizeForm(
        text=(session.localize_text or "").strip(),
        minus=(session.localize_minus or "").strip(),
        image=session.localize_picture or "",
        image_name=session.localize_picture_name or "",
        method=session.localize_method,
        scales=parse_scales(session.localize_scales or ""),
    )
