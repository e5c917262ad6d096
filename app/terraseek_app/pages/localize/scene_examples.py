"""Example sentences for a scene: the captions in the annotation file beside it."""

from functools import lru_cache
from pathlib import Path

import streamlit as st

from terraseek.errors import AnnotationError
from terraseek.files import read_json

__all__ = ["scene_captions", "show_scene_examples"]

MAX_EXAMPLES = 6
"""Sentences shown."""


def scene_captions(path: Path, limit: int = MAX_EXAMPLES) -> list[str]:
    """Captions of a scene in `anno.json` in its folder; none without such a file.

    The file has the layout of the SeLo benchmark: a list of objects with `jpg_name` and `caption`.

    Args:
        path: the scene's file.
        limit: most captions returned.

    Raises:
        AnnotationError: the annotation file has another layout.
    """
    annotations = path.parent / "anno.json"
    if not annotations.is_file():
        return []
    captions = _read_captions(annotations, annotations.stat().st_mtime_ns)
    return list(captions.get(path.name, ()))[:limit]


@lru_cache(maxsize=8)
def _read_captions(path: Path, mtime_ns: int) -> dict[str, tuple[str, ...]]:
    """Captions by file name; `mtime_ns` is part of the cache key only."""
    try:
        captions: dict[str, tuple[str, ...]] = {}
        for entry in read_json(path):
            name, caption = str(entry["jpg_name"]), str(entry["caption"]).strip()
            captions[name] = (*captions.get(name, ()), caption)
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path.name} beside the scene must be a list of objects with jpg_name and caption; "
            "repair it, or move it to another folder"
        ) from error
    return captions


def show_scene_examples(path: Path) -> None:
    """Draw the sentences as buttons that start the localization at once."""
    with st.container(key="localize_examples", gap="small"):
        for number, text in enumerate(scene_captions(path)):
            st.button(
                text,
                key=f"localize_example_{number}",
                icon=":material/my_location:",
                on_click=_localize_example,
                args=(text,),
                width="stretch",
            )


def _localize_example(text: str) -> None:
    st.session_state.localize_text = text
    st.session_state.localize_minus = ""
    st.session_state.localize_ask = True
