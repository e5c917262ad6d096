"""Write generated tables into a Markdown document, between two markers."""

from pathlib import Path

from terraseek.errors import OutputError
from terraseek.files import write_text

__all__ = ["replace_between_markers"]


def replace_between_markers(path: Path, text: str, begin: str, end: str) -> None:
    """Replace the text between two marker lines of a document.

    Raises:
        OutputError: the document cannot be read or written, or lacks the markers.
    """
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error})") from error
    if (
        before.count(begin) != 1
        or before.count(end) != 1
        or before.index(begin) > before.index(end)
    ):
        raise OutputError(f"{path} must hold the lines {begin} and {end} once, in this order")
    head, rest = before.split(begin)
    tail = rest.split(end)[1]
    try:
        write_text(path, f"{head}{begin}\n{text}{end}{tail}")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}); choose another") from error
