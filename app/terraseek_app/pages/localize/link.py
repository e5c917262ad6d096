"""URL parameters of the Localize page: scene, question and method to parameters and back."""

from typing import Any

import streamlit as st

from terraseek.errors import TerraSeekError
from terraseek.localization.methods.registry import METHODS
from terraseek.parameters import Params
from terraseek.request import LocalizeRequest
from terraseek_app.address import arrived_by, first_value, set_title, update_address
from terraseek_app.pages.localize.form import LocalizeForm
from terraseek_app.pages.localize.parsing import split_sentences
from terraseek_app.pages.localize.state import DEFAULTS, clear_result
from terraseek_app.server import state

__all__ = ["restore", "update"]

_SCENE, _NAME, _IMAGE = "scene", "name", "image"
"""Parameters with the scene as in `localize_source`, the name of an uploaded scene, and the token
of an uploaded query image."""
_KINDS = ("example", "item", "upload")


def restore() -> list[str]:
    """Set the page to what its address says, and ask the question in it.

    Returns:
        A message for each parameter that cannot be used.
    """
    params = arrived_by("localize")
    if params is None:
        return []
    notes: list[str] = []
    clear_result()
    _restore_scene(params, notes)
    _restore_question(params, notes)
    return notes


def _restore_scene(params: Params, notes: list[str]) -> None:
    source, name = (first_value(params, key) for key in (_SCENE, _NAME))
    if not source:
        return
    kind, _, key = source.partition(":")
    if kind not in _KINDS or (kind == "example" and key not in state.example_scenes()):
        notes.append(
            f"This server has no scene {source!r}, which the link refers to; choose another one."
        )
        return
    session = st.session_state
    session.localize_source = source
    if kind == "upload":
        session.localize_uploads = {**session.localize_uploads, key: name or key}


def _restore_question(params: Params, notes: list[str]) -> None:
    try:
        request = LocalizeRequest.from_params(params)
    except TerraSeekError as error:
        notes.append(f"{error}; the question of the link was left out.")
        return
    options = request.options
    session = st.session_state
    text = "; ".join(request.sentences)
    image = next((f"upload:{token}" for token in params.get(_IMAGE, ())), "")
    image = next((f"item:{item}" for item in request.items), image)
    session.update(
        localize_text=text,
        localize_minus=next(iter(options.minus), ""),
        localize_picture=image,
        localize_picture_name=_image_name(image),
        localize_method=options.method
        if options.method in METHODS
        else DEFAULTS["localize_method"],
        localize_scales=", ".join(map(str, options.scales or ())),
        localize_ask=bool(text or image),
        localize_taken=text,
        localize_stretch=request.stretch,
        localize_side=request.side or 0,
    )


def _image_name(image: str) -> str:
    kind, _, key = image.partition(":")
    return f"of item {key}" if kind == "item" else "of the link" if kind else ""


def update() -> None:
    """Keep address and title up to date with the scene and the question that was asked last."""
    session = st.session_state
    source = session.localize_source or ""
    params: dict[str, Any] = {_SCENE: source} if source else {}
    name = session.localize_uploads.get(source.removeprefix("upload:"))
    params |= {_NAME: name} if name else {}
    asked = session.localize_asked if session.localize_heat or session.localize_job else None
    label = ""
    if asked and asked["source"] == source:
        label = _add_question(params, asked["form"])
    update_address(params)
    set_title(f"Where is {label}?" if label else "Localize")


def _add_question(params: dict[str, Any], form: dict[str, Any]) -> str:
    """Add a `LocalizeForm` as a dictionary to parameters; returns its question for the title."""
    asked = LocalizeForm(**form)
    kind, _, key = asked.image.partition(":")
    request = LocalizeRequest(
        sentences=() if asked.image else tuple(split_sentences(asked.text)),
        items=(key,) if kind == "item" else (),
        options=asked.options,
        stretch=st.session_state.localize_stretch,
        side=st.session_state.localize_side or None,
    )
    params |= request.to_params()
    params |= {_IMAGE: key} if kind == "upload" else {}
    return "; ".join(asked.labels)
