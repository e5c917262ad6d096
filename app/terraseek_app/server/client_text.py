"""Text for clients: no folder of this computer, no name under which an upload is stored.

Messages of the library name files with their folders, which is right on a command line. A visitor
of the server gets the name of the file alone. Every text that leaves the server goes through
`client_text`: errors of routes and pages, the health route, the table of checks.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from terraseek.files import home
from terraseek_app.server.settings import Settings

__all__ = ["MAX_LENGTH", "client_text", "client_values", "file_name"]

MAX_LENGTH = 700
"""Longest text in characters; a longer one quotes a value of the request, and is cut."""

_END = r"[^\s'\"`,;:()<>\[\]{}]"
_POSIX = re.compile(rf"(?<![\w.:/~\\-])(?:/(?!/){_END.replace('[^', '[^/')}+){{2,}}/?")
_WINDOWS = re.compile(rf"(?<!\w)(?:[A-Za-z]:[\\/]|\\\\){_END}+")
_FILE_URL = re.compile(r"file://\S*")
_TOKEN = re.compile(r"(?:item-)?\b[0-9a-f]{20}\b(?:\.[a-z0-9]{2,5}\b)?")
_UPLOAD = "the uploaded file"


def client_text(text: str, settings: Settings, uploads: Mapping[str, str] | None = None) -> str:
    """Text on one line, with the names of files in place of their paths.

    Args:
        text: a message.
        settings: their folders are recognized also if their names have spaces.
        uploads: the user's file names by token of the upload; others are "the uploaded file".
    """
    line = " ".join(text.split())
    roots = _roots(settings)
    if roots is not None:
        line = roots.sub(_posix_name, line)
    line = _FILE_URL.sub(_posix_name, line)
    line = _POSIX.sub(_posix_name, line)
    line = _WINDOWS.sub(lambda found: PureWindowsPath(found[0]).name, line)
    line = _TOKEN.sub(lambda found: (uploads or {}).get(found[0], _UPLOAD), line)
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"


def client_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of an item; a value that is an absolute path becomes the name of its file.

    Captions are kept as they are.
    """
    return {
        name: file_name(value) if isinstance(value, str) and "caption" not in name else value
        for name, value in values.items()
    }


def file_name(value: str) -> str:
    """Name of the file if a text is an absolute path, else the text."""
    if value.startswith("/") and value.count("/") > 1:
        return PurePosixPath(value).name
    if re.match(r"[A-Za-z]:[\\/]|\\\\|file://", value):
        return PureWindowsPath(value).name
    return value


def _posix_name(found: re.Match[str]) -> str:
    return PurePosixPath(found[0]).name or "a folder"


@lru_cache(maxsize=8)
def _roots(settings: Settings) -> re.Pattern[str] | None:
    """Pattern of paths in folders that this server uses."""
    known = sorted({str(path) for path in _folders(settings)}, key=len, reverse=True)
    if not known:
        return None
    names = "|".join(map(re.escape, known))
    return re.compile(rf"(?:{names})(?:/{_END}*)?(?![\w-])")


def _folders(settings: Settings) -> Iterator[Path]:
    configured = (settings.catalogue, settings.scenes, settings.uploads)
    others = (home(), Path(tempfile.gettempdir()), Path(sys.prefix), Path(os.getcwd()))
    for path in (*configured, *others):
        if path is None:
            continue
        for one in (path, path.absolute(), path.resolve()):
            if one.is_absolute() and len(one.parts) > 1:
                yield one
