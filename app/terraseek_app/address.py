"""The browser's address and title of a page: every state of a page is a link.

A page reads its address when it is opened by a link and after the browser's Back or Forward, and
keeps it up to date otherwise. The map's view is written by the browser (`widgets.page_link`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from terraseek.parameters import Params

__all__ = [
    "SPLIT",
    "VIEW",
    "arrived_by",
    "base_path",
    "first_value",
    "set_title",
    "update_address",
    "value_lists",
    "view_of",
]

VIEW = "view"
"""Parameter with the view of the page's map: LON,LAT,ZOOM."""
SPLIT = "split"
"""Parameter with how two maps are shown: `sides`, or the share left of the divider."""
_MAX_ZOOM = 24


def arrived_by(page: str) -> dict[str, list[str]] | None:
    """Parameters that the page must be restored from; None if the session is up to date.

    Args:
        page: URL path of the page that is being drawn.
    """
    session = st.session_state
    is_other_page = session.get("address_page") != page
    session.address_page = page
    context = get_script_run_ctx()
    params = _current()
    if context is not None and context.is_history_navigation:
        return params
    return params if params and is_other_page else None


def update_address(params: Mapping[str, str | Sequence[str]]) -> None:
    """Set the parameters of the address; a change is one step in the browser's history."""
    wanted = value_lists(params)
    current = _current()
    for name in (VIEW, SPLIT):  # written by the browser
        current.pop(name, None)
    if current != wanted:
        st.query_params.from_dict(wanted)


def _current() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def value_lists(params: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    """Parameters with all their values, also of those that have one."""
    return {name: [v] if isinstance(v, str) else list(v) for name, v in params.items()}


def first_value(params: Params, name: str) -> str:
    """First value of a parameter; blank without one."""
    return next(iter(params.get(name, ())), "")


def base_path() -> str:
    """Path under which Streamlit serves the app, without a trailing slash; blank for the root."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def set_title(text: str) -> None:
    """Set the title of the browser's tab and of the history entry; blank for the app's name."""
    st.set_page_config(page_title=f"{text} · TerraSeek" if text else "TerraSeek")


def view_of(params: Params, notes: list[str]) -> dict[str, Any] | None:
    """The view of the map in parameters, as the map takes it; None without one.

    Args:
        params: parameters of the address.
        notes: collects a sentence if the view cannot be used.
    """
    text = first_value(params, VIEW)
    if not text:
        return None
    try:
        lon, lat, zoom = map(float, text.split(","))
    except ValueError:
        lon = lat = zoom = math.nan
    if not (abs(lon) <= 540 and abs(lat) <= 90 and 0 <= zoom <= _MAX_ZOOM):
        notes.append(f"{VIEW} is {text!r}; give LON,LAT,ZOOM like 2.35,48.86,7; it was left out.")
        return None
    return {"center": [lon, lat], "zoom": zoom}
