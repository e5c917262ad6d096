"""Uploads go to disk once, under their content's hash, and out of the server's memory."""

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from terraseek.catalogue.records import IMAGE_SUFFIXES
from terraseek.errors import EmptySceneError, SceneError, SceneTooLargeError

__all__ = ["keep_upload", "upload_path"]

_CHUNK = 1 << 20
KEPT_SECONDS = 24 * 3600
"""Uploads nobody has touched for this long are removed when the next one comes."""


def keep_upload(
    source: BinaryIO, name: str, folder: Path, max_bytes: int, now: float | None = None
) -> str:
    """Write an upload to `folder` and give the token it is known by.

    Args:
        source: readable from its start.
        name: file name the browser sent; only its suffix is used, and only one of a picture.
        folder: made when missing.
        max_bytes: largest upload taken.
        now: seconds since the epoch, for the clean-up.

    Raises:
        EmptySceneError: the upload has no bytes.
        SceneTooLargeError: it is larger than `max_bytes`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder, now or time.time())
    # any other ending could make an upload the side-car (.ovr, .aux.xml, .prj) of another
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in IMAGE_SUFFIXES else ""
    handle, beside = tempfile.mkstemp(dir=folder, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as out:
            digest, size = _copy(source, out, name, max_bytes)
        if size == 0:
            raise EmptySceneError(f"{name} has no bytes; choose another file")
        token = f"{digest[:20]}{suffix}"
        os.replace(beside, folder / token)
    finally:
        Path(beside).unlink(missing_ok=True)
    return token


def upload_path(token: str, folder: Path) -> Path:
    """Where an upload lies.

    Raises:
        SceneError: it was removed meanwhile.
    """
    path = folder / Path(token).name
    if not path.is_file():
        raise SceneError("the uploaded file is no longer kept; upload it again")
    os.utime(path)
    return path


def _copy(source: BinaryIO, out: BinaryIO, name: str, max_bytes: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    source.seek(0)
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise SceneTooLargeError(
                f"{name} is larger than {max_bytes // (1 << 20)} MB, the most this server takes; "
                "cut it, or have the server started with a higher TERRASEEK_MAX_UPLOAD_MB"
            )
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest(), size


def _sweep(folder: Path, now: float) -> None:
    for path in folder.iterdir():
        if path.is_file() and now - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)
