"""Uploaded files: stored on disk under a hash of their content, and removed after a day."""

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from terraseek.catalogue.records import IMAGE_SUFFIXES
from terraseek.errors import EmptySceneError, SceneError, SceneTooLargeError

__all__ = ["keep_upload", "upload_path"]

_CHUNK_BYTES = 1 << 20
MAX_AGE_S = 24 * 3600
"""Uploads that were not used for this long are removed by the next upload."""


def keep_upload(
    source: BinaryIO, name: str, folder: Path, max_bytes: int, now: float | None = None
) -> str:
    """Store an upload and return its token.

    Args:
        source: the content; read from its start.
        name: file name from the browser; only its suffix is used, if it is one of an image.
        folder: made when missing.
        max_bytes: largest upload accepted.
        now: current time in seconds since the epoch; default: the clock.

    Raises:
        EmptySceneError: the upload is empty.
        SceneTooLargeError: it is larger than `max_bytes`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_old(folder, now or time.time())
    # another suffix could make the upload a side-car file (.ovr, .aux.xml, .prj) of another one
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in IMAGE_SUFFIXES else ""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as out:
            digest, size = _copy(source, out, name, max_bytes)
        if size == 0:
            raise EmptySceneError(f"{name} has no bytes; choose another file")
        token = f"{digest[:20]}{suffix}"
        os.replace(temporary, folder / token)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return token


def upload_path(token: str, folder: Path) -> Path:
    """File of an upload; its age is counted from now on.

    Raises:
        SceneError: the upload was removed.
    """
    path = folder / Path(token).name
    if not path.is_file():
        raise SceneError("the uploaded file is no longer kept; upload it again")
    os.utime(path)
    return path


def _copy(source: BinaryIO, out: BinaryIO, name: str, max_bytes: int) -> tuple[str, int]:
    """Copy the content; returns its SHA-256 as hex digits, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    source.seek(0)
    while chunk := source.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > max_bytes:
            raise SceneTooLargeError(
                f"{name} is larger than {max_bytes // (1 << 20)} MB, the most this server "
                "accepts; use a smaller file, or start the server with a higher "
                "TERRASEEK_MAX_UPLOAD_MB"
            )
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest(), size


def _remove_old(folder: Path, now: float) -> None:
    """Remove uploads that were not used for `MAX_AGE_S`."""
    for path in folder.iterdir():
        if path.is_file() and now - path.stat().st_mtime > MAX_AGE_S:
            path.unlink(missing_ok=True)
