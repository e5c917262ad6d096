"""Signing in as a rater: the name, its key, and the personal link for another device."""

from urllib.parse import urlencode, urlsplit

import streamlit as st

from terraseek.errors import RaterKeyError, ReviewError, TerraSeekError
from terraseek.review import RaterKeys, rater_name
from terraseek_app.messages import show_error
from terraseek_app.pages.review.browser_keys import browser_keys
from terraseek_app.pages.review.state import review_log, show_item
from terraseek_app.plain_text import as_markdown
from terraseek_app.widgets.copy_button import copy_button

__all__ = ["ask_rater", "keep_in_browser", "new_key_panel", "rater_menu"]


def keep_in_browser() -> None:
    """Keep the rater's key in the browser, or receive the keys it has kept."""
    browser_keys(RaterKeys(review_log()).log_id, _receive)


def _receive(kept: dict[str, str]) -> None:
    """Use keys of the browser: the rater in the address is signed in at once."""
    session = st.session_state
    session.review_kept = kept
    wanted = st.query_params.get("rater", "")
    if not session.review_name and wanted in kept:
        _use_key(wanted, kept[wanted])


def ask_rater() -> None:
    """Draw the form that asks for the rater."""
    session = st.session_state
    st.space("large")
    middle = st.columns([1, 1.4, 1])[1]
    with middle, st.container(border=True, key="review_start"):
        st.html('<p class="ts-hero">Review captions</p>')
        st.html(
            '<span class="ts-quiet">Rate one picture and its caption at a time. Every decision is '
            "saved under your name, nothing is ever overwritten, and several people can work at "
            "the same time.</span>"
        )
        if "review_rater" not in session:
            session.review_rater = st.query_params.get("rater", "")[:200]
        st.text_input(
            "Your name", key="review_rater", max_chars=60, on_change=_start,
            placeholder="saved with your reviews",
        )  # fmt: skip
        if session.review_taken_name:
            st.text_input(
                "Your key", key="review_own_key", type="password", on_change=_start, max_chars=40,
                help="It is part of your personal link. Without it, choose another name, or ask "
                "the person who runs this server for a new key.",
            )  # fmt: skip
        if session.review_error:
            show_error(ReviewError(session.review_error))
        st.button("Start", type="primary", on_click=_start, key="review_go")
        if session.review_kept:
            with st.container(horizontal=True, gap="small"):
                for number, (name, key) in enumerate(session.review_kept.items()):
                    st.button(
                        as_markdown(name), key=f"review_known_{number}", icon=":material/person:",
                        on_click=_use_key, args=(name, key),
                    )  # fmt: skip


def _start() -> None:
    """Sign in with the name and key of the form; the first use of a name makes its key."""
    session = st.session_state
    if session.review_name:  # Enter and the button arrived together
        return
    session.review_error = None
    try:
        name = rater_name(session.get("review_rater") or "")
        if not name:
            return
        given = (session.get("review_own_key") or "").strip()
        keys = RaterKeys(review_log())
        for key in (given, session.review_kept.get(name, "")):
            if keys.is_valid(name, key):
                _enter(name, key)
                return
        if given and session.review_taken_name == name:
            raise RaterKeyError(f"this is not the key of {name}; check it, or choose another name")
        _enter(name, keys.claim(name), is_new=True)
    except RaterKeyError as error:
        session.review_error = str(error)
        session.review_taken_name = name
    except TerraSeekError as error:
        session.review_error = str(error)


def _use_key(name: str, key: str) -> None:
    """Sign in with a key of the browser; one that was replaced is removed from it."""
    session = st.session_state
    session.review_error = None
    try:
        if RaterKeys(review_log()).is_valid(name, key):
            _enter(name, key)
            return
    except TerraSeekError as error:
        session.review_error = str(error)
        return
    session.review_error = f"the key of {name} in this browser is not valid now; enter the new one"
    session.review_kept = {n: k for n, k in session.review_kept.items() if n != name}
    session.review_forget = [name]
    session.review_rater = session.review_taken_name = name


def _enter(name: str, key: str, is_new: bool = False) -> None:
    st.session_state.update(
        review_name=name,
        review_key=key,
        review_is_new_key=is_new,
        review_taken_name="",
        review_forget=[],
    )
    st.query_params["rater"] = name


def new_key_panel() -> None:
    """Draw the personal link of a new rater, until it is dismissed."""
    session = st.session_state
    if not session.review_is_new_key:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="review_new_key"
    ):
        st.html(
            '<span class="ts-quiet">This name is yours now. This browser keeps its key; for '
            "another one, save your personal link. It is not shown again after you leave.</span>"
        )
        st.code(session.review_key, language=None)
        copy_button(_personal_link(), "Copy personal link", key="review_copy_link")
        st.button("Done", key="review_new_key_done", on_click=_dismiss_link)


def rater_menu() -> None:
    """Draw the menu with the rater's name: personal link, change of the rater."""
    session = st.session_state
    with st.popover(as_markdown(session.review_name), icon=":material/person:", width="stretch"):
        copy_button(_personal_link(), "Copy personal link", key="review_menu_link")
        st.button(
            "Change the rater", key="review_change", on_click=_leave, args=(False,),
            help="This browser keeps the key of the name", width="stretch",
        )  # fmt: skip
        st.button(
            "Forget me in this browser", key="review_forget_me", on_click=_leave, args=(True,),
            help="You need your personal link to continue here", width="stretch",
        )  # fmt: skip


def _dismiss_link() -> None:
    st.session_state.review_is_new_key = False


def _leave(forget: bool) -> None:
    """Ask for the rater again; with `forget`, the browser removes the key."""
    session = st.session_state
    name, key = session.review_name, session.review_key
    kept = {n: k for n, k in session.review_kept.items() if n != name}
    session.update(
        review_name="",
        review_key="",
        review_is_new_key=False,
        review_forget=[name] if forget else [],
        review_kept=kept if forget else {**kept, name: key},
    )
    st.query_params.pop("rater", None)
    show_item(None)


def _personal_link() -> str:
    """Address of the page with the name and, behind `#`, the key, which no server logs."""
    session = st.session_state
    page = urlsplit(st.context.url or "/review")._replace(query="", fragment="").geturl()
    return f"{page}?{urlencode({'rater': session.review_name})}#key={session.review_key}"
