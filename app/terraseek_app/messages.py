"""Error messages on the pages, and the app's only broad `except`.

A `TerraSeekError` says what is wrong and what to do, and is shown as it is. Any other exception is
a bug: its traceback goes to the log, and the page shows an id to find it by.
"""

import logging
import secrets
from collections.abc import Iterator
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

__all__ = ["headline", "show_error", "show_errors"]

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


def show_error(error: TerraSeekError) -> None:
    """Show an expected error; an empty query is shown as a hint, a cancelled job as a notice."""
    text = sentence_as_markdown(str(error))  # it may quote names of files and people
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
    except Exception:  # noqa: BLE001 - the app's only broad except; logs the traceback
        error_id = secrets.token_hex(3)
        _log.exception("unexpected error %s", error_id)
        st.error(
            f"**Something unexpected happened** (id `{error_id}`). The server's log has the "
            "details under this id; reload the page to start again.",
            icon=":material/error:",
        )
