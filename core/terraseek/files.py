"""Atomic writes: a file is written under a temporary name, synced to disk, and renamed."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

from terraseek.errors import OutputError

__all__ = [
    "ARRAY_ERRORS",
    "atomic_path",
    "fsync_folder",
    "home",
    "output_errors",
    "plain_cell",
    "read_json",
    "sha256_of",
    "text_cell",
    "write_json",
    "write_text",
]

ARRAY_ERRORS = (OSError, ValueError, EOFError, SyntaxError, TokenError, BadZipFile)
"""What NumPy raises for `.npy` and `.npz` files that are missing or damaged; it parses their
headers as Python."""

_CHUNK = 1 << 20
# a spreadsheet runs text that begins like this as a formula, which can send other cells away
_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def home() -> Path:
    """Folder for the user's models, the demo and the cache of scene embeddings.

    It is `TERRASEEK_HOME`, or `~/.terraseek` if that is not set. The folder is not created here.
    """
    return Path(os.environ.get("TERRASEEK_HOME") or Path.home() / ".terraseek")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`, which it replaces after the block.

    If the block raises, the temporary file is removed and `target` is unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)  # mkstemp creates files that only the owner can read
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(target.parent)


@contextmanager
def output_errors(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn failures to write `path` for the user into `OutputError`.

    Args:
        path: the file, for the message.
        also: what is raised beside `OSError`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    errors: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except errors as error:
        raise OutputError(
            f"{path} cannot be written ({error}); free some disk space or choose another folder"
        ) from error


def fsync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power cut; only on POSIX systems."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:  # noqa: ANN401 - JSON is any of these
    """Write `value` as indented JSON, atomically; NaN is refused."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a UTF-8 JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, which is read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def text_cell(value: object) -> object:
    """Return a value for a CSV cell; text that would be a formula begins with an apostrophe."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def plain_cell(value: str) -> str:
    """Return the text that `text_cell` has written to a cell."""
    return value[1:] if value.startswith("'") and _FORMULA.match(value[1:]) else value
