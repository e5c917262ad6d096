"""White space in captions: one blank between words."""

__all__ = ["single_spaced"]


def single_spaced(text: str) -> str:
    """Text with one blank between its words, and none around it."""
    # the blank is the only printable white space, so most captions need not be split and joined
    if text.isprintable() and "  " not in text and text.strip(" ") == text:
        return text
    return " ".join(text.split())
