"""What readers hand over: records of images, and notes about members that cannot be used."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "IMAGE_SUFFIXES",
    "PRECISIONS",
    "Broken",
    "ImageRef",
    "LocationPrecision",
    "Reading",
    "Record",
    "item_id",
]

LocationPrecision = Literal["exact", "point", "utm_zone", "place_name", "none"]
"""How well an item's place is known.

exact: the position (or footprint) is that of the image itself; point: a coordinate that belongs
to the image but need not be its centre (a corner of the scene it was cut from, the photographer's
place); utm_zone: only a zone is known, `lon` and `lat` are empty; place_name: only a name is known,
`lon` and `lat` are the gazetteer's centre of that town, or empty for a country or an unclear name;
none.
"""
PRECISIONS: tuple[LocationPrecision, ...] = ("exact", "point", "utm_zone", "place_name", "none")

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2"}
)
"""File name endings taken for images, lower case."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where the encoded bytes of an image lie: a whole file, or a stretch of a tar file."""

    file: Path
    """The image, or the tar that holds it; absolute."""
    offset: int = 0
    """First byte of the image in `file`."""
    size: int = -1
    """Number of bytes; -1 means the whole file."""
    member: str = ""
    """Name inside the tar; empty for a loose file."""

    @property
    def label(self) -> str:
        """What people see: the file's name, with `#member` for an image in a tar."""
        return f"{self.file.name}#{self.member}" if self.member else self.file.name

    @property
    def suffix(self) -> str:
        """Lower-case name ending, which tells a raster from an image."""
        return Path(self.member or self.file.name).suffix.lower()


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a source, with what the source says about it."""

    key: str
    """Name that is unique in the source and stays when the source is read again."""
    image: ImageRef | None
    """Where its bytes are; None for an item whose image is not here."""
    columns: dict[str, Any] = field(default_factory=dict)
    """Everything known, by column; names the catalogue does not know are kept."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A member that cannot become an item."""

    member: str
    """Which one: file, or tar and member."""
    reason: str
    """Why, in a few words."""


Reading = Iterator[Record | Broken]
"""What a reader yields, in the order of the source."""


def item_id(source: str, key: str) -> str:
    """Short id, safe in URLs, that depends only on the source's name and the key in it.

    60 bits: among 5 million items the chance of any collision is about 1 in 90,000; an import
    that met one would count the second image as a duplicate.
    """
    digest = hashlib.sha256(f"{source}\n{key}".encode()).digest()
    return base64.b32encode(digest[:10])[:12].decode().lower()
