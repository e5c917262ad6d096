"""Raster tiles of a PMTiles archive (version 3), read from a file of this computer.

The format is described at https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md: a header
of 127 bytes, directories that are sorted by the tiles' place on a Hilbert curve, and the tiles.
"""

import bisect
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from terraseek.errors import InputError

__all__ = ["FileStamp", "PMTiles", "file_stamp", "tile_number"]

_HEADER = struct.Struct("<7sB8Q24xBBBBBB4i")
_HEADER_BYTES = 127
_NO_COMPRESSION, _GZIP = 1, 2
_MEDIA = {2: "image/png", 3: "image/jpeg", 4: "image/webp", 5: "image/avif"}
_VECTOR = 1
_MAX_BYTES = 1 << 26
"""Largest directory, unpacked, and largest tile that is read."""
_MAX_DEPTH = 4
"""Directories below each other; archives have two."""
_DIRECTORIES_KEPT = 64


FileStamp = tuple[int, int]
"""Time of the last change in nanoseconds, and bytes: other ones mean that a file was replaced."""


@dataclass(frozen=True, slots=True)
class _Directory:
    """Columns of a directory; a run of 0 tiles points to another directory."""

    numbers: list[int]
    runs: list[int]
    lengths: list[int]
    offsets: list[int]

    def find(self, number: int) -> int | None:
        """Row of the entry that contains a tile; None without one."""
        row = bisect.bisect_right(self.numbers, number) - 1
        if row < 0 or (self.runs[row] and number - self.numbers[row] >= self.runs[row]):
            return None
        return row


@dataclass(frozen=True, slots=True)
class PMTiles:
    """An archive of raster tiles; the file is opened for each read.

    Where the file is replaced, the archive is opened again: see `file_stamp`.
    """

    path: Path
    stamp: FileStamp
    """Of the file when its header was read."""
    media_type: str
    """Of the tiles, such as `image/webp`."""
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]
    """(west, south, east, north) in degrees."""
    attribution: str
    """HTML that the archive states; blank without."""
    root: tuple[int, int]
    """Offset and length of the first directory in bytes."""
    leaves: int
    """Offset of the other directories in bytes."""
    tiles: int
    """Offset of the tiles in bytes."""
    compression: int
    """Of the directories and the metadata."""

    @classmethod
    def open(cls, path: Path) -> "PMTiles":
        """Read the header.

        Raises:
            InputError: the file is no PMTiles archive of version 3 with raster tiles.
        """
        stamp = file_stamp(path)
        head = _read(path, 0, _HEADER_BYTES)
        if head[:7] != b"PMTiles":
            raise InputError(f"{path.name} is no PMTiles archive")
        values = _HEADER.unpack_from(head)
        _, version, root, root_length, meta, meta_length, leaves, _, tiles, _ = values[:10]
        _, compression, tile_compression, kind, min_zoom, max_zoom, *bounds = values[10:]
        if version != 3:
            raise InputError(f"{path.name} has PMTiles version {version}; convert it to version 3")
        if kind == _VECTOR:
            raise InputError(f"{path.name} has vector tiles; only raster tiles can be shown")
        if kind not in _MEDIA or tile_compression > _NO_COMPRESSION:
            raise InputError(f"{path.name} has tiles of an unknown kind; give PNG, JPEG or WebP")
        west, south, east, north = (value / 1e7 for value in bounds)
        metadata = _unpacked(_read(path, meta, meta_length), compression, path)
        return cls(
            path,
            stamp,
            _MEDIA[kind],
            min_zoom,
            max_zoom,
            (west, south, east, north),
            _attribution(metadata),
            (root, root_length),
            leaves,
            tiles,
            compression,
        )

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """A tile of the XYZ scheme; None where the archive has none.

        Raises:
            InputError: the archive is damaged.
        """
        if not (self.min_zoom <= z <= self.max_zoom and 0 <= x < 1 << z and 0 <= y < 1 << z):
            return None
        number = tile_number(z, x, y)
        place = self._place(lambda directory: directory.find(number))
        return None if place is None else _read(self.path, *place)

    def tile_size(self) -> int:
        """Width of the tiles in pixels, that of the first one.

        Raises:
            InputError: the archive is damaged.
        """
        place = self._place(lambda directory: 0 if directory.numbers else None)
        if place is None:
            raise InputError(f"{self.path.name} has no tiles")
        return _width(_read(self.path, *place), self.media_type, self.path)

    def _place(self, choose: Callable[[_Directory], int | None]) -> tuple[int, int] | None:
        """Offset and length of the tile to which the chosen rows lead; None where there is none."""
        at = self.root
        for _ in range(_MAX_DEPTH):
            directory = _directory(self.path, self.stamp, *at, self.compression)
            row = choose(directory)
            if row is None:
                return None
            offset, length = directory.offsets[row], directory.lengths[row]
            if directory.runs[row]:
                return self.tiles + offset, length
            at = (self.leaves + offset, length)
        raise InputError(f"{self.path.name} is damaged: its directories have no end")


def file_stamp(path: Path) -> FileStamp:
    """What changes when a file is replaced by another one of the same name."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def tile_number(z: int, x: int, y: int) -> int:
    """Place of a tile on the Hilbert curves of all zooms, from 0 (specification, section 3.1)."""
    number = ((1 << 2 * z) - 1) // 3
    for bit in reversed(range(z)):
        side = 1 << bit
        right, lower = (x >> bit) & 1, (y >> bit) & 1
        number += ((3 * right) ^ lower) << 2 * bit
        x, y = x & (side - 1), y & (side - 1)
        if not lower:
            if right:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
    return number


@lru_cache(maxsize=_DIRECTORIES_KEPT)
def _directory(
    path: Path, stamp: FileStamp, offset: int, length: int, compression: int
) -> _Directory:
    """A directory; the stamp is part of the cache key only."""
    content = _unpacked(_read(path, offset, length), compression, path)
    try:
        values = _varints(content)
        count = next(values)
        columns = [[next(values) for _ in range(count)] for _ in range(4)]
    except StopIteration:
        raise InputError(f"{path.name} is damaged: a directory is cut short") from None
    steps, runs, lengths, codes = columns
    numbers: list[int] = []
    offsets: list[int] = []
    for row, step in enumerate(steps):
        numbers.append(step + (numbers[-1] if row else 0))
        follows = row and codes[row] == 0  # 0: directly after the entry before
        offsets.append(offsets[-1] + lengths[row - 1] if follows else codes[row] - 1)
    return _Directory(numbers, runs, lengths, offsets)


def _varints(content: bytes) -> Iterator[int]:
    """Whole numbers, 7 bits in each byte, lowest first; the highest bit says that more follow."""
    value = shift = 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def _width(body: bytes, media_type: str, path: Path) -> int:
    from PIL import Image

    formats = [media_type.removeprefix("image/").upper()]
    try:
        with Image.open(io.BytesIO(body), formats=formats) as image:
            return int(image.width)
    except OSError as error:
        raise InputError(f"{path.name} is damaged: its first tile is no {formats[0]}") from error


def _read(path: Path, offset: int, length: int) -> bytes:
    if length > _MAX_BYTES:
        raise InputError(f"{path.name} is damaged: a part of it has {length:,} bytes")
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(length)
    if len(content) != length:
        raise InputError(f"{path.name} is cut short: {length} bytes at {offset} are missing")
    return content


def _unpacked(content: bytes, compression: int, path: Path) -> bytes:
    if compression == _NO_COMPRESSION:
        return content
    if compression != _GZIP:
        raise InputError(f"{path.name} has directories packed with brotli or zstd; use gzip")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(content, _MAX_BYTES)
    except zlib.error as error:
        raise InputError(f"{path.name} is damaged: {error}") from None
    if unpacker.unconsumed_tail:
        raise InputError(f"{path.name} is damaged: a directory has over {_MAX_BYTES:,} bytes")
    return unpacked


def _attribution(metadata: bytes) -> str:
    try:
        found = json.loads(metadata or b"{}")
    except ValueError:
        return ""
    text = found.get("attribution") if isinstance(found, dict) else None
    return text.strip() if isinstance(text, str) else ""
