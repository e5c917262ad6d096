"""Uploaded files: stored on disk under a hash of their content, and removed when long unused.

They are in a subfolder of the configured folder that only this module writes to. A file there is
removed only if its name is one that this module gives, so that a folder with other files can be
configured.
"""

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from terraseek.catalogue.records import IMAGE_SUFFIXES
from terraseek.errors import EmptySceneError, SceneError, SceneTooLargeError, TerraSeekError
from terraseek_app.server.settings import UPLOAD_AGE_S
from terraseek_app.server.upload_ages import UploadAges
from terraseek_app.server.upload_owners import UploadOwners

__all__ = [
    "SUBFOLDER",
    "discard_upload",
    "is_kept",
    "is_token",
    "keep_upload",
    "named_error",
    "upload_folder",
    "upload_path",
]

SUBFOLDER = "terraseek-uploads"
"""Folder of the uploads in the configured one."""

_CHUNK_BYTES = 1 << 20
_TOKEN = re.compile(r"[0-9a-f]{20}(\.[a-z0-9]{2,5})?")
_NAME = re.compile(r"(item-)?[0-9a-f]{20}(\.[a-z0-9]{2,5})?|\.incoming-[a-z0-9_]{8}")
_MEGABYTE = 1 << 20
_DEFAULT_QUOTA = 5000 * _MEGABYTE
_ages = UploadAges()
_owners = UploadOwners()


def upload_folder(folder: Path) -> Path:
    """Subfolder of the configured folder that holds the uploads; made when missing.

    Raises:
        SceneError: something else has its name.
    """
    kept = folder / SUBFOLDER
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    if kept.is_symlink():
        raise SceneError(f"{kept} is a link; set TERRASEEK_UPLOADS to another folder")
    return kept


def named_error(error: TerraSeekError, token: str, name: str) -> TerraSeekError:
    """The error with the user's file name in place of the token of the upload."""
    return type(error)(str(error).replace(token, name)) if token in str(error) else error


def keep_upload(
    source: BinaryIO,
    name: str,
    folder: Path,
    max_bytes: int,
    now: float | None = None,
    *,
    client: str = "",
    quota_bytes: int = _DEFAULT_QUOTA,
    max_age_s: float = UPLOAD_AGE_S,
) -> str:
    """Store an upload and return its token.

    Args:
        source: the content; read from its start.
        name: file name from the browser; only its suffix is used, if it is one of an image.
        folder: the configured folder; made when missing.
        max_bytes: largest upload accepted.
        now: current time of the monotonic clock in seconds; default: the clock.
        client: address or session of the sender, who may use half of the quota.
        quota_bytes: most bytes of all uploads together.
        max_age_s: uploads that were not used for this long are removed.

    Raises:
        EmptySceneError: the upload is empty.
        SceneTooLargeError: it is larger than `max_bytes`, or than what is left of a quota.
    """
    kept = upload_folder(folder)
    _remove_old(kept, time.monotonic() if now is None else now, max_age_s)
    # another suffix could make the upload a side-car file (.ovr, .aux.xml, .prj) of another one
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in IMAGE_SUFFIXES else ""
    free = _free_bytes(kept, client, quota_bytes)
    handle, temporary = tempfile.mkstemp(dir=kept, prefix=".incoming-")
    try:
        with os.fdopen(handle, "wb") as out:
            digest, size = _copy(source, out, name, max_bytes, free)
        if size == 0:
            raise EmptySceneError(f"{name} has no bytes; choose another file")
        token = f"{digest[:20]}{suffix}"
        os.replace(temporary, kept / token)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _owners.add(kept / token, client)
    return token


def is_token(text: str) -> bool:
    """Whether a text has the form of a token of an upload."""
    return bool(_TOKEN.fullmatch(text))


def is_kept(token: str, folder: Path) -> bool:
    """Whether an upload is still there."""
    return is_token(token) and (folder / SUBFOLDER / token).is_file()


def upload_path(token: str, folder: Path) -> Path:
    """File of an upload; its age is counted from now on.

    Raises:
        SceneError: the upload was removed.
    """
    path = folder / SUBFOLDER / Path(token).name
    if not path.is_file():
        raise SceneError("the uploaded file is no longer kept; upload it again")
    os.utime(path)
    return path


def discard_upload(token: str, folder: Path) -> None:
    """Remove an upload that turned out to be of no use."""
    (folder / SUBFOLDER / Path(token).name).unlink(missing_ok=True)


def _free_bytes(kept: Path, client: str, quota_bytes: int) -> int:
    """Bytes that a client may still store."""
    sizes = {path: path.stat().st_size for path in _own_files(kept)}
    of_client = sum(size for path, size in sizes.items() if _owners.is_of(path, client))
    return min(quota_bytes - sum(sizes.values()), quota_bytes // 2 - of_client)


def _copy(source: BinaryIO, out: BinaryIO, name: str, max_bytes: int, free: int) -> tuple[str, int]:
    """Copy the content; returns its SHA-256 as hex digits, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    source.seek(0)
    while chunk := source.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > max_bytes:
            raise SceneTooLargeError(
                f"{name} is larger than {max_bytes // _MEGABYTE} MB, the most this server "
                "accepts; use a smaller file, or start the server with a higher "
                "TERRASEEK_MAX_UPLOAD_MB"
            )
        if size > free:
            raise SceneTooLargeError(
                f"{name} does not fit: {max(free, 0) // _MEGABYTE} MB are left for uploads; try "
                "again when older ones were removed, or start the server with a higher "
                "TERRASEEK_UPLOAD_QUOTA_MB"
            )
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest(), size


def _remove_old(kept: Path, now: float, max_age_s: float) -> None:
    """Remove uploads that were not used for `max_age_s`."""
    for path in _own_files(kept):
        if _ages.age(path, now) > max_age_s:
            path.unlink(missing_ok=True)
            _ages.forget(path)


def _own_files(kept: Path) -> list[Path]:
    """Files that this module or `item_raster` wrote."""
    return [
        path
        for path in kept.iterdir()
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]
