"""Text of tables as programs write them: UTF-8 with or without mark, UTF-16, any separator."""

import csv
from pathlib import Path

from terraseek.errors import SourceError

__all__ = ["read_text_table", "separator_of"]

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEPARATORS = (",", ";", "\t", "|")


def read_text_table(path: Path) -> tuple[str, str]:
    """Text of a CSV or TSV file, and the character that separates its cells.

    Raises:
        SourceError: it is neither UTF-8 nor UTF-16.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path.name} is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8', or convert it "
            "with: iconv -f LATIN1 -t UTF-8 IN > OUT"
        ) from error
    if "\0" in text[:4096]:
        raise SourceError(f"{path.name} is not UTF-8 text, perhaps UTF-16; save it as 'CSV UTF-8'")
    return text, separator_of(text)


def separator_of(text: str) -> str:
    """The separator that gives the header line most cells; a comma if there is only one cell."""
    header = text.lstrip("\r\n").splitlines()[:1]
    cells = {s: len(next(csv.reader(header, delimiter=s), [])) for s in _SEPARATORS}
    return max(_SEPARATORS, key=lambda separator: cells[separator])
