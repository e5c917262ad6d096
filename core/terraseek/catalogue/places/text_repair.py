"""Repair of captions whose letters beyond ASCII were replaced by question marks."""

import re

__all__ = ["LOST_DEGREE", "ascii_with_question_marks", "restore_degrees"]

LOST_DEGREE = re.compile(r"(?<=\d)\?(?=[\s.,;:)]|$)")
"""A question mark after a number that was a degree sign: the tool that made RS5M's rating tables
decoded UTF-8 as ASCII, so that "52.96°" became "52.96?"."""
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def restore_degrees(caption: str) -> str:
    """Replace each "?" after a number by the degree sign that it was."""
    return LOST_DEGREE.sub("°", caption) if "?" in caption else caption


def ascii_with_question_marks(name: str) -> str:
    """Replace every letter beyond ASCII by "?", as in RS5M's captions (`São` becomes `S?o`)."""
    return _BEYOND_ASCII.sub("?", name)
