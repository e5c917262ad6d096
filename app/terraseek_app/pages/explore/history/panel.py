"""The menu of earlier and saved searches."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from terraseek.display import shortened
from terraseek.errors import TerraSeekError
from terraseek.parameters import Params
from terraseek_app.messages import show_error
from terraseek_app.pages.explore import link
from terraseek_app.pages.explore.hits.cut import restore_cut
from terraseek_app.pages.explore.query.parts import query_title
from terraseek_app.pages.explore.state import SearchForm, write_form
from terraseek_app.plain_text import as_markdown
from terraseek_app.server import state
from terraseek_app.server.saved_searches import (
    SavedSearch,
    delete_search,
    read_searches,
    save_search,
)

__all__ = ["history", "history_panel", "open_search", "remember", "search_title"]

HISTORY_LENGTH = 30
"""Earlier searches kept in a session."""
_SHOWN = 12
_TITLE_LENGTH = 60


def history() -> list[dict[str, Any]]:
    """Earlier searches of this session, the latest first: title and params."""
    return list(st.session_state.get("explore_history") or [])


def remember(form: SearchForm, params: Params) -> None:
    """Put a search first in the history, once."""
    others = [one for one in history() if one["params"] != params]
    entry = {"title": search_title(form), "params": params}
    st.session_state.explore_history = [entry, *others][:HISTORY_LENGTH]


def search_title(form: SearchForm) -> str:
    """Query and number of filters in a few words."""
    n = form.n_filters + form.has_area
    filters = f" ({n} filter{'s' if n > 1 else ''})" if n else ""
    return f"{query_title(form) or 'all pictures'}{filters}"


def open_search(params: Params) -> None:
    """Replace the form by that of an earlier or saved search; call before the page is drawn."""
    form, selected, _ = link.from_params(params)
    write_form(form, selected)
    restore_cut(params, [])


def history_panel(params: Params, draw_more: Callable[[Sequence[SavedSearch]], None]) -> None:
    """Draw the menu.

    Args:
        params: link of what is shown, which can be saved.
        draw_more: draws what else belongs into the menu; is given the saved searches.
    """
    with st.popover(
        "Searches", icon=":material/bookmark:", type="tertiary", key="explore_searches"
    ):
        _save_fields(params)
        saved, problem = _saved()
        draw_more(saved)
        if problem is not None:
            show_error(problem)
        for number, one in enumerate(saved):
            with st.container(horizontal=True, gap="small"):
                _open_button(one.name, one.params, f"explore_saved_{number}", ":material/bookmark:")
                st.button(
                    "",
                    icon=":material/delete:",
                    type="tertiary",
                    help=f"Delete the search {as_markdown(one.name)}",
                    key=f"explore_unsave_{number}",
                    on_click=_delete,
                    args=(one.name,),
                )
        earlier = [past for past in history() if past["params"] != params]
        if earlier:
            st.html('<span class="ts-quiet">earlier in this session</span>')
        for number, past in enumerate(earlier[:_SHOWN]):
            key = f"explore_earlier_{number}"
            _open_button(past["title"], past["params"], key, ":material/history:")


def _saved() -> tuple[list[SavedSearch], TerraSeekError | None]:
    try:
        return read_searches(state.catalogue().path), None
    except TerraSeekError as error:
        return [], error


def _save_fields(params: Params) -> None:
    if not params:
        st.caption("A search can be saved here with a name, for everybody who uses this server.")
        return
    name, button = st.columns([3, 1], vertical_alignment="bottom")
    name.text_input("Save this search as", key="explore_save_name", max_chars=80)
    button.button("Save", on_click=_save, args=(params,), key="explore_save", width="stretch")
    error = st.session_state.pop("explore_save_error", None)
    if error is not None:
        show_error(error)


def _open_button(title: str, params: Params, key: str, icon: str) -> None:
    st.button(
        as_markdown(shortened(title, _TITLE_LENGTH)),
        key=key,
        icon=icon,
        type="tertiary",
        on_click=open_search,
        args=(params,),
    )


def _save(params: Params) -> None:
    session = st.session_state
    try:
        save_search(state.catalogue().path, session.explore_save_name or "", params)
    except TerraSeekError as error:
        session.explore_save_error = error
    else:
        session.explore_save_name = ""


def _delete(name: str) -> None:
    try:
        delete_search(state.catalogue().path, name)
    except TerraSeekError as error:
        st.session_state.explore_save_error = error
