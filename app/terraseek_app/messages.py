"""Error messages on the pages, and the app's only broad `except`.

A `TerraSeekError` says what is wrong and what to do, and is shown on one line, without folders of
the server. Errors of disks and files are explained in the same way. Any other exception is a bug:
its traceback goes to the log, and the page shows an id to find it by.
"""

import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from terraseek.errors import (
    Cancelled,
    CatalogueNotFoundError,
    ConfigError,
    EmptyQueryError,
    EncoderMismatchError,
    SceneError,
    StoreNotFoundError,
    TerraSeekError,
    WeightsNotFoundError,
)
from terraseek_app.plain_text import sentence_as_markdown
from terraseek_app.server import state
from terraseek_app.server.client_text import client_text
from terraseek_app.server.failures import explain
from terraseek_app.upload_names import upload_names

__all__ = ["headline", "page_text", "show_error", "show_errors", "show_notes"]

_log = logging.getLogger(__name__)

_HEADLINES: tuple[tuple[type[TerraSeekError], str], ...] = (
    (EmptyQueryError, "Nothing to look for yet"),
    (SceneError, "This picture cannot be used"),
    (CatalogueNotFoundError, "No catalogue here"),
    (StoreNotFoundError, "The catalogue is not embedded with this model"),
    (EncoderMismatchError, "Catalogue and model do not fit together"),
    (WeightsNotFoundError, "The model's weights are missing"),
    (ConfigError, "A setting cannot be used"),
)


def headline(error: TerraSeekError) -> str:
    """Title shown above an error's own message."""
    for kind, title in _HEADLINES:
        if isinstance(error, kind):
            return title
    return "That did not work"


def page_text(text: str) -> str:
    """A sentence for the page: without folders of the server, and with no Markdown in it.

    It may quote names of files, values of the address and whatever else people write.
    """
    return sentence_as_markdown(client_text(text, state.settings(), upload_names()))


def show_notes(notes: Iterable[str]) -> None:
    """Show what of a link cannot be used."""
    for note in notes:
        st.warning(page_text(note))


def show_error(error: TerraSeekError) -> None:
    """Show an expected error; an empty query is shown as a hint, a cancelled job as a notice."""
    text = page_text(str(error))
    if isinstance(error, Cancelled):
        st.info("Stopped. What was finished before is kept.", icon=":material/block:")
    elif isinstance(error, EmptyQueryError):
        st.info(f"**{headline(error)}.** {text}", icon=":material/edit:")
    else:
        st.error(f"**{headline(error)}.** {text}", icon=":material/error:")


@contextmanager
def show_errors() -> Iterator[None]:
    """Run the body of a page, and show exceptions on the page instead of raising them.

    Streamlit's control-flow signals (rerun, stop) are no `Exception` and pass through.
    """
    try:
        yield
    except TerraSeekError as error:
        show_error(error)
    except Exception as error:  # noqa: BLE001 - the app's only broad except; logs the traceback
        error_id = secrets.token_hex(3)
        _log.exception("unexpected error %s", error_id)
        failure = explain(error)
        if failure is not None:
            st.error(f"**That did not work.** {page_text(failure.text)}", icon=":material/error:")
            return
        st.error(
            f"**Something unexpected happened** (id `{error_id}`). The server's log has the "
            "details under this id; reload the page to start again.",
            icon=":material/error:",
        )
