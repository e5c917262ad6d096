"""Text files as programs write them: UTF-8 with or without mark, UTF-16, any separator."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from terraseek.errors import SourceError

__all__ = [
    "TextTable",
    "decode_text",
    "read_csv_rows",
    "read_text",
    "read_text_start",
    "read_text_table",
    "separator_of",
    "sniff_table",
    "without_separator_line",
]

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
"""First line by which Excel is told the separator."""
_START_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TextTable:
    """A text table and how to read it."""

    path: Path
    """The file."""
    encoding: str
    """Its encoding."""
    separator: str
    """Character that separates cells."""
    first: tuple[str, ...]
    """Cells of the first line that is not empty."""
    second: tuple[str, ...]
    """Cells of the row after it; none if there is no other."""

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """Open the file as text.

        Raises:
            SourceError: it is neither UTF-8 nor UTF-16.
        """
        with self.path.open(encoding=self.encoding, newline="") as file:
            try:
                if _SEPARATOR_LINE.fullmatch(file.readline()) is None:
                    file.seek(0)
                yield file
            except UnicodeDecodeError as error:
                raise _not_utf8(self.path) from error


def sniff_table(path: Path) -> TextTable:
    """Find the encoding and the separator of a CSV or TSV file in its first megabyte.

    Raises:
        SourceError: it is neither UTF-8 nor UTF-16.
    """
    with path.open("rb") as file:
        data = file.read(_START_BYTES)
    encoding = _encoding_of(data)
    try:
        # the start may end inside a letter
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    _check_text(path, text)
    separator = separator_of(text)
    text = without_separator_line(text)
    first, second = _first_cells(text, separator), _second_cells(text, separator)
    return TextTable(path, encoding, separator, first, second)


def read_text(path: Path, fallback: Sequence[str] = ()) -> str:
    """Text of a file in UTF-8 or, with a mark at its start, UTF-16.

    Args:
        path: the file.
        fallback: encodings to try if it is neither; without any, such a file is refused.

    Raises:
        SourceError: it is in none of the encodings.
    """
    data = path.read_bytes()
    for encoding in (_encoding_of(data), *fallback):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        _check_text(path, text)
        return text
    raise _not_utf8(path)


def decode_text(data: bytes) -> tuple[str, bool]:
    """Text in UTF-8 or, with a mark, UTF-16, and whether it is.

    Other text is read as Latin-1, or, if it is UTF-8 but for some bytes, without these.
    """
    try:
        return data.decode(_encoding_of(data)), True
    except UnicodeDecodeError:
        mostly = not data.decode("utf-8", "ignore").isascii()
        return data.decode("utf-8" if mostly else "cp1252", "replace"), False


def read_text_start(path: Path, length: int) -> str:
    """First bytes of a file as text, to recognise what it is; invalid ones are replaced."""
    with path.open("rb") as file:
        data = file.read(length)
    return data.decode(_encoding_of(data), errors="replace")


def read_text_table(path: Path, fallback: Sequence[str] = ()) -> tuple[str, str]:
    """Text of a CSV or TSV file, and the character that separates its cells; see `read_text`.

    Raises:
        SourceError: it is in none of the encodings.
    """
    text = read_text(path, fallback)
    return without_separator_line(text), separator_of(text)


def read_csv_rows(path: Path, fallback: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV or TSV file as cells by column; missing cells are empty, extra ones left out.

    Raises:
        SourceError: it is in none of the encodings, or no table.
    """
    text, separator = read_text_table(path, fallback)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
    try:
        return [{k: v for k, v in row.items() if isinstance(v, str)} for row in reader]
    except csv.Error as error:
        raise SourceError(f"{path.name}, line {reader.line_num}: {error}") from error


def separator_of(text: str) -> str:
    """The separator that gives the header line most cells; a comma if there is only one cell.

    A first line like `sep=;`, as Excel writes and reads it, says the separator.
    """
    declared = _SEPARATOR_LINE.fullmatch(text.partition("\n")[0])
    if declared is not None and declared[1] in _SEPARATORS:
        return declared[1]
    cells = {separator: len(_first_cells(text, separator)) for separator in _SEPARATORS}
    return max(_SEPARATORS, key=lambda separator: cells[separator])


def without_separator_line(text: str) -> str:
    """The text without a first line like `sep=;`."""
    first, _, others = text.partition("\n")
    return text if _SEPARATOR_LINE.fullmatch(first) is None else others


def _encoding_of(data: bytes) -> str:
    return next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")


def _first_cells(text: str, separator: str) -> tuple[str, ...]:
    header = text.lstrip("\r\n").splitlines()[:1]
    return tuple(next(csv.reader(header, delimiter=separator), []))


def _second_cells(text: str, separator: str) -> tuple[str, ...]:
    rows = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=separator)
    with suppress(csv.Error):
        next(rows, None)
        return next((tuple(row) for row in rows if row), ())
    return ()


def _check_text(path: Path, text: str) -> None:
    if "\0" in text[:4096]:
        raise SourceError(f"{path.name} is not UTF-8 text, perhaps UTF-16; save it as 'CSV UTF-8'")


def _not_utf8(path: Path) -> SourceError:
    with path.open("rb") as file:
        _check_text(path, file.read(4096).decode("latin-1"))
    byte = _first_bad_byte(path)
    where = "" if byte is None else f" (byte {byte})"
    return SourceError(
        f"{path.name} is not UTF-8{where}; save it as 'CSV UTF-8', or convert it "
        "with: iconv -f LATIN1 -t UTF-8 IN > OUT"
    )


def _first_bad_byte(path: Path) -> int | None:
    """Position of the first byte that is not UTF-8."""
    decoder, position = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while chunk := file.read(_START_BYTES):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return position - pending + error.start
            position += len(chunk)
    return None
