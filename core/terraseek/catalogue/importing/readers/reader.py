"""Interface of a reader: how an input format is recognised, and how it is opened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from terraseek.catalogue.importing.blocks.record_block import RecordBlock
from terraseek.catalogue.records import Records

__all__ = ["OpenedSource", "Reader"]


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source whose format is known and whose records have not been read yet."""

    kind: str
    """Kind of the reader."""
    name: str
    """Name of the source unless the user gives one."""
    location: Path
    """File or folder of the source; for shards, their folder and the name of the set."""
    read: Callable[[], Records]
    """Reads the records."""
    has_images: bool = True
    """Whether records may have images to inspect."""
    blocks: Callable[[], Iterator[RecordBlock]] | None = None
    """Reads the records as columns, if none has an image; `read` yields the same ones."""
    geometa: Path | None = None
    """Metadata table beside the shards, to be joined."""


@dataclass(frozen=True, slots=True)
class Reader:
    """An input format of `import_source`."""

    kind: str
    """Name of the format, as in `import_source(kind=...)`."""
    recognises: Callable[[Path], bool]
    """Whether a file or folder has this format; looks only at names and at the start of files."""
    open: Callable[[Path, Path | None], OpenedSource]
    """Opens a file or folder of this format. The second argument is the folder or tar of the images
    that a table names, if the user gives one. Raises `SourceError` if the path lacks what the
    format needs."""
    has_vectors: bool = False
    """Whether a source of this format can contain vectors of its images, see `import_vectors`."""
