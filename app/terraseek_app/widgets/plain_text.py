"""Text of users and files for places where Streamlit draws Markdown."""

import re

__all__ = ["as_markdown"]

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def as_markdown(text: str) -> str:
    """Escape text, so that Markdown shows it as it is: no image, link, formula or icon in it."""
    return _PUNCTUATION.sub(r"\\\1", text)
