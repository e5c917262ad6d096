"""Members of an uncompressed tar with their byte ranges; damaged bytes are skipped."""

import errno
import io
import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken
from terraseek.errors import SourceError

__all__ = ["Member", "add_member", "members", "read_range"]

_BLOCK = 512
_ZEROS = 1 << 20
_MAX_LINKED = 10_000
"""Members of a folder that are read again under the name of a link to it."""
_MAX_LINKS = 1000
"""Links after which only those to files are followed, as each folder is searched."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar."""

    name: str
    """Path in the tar, without a leading `./`."""
    offset: int
    """Offset of its content in the tar file, in bytes."""
    size: int
    """Length of its content in bytes."""


def members(path: Path, follow_links: bool = True) -> Iterator[Member | Broken]:
    """Read the regular members in file order; damaged or truncated ranges are `Broken`.

    Links to other members are members with the content of their target; a link to a folder is one
    for each member in it. A link named like an image whose target is not in the tar is `Broken`.

    Reading continues after damaged bytes: tar headers start at multiples of 512 bytes and have a
    checksum, so that the next valid one can be found.

    Raises:
        SourceError: the file is not an uncompressed tar.
    """
    length = path.stat().st_size
    end = 0
    regular: dict[str, Member] | None = None
    links = 0
    with path.open("rb") as file, _open(path) as tar:
        while True:
            # tarfile examines each block of 512 zeros, which takes minutes for a sparse file
            tar.offset = _skip_zeros(file, tar.offset, length)
            try:
                info = tar.next()
            except tarfile.ReadError as error:
                yield Broken(f"{path.name}@{end}", f"cut short or damaged: {error}")
                return
            if info is None:
                break
            if info.offset > end and _has_data(file, end, info.offset):
                yield Broken(f"{path.name}@{end}", "damaged bytes between members")
            if info.issparse():
                yield Broken(f"{path.name}#{info.name}", "a sparse member; pack it without holes")
                end = tar.offset
                continue
            end = info.offset_data + -(-info.size // _BLOCK) * _BLOCK
            # tarfile keeps all headers, which need much memory for large shards
            tar.members = []  # type: ignore[attr-defined]  # missing in typeshed
            name = _text(info.name).removeprefix("./")
            if name.rsplit("/", 1)[-1].startswith("._"):
                continue
            if follow_links and (info.issym() or info.islnk()):
                if regular is None:
                    regular = _regular_members(path)
                links += 1
                target = _target(info, name)
                yield from _linked(path, name, target, regular, links <= _MAX_LINKS)
            if not info.isreg():
                continue
            if info.offset_data + info.size > length:
                yield Broken(f"{path.name}#{name}", "cut short: the tar file ends inside it")
                return
            yield Member(name, info.offset_data, info.size)
        if end == 0:
            raise _not_a_tar(path)
        if end < length and _has_data(file, end, length):
            yield Broken(f"{path.name}@{end}", "damaged bytes after the last readable member")


def _regular_members(path: Path) -> dict[str, Member]:
    """Members by name, read again in full: the target of a link may come after it."""
    found = (m for m in members(path, follow_links=False) if isinstance(m, Member))
    return {member.name: member for member in found}


def _target(info: tarfile.TarInfo, name: str) -> str:
    """Path in the tar to which a link leads; symbolic links are relative to their folder."""
    stated = _text(info.linkname)
    base = posixpath.dirname(name) if info.issym() else ""
    return posixpath.normpath(posixpath.join(base, stated))


def _linked(
    path: Path, name: str, target: str, regular: dict[str, Member], folders: bool
) -> Iterator[Member | Broken]:
    """What a link leads to; `folders` is false after so many links that only files are."""
    if target in regular:
        yield Member(name, regular[target].offset, regular[target].size)
        return
    prefix = f"{target}/"
    inside = [m for m in regular.values() if m.name.startswith(prefix)] if folders else []
    if len(inside) > _MAX_LINKED:
        yield Broken(f"{path.name}#{name}", f"it is a link to a folder of {len(inside):,} members")
        return
    for member in inside:
        yield Member(name + member.name[len(target) :], member.offset, member.size)
    if not inside and posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES:
        yield Broken(f"{path.name}#{name}", f"it is a link to {target}, no file of the tar")


def _text(name: str) -> str:
    """Member name, which is bytes; those that are no UTF-8 are taken for Latin-1."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("latin-1")
    return name


def _open(path: Path) -> tarfile.TarFile:
    with path.open("rb") as file:
        if _skip_zeros(file, 0, path.stat().st_size) > _ZEROS:
            raise _not_a_tar(path)
    try:
        return tarfile.open(path, "r:", ignore_zeros=True)
    except tarfile.ReadError as error:
        raise _not_a_tar(path) from error


def _not_a_tar(path: Path) -> SourceError:
    with path.open("rb") as file:
        compressed = file.read(3) in (b"\x1f\x8b\x08", b"BZh", b"\xfd7z", b"\x28\xb5\x2f")
    advice = "uncompress it first" if compressed else "check that it is complete"
    return SourceError(f"{path} cannot be read as an uncompressed tar; {advice}")


def _skip_zeros(file: BinaryIO, start: int, stop: int) -> int:
    """Offset of the first block in a range that is not all zeros; `stop` if there is none.

    Holes of a sparse file are skipped without reading them.
    """
    size = _BLOCK
    while start < stop:
        file.seek(start)
        chunk = file.read(min(size, stop - start))
        zeros = len(chunk) - len(chunk.lstrip(b"\0"))
        if zeros < len(chunk):
            return start + zeros // _BLOCK * _BLOCK
        if not chunk:
            return stop
        start = max(start + zeros, _next_data(file.fileno(), start + zeros, stop))
        size = _ZEROS
    return max(start, stop)


def _next_data(descriptor: int, start: int, stop: int) -> int:
    """Offset of the first block from `start` on that a sparse file stores."""
    if not hasattr(os, "SEEK_DATA"):
        return start
    try:
        return os.lseek(descriptor, start, os.SEEK_DATA) // _BLOCK * _BLOCK
    except OSError as error:
        # ENXIO: no data until the end of the file
        return stop if error.errno == errno.ENXIO else start


def _has_data(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether a range of bytes contains anything but zeros, with which tar files are padded."""
    return _skip_zeros(file, start, stop) < stop


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Read a range of bytes of a file; `size` -1 reads to the end.

    Raises:
        FileNotFoundError: the file is missing.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Append a file to a tar; time and owner are zero, so that equal content gives equal bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
