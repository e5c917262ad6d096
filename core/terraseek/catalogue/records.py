"""Types that readers yield: records of images, and members of a source that cannot be used."""

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
    "Record",
    "Records",
    "Unused",
    "item_id",
]

LocationPrecision = Literal["exact", "point", "utm_zone", "place_name", "none"]
"""How precisely the location of an item is known.

* exact: position (or footprint) of the image itself;
* point: a coordinate of the image that need not be its centre (a corner of the scene it was cut
  from, the position of the photographer);
* place_name: only a name is known; `lon` and `lat` are the centre of that town in the gazetteer,
  or unknown for a country or an ambiguous name;
* utm_zone: only a zone is known; `lon` and `lat` are unknown;
* none: nothing is known.
"""
PRECISIONS: tuple[LocationPrecision, ...] = ("exact", "point", "utm_zone", "place_name", "none")

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2"}
)
"""File name suffixes of images, lower case."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Location of the encoded bytes of an image: a file, a range of a tar, a row of Parquet."""

    file: Path
    """Path of the image, or of the tar or Parquet file that contains it; absolute."""
    offset: int = 0
    """Offset of the image in `file` in bytes; in a Parquet file its row."""
    size: int = -1
    """Length in bytes; -1 means the whole file."""
    member: str = ""
    """Name inside the tar or Parquet file; empty for a loose file."""

    @property
    def label(self) -> str:
        """Name shown to users: the file name, with `#member` for one in a tar or Parquet."""
        return f"{self.file.name}#{self.member}" if self.member else self.file.name

    @property
    def suffix(self) -> str:
        """File name suffix in lower case."""
        return Path(self.member or self.file.name).suffix.lower()


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a source with its metadata."""

    key: str
    """Name that is unique in the source and the same whenever the source is read."""
    image: ImageRef | None
    """Location of its bytes; None for an item whose image is not available."""
    columns: dict[str, Any] = field(default_factory=dict)
    """Metadata by column name; columns unknown to the catalogue are kept."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A member of a source that cannot become an item."""

    member: str
    """Name of the member: a file, or tar and member."""
    reason: str
    """Why it cannot be used, in a few words."""


@dataclass(frozen=True, slots=True)
class Unused:
    """What a source contains and a reader leaves out on purpose, such as masks."""

    what: str
    """What it is and why it is not used; the import adds up the counts of the same text."""
    count: int = 1
    """How many there are."""


Records = Iterator[Record | Broken | Unused]
"""Result of a reader, in the order of the source."""


def item_id(source: str, key: str) -> str:
    """Make a short URL-safe id from the name of a source and the key of an image in it.

    The id has 60 bits: among 5 million items the probability of a collision is about 1 in 90,000;
    the import would then count the second image as a duplicate.
    """
    digest = hashlib.sha256(f"{source}\n{key}".encode()).digest()
    return base64.b32encode(digest[:10])[:12].decode().lower()
