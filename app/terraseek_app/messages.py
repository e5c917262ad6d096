"""From exceptions to what the user reads; the app's one broad except stands here.

What was raised on purpose (`TerraSeekError`) already says what is wrong and what to do: shown
as it is. Anything else is a fault of ours: logged whole, shown with a short id to find it by.
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

__all__ = ["guard", "headline", "say"]

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
    """The few words above an error's own text."""
    for kind, words in _HEADLINES:
        if isinstance(error, kind):
            return words
    return "That did not work"


def say(error: TerraSeekError) -> None:
    """Show an error raised on purpose; a missing sentence is a hint, not a fault."""
    if isinstance(error, Cancelled):
        st.info("Stopped. What was finished before is kept.", icon=":material/block:")
    elif isinstance(error, EmptyQueryError):
        st.info(f"**{headline(error)}.** {error}", icon=":material/edit:")
    else:
        st.error(f"**{headline(error)}.** {error}", icon=":material/error:")


@contextmanager
def guard() -> Iterator[None]:
    """Draw a page, or say in its place what went wrong.

    Streamlit's own signals (rerun, stop) are no `Exception` and pass through.
    """
    try:
        yield
    except TerraSeekError as error:
        say(error)
    except Exception:  # noqa: BLE001 - the app's one broad except; it logs and tells
        fault = secrets.token_hex(3)
        _log.exception("unexpected error %s", fault)
        st.error(
            f"**Something unexpected happened** (id `{fault}`). The server's log has the details "
            "under this id; reloading the page starts afresh.",
            icon=":material/error:",
        )
