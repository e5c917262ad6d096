"""Members of an uncompressed tar with their byte ranges, past damaged stretches."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from terraseek.catalogue.records import Broken
from terraseek.errors import SourceError

__all__ = ["Member", "members", "read_range"]

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file inside a tar."""

    name: str
    """Path inside the tar, without a leading `./`."""
    offset: int
    """First byte of its content in the tar file."""
    size: int
    """Length of its content in bytes."""


def members(path: Path) -> Iterator[Member | Broken]:
    """Regular members in file order; damaged or cut off stretches appear as `Broken`.

    Reading goes on after damage: tar headers lie on 512-byte blocks and carry a checksum, so the
    next good one can be found.

    Raises:
        SourceError: not an uncompressed tar.
    """
    length = path.stat().st_size
    end = 0
    with _open(path) as tar:
        while True:
            try:
                info = tar.next()
            except tarfile.ReadError as error:
                yield Broken(f"{path.name}@{end}", f"cut off or damaged: {error}")
                return
            if info is None:
                break
            if info.offset > end and _has_data(path, end, info.offset):
                yield Broken(f"{path.name}@{end}", "damaged bytes between members")
            end = info.offset_data + -(-info.size // _BLOCK) * _BLOCK
            # tarfile keeps every header it has met, which for large shards is much memory
            tar.members = []  # type: ignore[attr-defined]  # missing in typeshed
            name = info.name.removeprefix("./")
            if not info.isreg() or name.rsplit("/", 1)[-1].startswith("._"):
                continue
            if info.offset_data + info.size > length:
                yield Broken(f"{path.name}#{name}", "cut off: the tar file ends inside it")
                return
            yield Member(name, info.offset_data, info.size)
    if end == 0:
        raise _no_tar(path)
    if end < length and _has_data(path, end, length):
        yield Broken(f"{path.name}@{end}", "damaged bytes after the last readable member")


def _open(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:", ignore_zeros=True)
    except tarfile.ReadError as error:
        raise _no_tar(path) from error


def _no_tar(path: Path) -> SourceError:
    with path.open("rb") as file:
        packed = file.read(3) in (b"\x1f\x8b\x08", b"BZh", b"\xfd7z", b"\x28\xb5\x2f")
    hint = "uncompress it first" if packed else "is it complete?"
    return SourceError(f"{path} cannot be read as an uncompressed tar; {hint}")


def _has_data(path: Path, start: int, end: int) -> bool:
    """Whether a stretch holds anything but the zeros tar files are padded with."""
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0:
            chunk = file.read(min(left, 1 << 20))
            if not chunk:
                return False
            if chunk.strip(b"\0"):
                return True
            left -= len(chunk)
    return False


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Bytes of a file; `size` -1 means all that follow `offset`.

    Raises:
        FileNotFoundError: the file is gone.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
