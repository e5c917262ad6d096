"""PMTiles archives made for tests, as the specification of version 3 describes them."""

import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from terraseek.tiles.pmtiles import tile_number

PNG, VECTOR = 2, 1
_HEADER = 127

Entry = tuple[int, int, int, int]
"""Number of the first tile, offset, length, and run of equal tiles."""


def write_pmtiles(
    path: Path,
    tiles: Mapping[tuple[int, int, int], bytes],
    *,
    bounds: tuple[float, float, float, float] = (-180.0, -85.0, 180.0, 85.0),
    attribution: str = "",
    leaf_size: int = 0,
    packed: bool = True,
    kind: int = PNG,
    version: int = 3,
) -> Path:
    """Write an archive; equal tiles that follow each other are one entry.

    Args:
        path: file to write.
        tiles: content by zoom, column and row.
        bounds: (west, south, east, north) in degrees.
        attribution: HTML of the metadata.
        leaf_size: entries of each directory below the first one; 0 for one directory.
        packed: whether directories and metadata are gzipped.
        kind: number of the tiles' format.
        version: of the archive.
    """
    pack = gzip.compress if packed else bytes
    entries, data = _entries(tiles)
    leaves = b""
    root = entries
    if leaf_size:
        root = []
        for start in range(0, len(entries), leaf_size):
            part = entries[start : start + leaf_size]
            content = pack(_directory(part))
            root.append((part[0][0], len(leaves), len(content), 0))
            leaves += content
    first = pack(_directory(root))
    metadata = pack(json.dumps({"attribution": attribution}).encode())
    places = []
    at = _HEADER
    for content in (first, metadata, leaves, data):
        places += [at, len(content)]
        at += len(content)
    zooms = [zoom for zoom, _, _ in tiles]
    head = b"PMTiles" + bytes([version]) + struct.pack("<8Q", *places)
    head += struct.pack("<3Q", len(tiles), len(entries), len(entries))
    head += bytes([1, 2 if packed else 1, 1, kind, min(zooms), max(zooms)])
    head += struct.pack("<4i", *(round(value * 1e7) for value in bounds))
    path.write_bytes(head.ljust(_HEADER, b"\0") + first + metadata + leaves + data)
    return path


def _entries(tiles: Mapping[tuple[int, int, int], bytes]) -> tuple[list[Entry], bytes]:
    entries: list[Entry] = []
    data = b""
    last = b""
    for number, content in sorted((tile_number(*place), body) for place, body in tiles.items()):
        if entries and content == last and number == entries[-1][0] + entries[-1][3]:
            first, offset, length, run = entries[-1]
            entries[-1] = (first, offset, length, run + 1)
            continue
        entries.append((number, len(data), len(content), 1))
        data += content
        last = content
    return entries, data


def _directory(entries: Sequence[Entry]) -> bytes:
    numbers = [entry[0] for entry in entries]
    steps = [b - a for a, b in zip([0, *numbers], numbers, strict=False)]
    codes = []
    for row, (_, offset, _, _) in enumerate(entries):
        end = entries[row - 1][1] + entries[row - 1][2] if row else None
        codes.append(0 if offset == end else offset + 1)
    columns = [steps, [entry[3] for entry in entries], [entry[2] for entry in entries], codes]
    return b"".join(
        map(_varint, [len(entries), *(value for column in columns for value in column)])
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
