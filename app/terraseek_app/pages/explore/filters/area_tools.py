"""The menu of drawn areas: import from a file, save with a name, use a saved one again."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.catalogue.filters.area_files import AREA_SUFFIXES, NamedRing, read_rings
from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.pages.explore.areas import polygons_text
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.plain_text import as_markdown
from terraseek_app.server import state
from terraseek_app.server.saved_searches import delete_search, read_searches, save_search

__all__ = ["MAX_SHAPES", "area_tools", "import_areas", "saved_areas"]

MAX_SHAPES = 200
"""Most polygons drawn at once."""
MAX_FILE_MB = 20
"""Largest file of areas in megabytes."""
_POLYGON = "polygon"


def area_tools(form: SearchForm) -> None:
    """Draw the menu; what is chosen is added to the polygons of the session."""
    with st.popover("Areas", icon=":material/polyline:", width="stretch", key="explore_areas"):
        _import_field()
        if form.polygons:
            _save_fields(form)
        _saved_list()


def import_areas(content: bytes, name: str) -> list[NamedRing]:
    """The areas of an uploaded file.

    Args:
        content: bytes of the file.
        name: its name, whose suffix says what it is.

    Raises:
        FilterError: it has no areas that can be drawn.
    """
    with tempfile.TemporaryDirectory() as folder:
        # the name is the client's and may hold anything; messages name the file by it
        path = Path(folder) / Path(name.replace("\\", "/")).name
        path.write_bytes(content)
        return read_rings(path)


def saved_areas() -> dict[str, str]:
    """Saved searches that consist of polygons alone: name -> text of the polygons."""
    saved = read_searches(state.catalogue().path)
    return {one.name: one.params[_POLYGON][0] for one in saved if set(one.params) == {_POLYGON}}


def _add(rings: Sequence[Sequence[Sequence[float]]]) -> None:
    known = st.session_state.explore_polygons
    new = [[list(corner) for corner in ring] for ring in rings]
    added = [ring for ring in new if ring not in known]
    st.session_state.explore_polygons = [*known, *added][:MAX_SHAPES]


def _import_field() -> None:
    number = st.session_state.setdefault("explore_areas_generation", 0)
    upload = st.file_uploader(
        "Areas from a file (GeoJSON, GeoPackage)",
        type=[suffix[1:] for suffix in AREA_SUFFIXES],
        key=f"explore_areas_file_{number}",
        max_upload_size=MAX_FILE_MB,
    )
    if upload is None:
        return
    try:
        rings = import_areas(upload.getvalue(), upload.name)
    except TerraSeekError as error:
        show_error(error)
        return
    st.session_state.explore_areas_generation = number + 1  # empties the field
    _add([ring.corners for ring in rings])
    st.rerun()


def _save_fields(form: SearchForm) -> None:
    name, button = st.columns([3, 1], vertical_alignment="bottom")
    name.text_input("Save the drawn areas as", key="explore_area_name", max_chars=80)
    button.button(
        "Save",
        on_click=_save,
        args=(polygons_text(form.polygons),),
        key="explore_area_save",
        width="stretch",
    )
    error = st.session_state.pop("explore_area_error", None)
    if error is not None:
        show_error(error)


def _save(text: str) -> None:
    session: Any = st.session_state
    try:
        save_search(state.catalogue().path, session.explore_area_name or "", {_POLYGON: text})
    except TerraSeekError as error:
        session.explore_area_error = error
    else:
        session.explore_area_name = ""


def _saved_list() -> None:
    try:
        saved = saved_areas()
    except TerraSeekError as error:
        show_error(error)
        return
    for number, (name, text) in enumerate(saved.items()):
        with st.container(horizontal=True, gap="small"):
            st.button(
                as_markdown(name),
                icon=":material/polyline:",
                type="tertiary",
                key=f"explore_area_use_{number}",
                on_click=_use,
                args=(text,),
            )
            st.button(
                "",
                icon=":material/delete:",
                type="tertiary",
                help=f"Delete the areas {as_markdown(name)}",
                key=f"explore_area_delete_{number}",
                on_click=_delete,
                args=(name,),
            )


def _use(text: str) -> None:
    rings = [[corner.split(",") for corner in ring.split(";")] for ring in text.split("|")]
    _add([[[float(lon), float(lat)] for lon, lat in ring] for ring in rings])


def _delete(name: str) -> None:
    try:
        delete_search(state.catalogue().path, name)
    except TerraSeekError as error:
        st.session_state.explore_area_error = error
