"""Parsing of the text fields on the Localize page."""

from terraseek.errors import LatticeError

__all__ = ["join_lines", "parse_scales", "split_sentences"]


def parse_scales(text: str) -> tuple[int, ...]:
    """Parse window sides in pixels, such as `128, 256`; empty text uses the method's own sides.

    Raises:
        LatticeError: a part is not a whole number from 8 to 65536.
    """
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    parts = [part for part in parts if part]
    if not all(part.isdecimal() and 8 <= int(part) <= 65536 for part in parts):
        raise LatticeError(
            f"window sizes {text!r} must be whole numbers of pixels from 8 to 65536, e.g. 128, 256"
        )
    return tuple(int(part) for part in parts)


def split_sentences(text: str) -> list[str]:
    """Sentences separated by semicolons; each one gets its own heat map."""
    return [part.strip() for part in text.split(";") if part.strip()] or [text]


def join_lines(text: str) -> str:
    """Sentences on lines of their own, as one text for `split_sentences`; repeated ones once."""
    lines = [line.strip().strip(";").strip() for line in text.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))
