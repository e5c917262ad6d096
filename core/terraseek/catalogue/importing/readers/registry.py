"""All input formats, and the choice of the reader for a source.

A new input format is a module beside this one with a `Reader`, and one entry of `READERS`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from terraseek.catalogue.embedded_images import PARQUET_SUFFIXES
from terraseek.catalogue.importing.readers import (
    caption_json,
    clip_retrieval,
    image_folder,
    major_tom,
    metadata,
    parquet_images,
    stac,
    table,
    webdataset,
)
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.errors import SourceError, UnknownSourceError

__all__ = ["KINDS", "READERS", "expand_braces", "open_source", "reader_of"]

READERS: tuple[Reader, ...] = (
    webdataset.SHARDS,
    clip_retrieval.CLIP_RETRIEVAL,
    major_tom.MAJOR_TOM,
    parquet_images.PARQUET_IMAGES,
    stac.STAC,
    metadata.METADATA,
    table.TABLE,
    caption_json.CAPTIONS,
    image_folder.CLASSES,
    image_folder.FOLDER,
)
"""In this order: the first reader that recognises a source reads it."""

KINDS = tuple(reader.kind for reader in READERS)

_LOOKS_LIKE = {
    (".xlsx", ".xls", ".ods"): "a workbook; save its sheet as 'CSV UTF-8'",
    (".gz", ".zip", ".7z", ".zst", ".bz2", ".xz", ".rar", ".tgz"): (
        "a compressed file; extract it first, for example with: tar -xf FILE"
    ),
    (".jsonl", ".ndjson"): "JSON lines; write them as a table, for example with pandas' to_csv",
    (".shp", ".gpkg", ".kml", ".gml", ".geojson"): (
        "a vector file; write its features as a table with the columns filename and geometry, for "
        "example with: ogr2ogr -f CSV -lco GEOMETRY=AS_WKT OUT.csv FILE"
    ),
    (".txt", ".dat"): "a text file; a table needs the suffix .csv or .tsv",
    (".h5", ".hdf5", ".hdf", ".nc", ".npy", ".npz", ".mat", ".lmdb", ".tfrecord"): (
        "an array or record file; write its images as PNG or GeoTIFF files"
    ),
    (".json",): "JSON of another layout than RSICD's captions and STAC's items",
    (".vrt", ".img", ".ntf", ".hdr"): (
        "a raster format that can name other files; convert it with: gdal_translate -of COG IN OUT"
    ),
}
"""What a file with a suffix is, and what to do, of files that no reader reads."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def reader_of(kind: str) -> Reader:
    """Look up a reader by its kind.

    Raises:
        UnknownSourceError: there is no such kind.
    """
    for reader in READERS:
        if reader.kind == kind:
            return reader
    raise UnknownSourceError(f"no reader is called {kind!r}; known are {', '.join(KINDS)}")


def open_source(
    source: str | Path | Sequence[str | Path], kind: str = "auto", images: Path | None = None
) -> OpenedSource:
    """Recognise the format of a source and open it.

    Args:
        source: a file, a folder, shards as `name-{0000..0031}.tar`, or a list of
            shards or of Parquet files with images in them.
        kind: one of `KINDS`, or `auto` to recognise the format.
        images: folder or tar of the images that a table or caption file names.

    Raises:
        SourceError: the source does not exist, or lacks what its format needs.
        UnknownSourceError: no reader recognises it, or `kind` is unknown.
    """
    reader = None if kind == "auto" else reader_of(kind)
    sources = [source] if isinstance(source, (str, Path)) else list(source)
    paths = [Path(text).absolute() for one in sources for text in expand_braces(str(one))]
    for path in paths:
        if not path.exists():
            raise SourceError(f"no such file or folder to import: {path}")
    if not paths:
        raise SourceError("nothing to import was named; give a file or folder")
    if len(paths) > 1 and all(path.suffix.lower() in PARQUET_SUFFIXES for path in paths):
        return parquet_images.open_parquet_images(paths, images)
    if len(paths) > 1:
        return webdataset.open_shards(paths)
    path = paths[0]
    return (reader or _recognise(path)).open(path, images)


def expand_braces(text: str) -> list[str]:
    """Expand `a-{0000..0002}.tar` to three names, with as many digits as the first number."""
    match = _RANGE.search(text)
    if match is None:
        return [text]
    first, last = match.groups()
    return [
        name
        for number in range(int(first), int(last) + 1)
        for name in expand_braces(
            text[: match.start()] + f"{number:0{len(first)}d}" + text[match.end() :]
        )
    ]


def _recognise(path: Path) -> Reader:
    for reader in READERS:
        if reader.recognises(path):
            return reader
    if path.is_dir():
        raise UnknownSourceError(f"{path} contains no images, shards or tables that can be read")
    suffix = path.suffix.lower()
    for suffixes, kind in _LOOKS_LIKE.items():
        if suffix in suffixes:
            raise UnknownSourceError(f"{path} cannot be imported: it looks like {kind}")
    raise UnknownSourceError(
        f"{path} cannot be imported; give webdataset shards, a folder or tar of images, a CSV or "
        "Parquet table naming images, Parquet with images in it, a caption JSON in RSICD's layout, "
        "STAC items, an output folder of clip-retrieval, or Major TOM embeddings"
    )
