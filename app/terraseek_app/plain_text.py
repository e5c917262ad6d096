"""Text of users and files for places where Streamlit draws Markdown."""

import re

__all__ = ["as_markdown", "sentence_as_markdown"]

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_ACTIVE = re.compile(r"([\\`*_\[\]<>!$:~#|@&{}]|(?<=www)\.)")


def as_markdown(text: str) -> str:
    """Escape text, so that Markdown shows it as it is: no image, link, formula or icon in it."""
    return _PUNCTUATION.sub(r"\\\1", text)


def sentence_as_markdown(text: str) -> str:
    """Escape a sentence that follows other text: only what Markdown acts on within a line."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))
