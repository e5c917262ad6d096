"""Sentences to try on a scene: those its annotation file says something about."""

from functools import lru_cache
from pathlib import Path

import streamlit as st

from terraseek.errors import AnnotationError
from terraseek.files import read_json

__all__ = ["examples_of", "show_scene_examples"]

MOST = 6
"""Sentences shown."""


def examples_of(path: Path, most: int = MOST) -> list[str]:
    """Captions that `anno.json` beside a scene holds for it; none without such a file.

    The file is in SeLo's layout: a list of objects with `jpg_name` and `caption`.

    Raises:
        AnnotationError: the file is there and is something else.
    """
    beside = path.parent / "anno.json"
    if not beside.is_file():
        return []
    return list(_captions(beside, beside.stat().st_mtime_ns).get(path.name, ()))[:most]


@lru_cache(maxsize=8)
def _captions(path: Path, changed: int) -> dict[str, tuple[str, ...]]:
    try:
        found: dict[str, tuple[str, ...]] = {}
        for entry in read_json(path):
            name, caption = str(entry["jpg_name"]), str(entry["caption"]).strip()
            found[name] = (*found.get(name, ()), caption)
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path.name} beside the scene is no list of objects with jpg_name and caption; "
            "move it away or repair it"
        ) from error
    return found


def show_scene_examples(path: Path) -> None:
    """The sentences as buttons that ask at once."""
    with st.container(key="localize_examples", gap="small"):
        for number, text in enumerate(examples_of(path)):
            st.button(
                text,
                key=f"localize_example_{number}",
                icon=":material/my_location:",
                on_click=_try,
                args=(text,),
                width="stretch",
            )


def _try(text: str) -> None:
    st.session_state.localize_text = text
    st.session_state.localize_minus = ""
    st.session_state.localize_ask = True
