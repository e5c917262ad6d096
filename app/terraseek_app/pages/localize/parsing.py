"""What people write on the Localize page, read."""

from terraseek.errors import LatticeError

__all__ = ["parse_scales", "sentences_of", "time_left"]


def parse_scales(text: str) -> tuple[int, ...]:
    """Window sides in pixels, for example `128, 256`; empty leaves the choice to the method.

    Raises:
        LatticeError: something else than whole numbers of at least 8.
    """
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    parts = [part for part in parts if part]
    if not all(part.isdecimal() and 8 <= int(part) <= 65536 for part in parts):
        raise LatticeError(
            f"window sizes {text!r} must be whole numbers of pixels from 8 up, e.g. 128, 256"
        )
    return tuple(int(part) for part in parts)


def sentences_of(text: str) -> list[str]:
    """What a semicolon separates is asked one by one, of a scene that is encoded once."""
    return [part.strip() for part in text.split(";") if part.strip()] or [text]


def time_left(seconds: float | None) -> str:
    """The end of the progress line: nothing while unknown, coarse as an estimate deserves."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    return f", about {round(seconds / 60)} min left"
