"""A level of significance as a tag with its colour, the same on all pages."""

from terraseek.significance.model import Level
from terraseek.significance.words import WORDS

__all__ = ["level_tag"]


def level_tag(level: Level) -> str:
    """HTML of a tag; its colours are in `app.css`."""
    return f'<span class="ts-tag ts-level-{level}">{WORDS[level]}</span>'
