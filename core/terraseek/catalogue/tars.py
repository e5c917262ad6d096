"""Members of an uncompressed tar with their byte ranges; damaged bytes are skipped."""

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
    """A regular file in a tar."""

    name: str
    """Path in the tar, without a leading `./`."""
    offset: int
    """Offset of its content in the tar file, in bytes."""
    size: int
    """Length of its content in bytes."""


def members(path: Path) -> Iterator[Member | Broken]:
    """Read the regular members in file order; damaged or truncated ranges are `Broken`.

    Reading continues after damaged bytes: tar headers start at multiples of 512 bytes and have a
    checksum, so that the next valid one can be found.

    Raises:
        SourceError: the file is not an uncompressed tar.
    """
    length = path.stat().st_size
    end = 0
    with _open(path) as tar:
        while True:
            try:
                info = tar.next()
            except tarfile.ReadError as error:
                yield Broken(f"{path.name}@{end}", f"cut short or damaged: {error}")
                return
            if info is None:
                break
            if info.offset > end and _has_data(path, end, info.offset):
                yield Broken(f"{path.name}@{end}", "damaged bytes between members")
            end = info.offset_data + -(-info.size // _BLOCK) * _BLOCK
            # tarfile keeps all headers, which need much memory for large shards
            tar.members = []  # type: ignore[attr-defined]  # missing in typeshed
            name = info.name.removeprefix("./")
            if not info.isreg() or name.rsplit("/", 1)[-1].startswith("._"):
                continue
            if info.offset_data + info.size > length:
                yield Broken(f"{path.name}#{name}", "cut short: the tar file ends inside it")
                return
            yield Member(name, info.offset_data, info.size)
    if end == 0:
        raise _not_a_tar(path)
    if end < length and _has_data(path, end, length):
        yield Broken(f"{path.name}@{end}", "damaged bytes after the last readable member")


def _open(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:", ignore_zeros=True)
    except tarfile.ReadError as error:
        raise _not_a_tar(path) from error


def _not_a_tar(path: Path) -> SourceError:
    with path.open("rb") as file:
        compressed = file.read(3) in (b"\x1f\x8b\x08", b"BZh", b"\xfd7z", b"\x28\xb5\x2f")
    advice = "uncompress it first" if compressed else "check that it is complete"
    return SourceError(f"{path} cannot be read as an uncompressed tar; {advice}")


def _has_data(path: Path, start: int, end: int) -> bool:
    """Whether a range of bytes contains anything but zeros, with which tar files are padded."""
    with path.open("rb") as file:
        file.seek(start)
        remaining = end - start
        while remaining > 0:
            chunk = file.read(min(remaining, 1 << 20))
            if not chunk:
                return False
            if chunk.strip(b"\0"):
                return True
            remaining -= len(chunk)
    return False


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Read a range of bytes of a file; `size` -1 reads to the end.

    Raises:
        FileNotFoundError: the file is missing.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
