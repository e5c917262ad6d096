"""Parquet files that contain their images, in Hugging Face's layout, one image per row.

The images stay in the files. Names of classes come from the schema's metadata, where Hugging Face's
`datasets` writes them; the split (`train`, `test`) from the file name.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.embedded_images import (
    HEAD_BYTES,
    PARQUET_SUFFIXES,
    image_columns,
    image_suffix,
    row_group_images,
)
from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.columns.geometry_column import geometry_of_schema, locate_rows
from terraseek.catalogue.importing.columns.table_rows import row_columns
from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.table_limits import check_columns
from terraseek.catalogue.importing.tables import find_column, rename_columns, unreadable_table
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record, Records, Unused
from terraseek.errors import SceneError, SourceError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["PARQUET_IMAGES", "has_embedded_images", "open_parquet_images", "read_parquet_images"]

_PART = re.compile(r"^(?P<name>.*?)[-_.]?\d+(-of-\d+)?$")
_SPLIT = re.compile(r"(^|[-_.])(?P<split>train|validation|valid|val|test)(?=[-_.]|$)")
_MAX_FILES_CHECKED = 3
_IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
"""Columns of plain bytes that are preferred to files that another column names."""


def has_embedded_images(path: Path) -> bool:
    """Whether a file is Parquet with a column of images.

    A table that names its images as files and has thumbnails beside them is not.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix.lower() not in PARQUET_SUFFIXES or not path.is_file():
        return False
    try:
        columns = image_columns(path)
        schema = pq.read_schema(path)
    except (SceneError, SourceError, pa.ArrowException, OSError):
        return False  # the reader of tables has the error
    if not columns:
        return False
    is_struct = pa.types.is_struct(schema.field(columns[0]).type)
    others = [name for name in schema.names if name not in columns]
    return (
        is_struct or columns[0].lower() in _IMAGE_NAMES or find_column(others, "img_name") is None
    )


def read_parquet_images(paths: list[Path], images: Path | None) -> Records:
    """Read every row of every file, in order.

    A row without bytes may name a file beside the table. Columns with further images of a row, such
    as masks, are counted and not used.

    Raises:
        SourceError: a file is damaged, has no images, or too large row groups.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in paths:
        try:
            if not has_embedded_images(path):
                yield Unused("Parquet files without images")
                continue
            with pq.ParquetFile(path) as file:
                yield from _read_file(path, file, images)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise unreadable_table(path, error) from error


def _read_file(path: Path, file: "pq.ParquetFile", images: Path | None) -> Records:
    schema = file.schema_arrow
    check_columns(path, schema.names)
    column, *others = image_columns(path)
    for other in others:
        yield Unused(f"images in further columns ({other})", file.metadata.num_rows)
    split = _SPLIT.search(path.stem)
    fixed = {"split": split["split"]} if split else {}
    row = 0
    for group in range(file.metadata.num_row_groups):
        found = _images_of_group(path, file, group, column)
        frame = _columns_of_group(file, group, [column, *others])
        lookup = ImageLookup(path.parent, images, (name for name, _, _ in found if name))
        for (name, size, head), cells in zip(found, frame.to_dict("records"), strict=True):
            columns = fixed | {str(key): value for key, value in cells.items()}
            name = name or cell_text(columns.get("img_name"))
            yield _record(path, row, (name, size, head), columns, lookup)
            row += 1


def _images_of_group(
    path: Path, file: "pq.ParquetFile", group: int, column: str
) -> list[tuple[str, int, bytes]]:
    """Name (may be empty), length in bytes (0 without an image) and first bytes of each image."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = row_group_images(path, group, column)
    indices = array.indices
    lengths = pc.binary_length(array.dictionary).take(indices).fill_null(0).to_pylist()
    heads = pc.binary_slice(array.dictionary, 0, HEAD_BYTES).take(indices).to_pylist()
    kind = file.schema_arrow.field(column).type
    names: list[Any] = [None] * len(array)
    if pa.types.is_struct(kind) and kind.get_field_index("path") >= 0:
        struct = file.read_row_group(group, columns=[f"{column}.path"]).column(0).combine_chunks()
        names = struct.flatten()[0].to_pylist()
    return [
        (str(name or ""), int(length), head or b"")
        for name, length, head in zip(names, lengths, heads, strict=True)
    ]


def _columns_of_group(file: "pq.ParquetFile", group: int, images: list[str]) -> "pd.DataFrame":
    schema = file.schema_arrow
    geometry = geometry_of_schema(schema)
    kept = [name for name in schema.names if name not in images]
    table = file.read_row_group(group, columns=kept)
    frame: pd.DataFrame = table.to_pandas()
    classes = class_names(schema)
    for name, labels in classes.items():
        if name in frame:
            frame[name] = [_label(value, labels) for value in frame[name]]
    if geometry is not None and geometry["name"] in frame:
        frame = locate_rows(frame, geometry)
    if len(classes) == 1 and find_column(map(str, frame.columns), "label") is None:
        frame = frame.rename(columns=dict.fromkeys(classes, "label"))
    return rename_columns(frame) if kept else frame


def class_names(schema: "pa.Schema") -> dict[str, list[str]]:
    """Names of the classes of each column of class numbers, from Hugging Face's metadata."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described["info"]["features"]
        found = {str(name): _names_of(feature) for name, feature in features.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: names for name, names in found.items() if names}


def _names_of(feature: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Names of a `ClassLabel`, also of a list of them."""
    if isinstance(feature, list):
        return _names_of(feature[0]) if feature else []
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return [str(name) for name in names] if isinstance(names, list) else []
    return _names_of(feature.get("feature"))


def _label(value: Any, names: list[str]) -> Any:  # noqa: ANN401 - a cell
    """Name of a class number, or names of a list of them; None for -1, which means unknown."""
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [label for label in (_label(part, names) for part in value) if label is not None]
    try:
        number = int(value)
    except (TypeError, ValueError):
        return value
    return names[number] if 0 <= number < len(names) else None


def _record(
    path: Path,
    row: int,
    image: tuple[str, int, bytes],
    columns: dict[str, Any],
    lookup: ImageLookup,
) -> Record | Broken:
    stated, size, head = image
    key = f"{path.name}#{row}"
    if size == 0:
        ref = lookup.find(stated)
        if ref is None:
            reason = lookup.missing_reason(stated) if stated else "its image is null"
            return Broken(f"{path.name} row {row}", reason)
        return Record(key, ref, row_columns(columns, stated))
    name = PurePosixPath(stated.replace("\\", "/")).name or f"{row}"
    if PurePosixPath(name).suffix.lower() not in IMAGE_SUFFIXES:
        name += image_suffix(head)
    return Record(key, ImageRef(path.resolve(), row, size, name), row_columns(columns, name))


def _parquet_files(folder: Path) -> Iterator[Path]:
    """Files in a folder and its subfolders, where Hugging Face has configurations and `data`."""
    for pattern in ("*", "*/*"):
        for suffix in sorted(PARQUET_SUFFIXES):
            yield from sorted(folder.glob(f"{pattern}{suffix}"))


def _recognises(path: Path) -> bool:
    if path.is_dir():
        files = islice(_parquet_files(path), _MAX_FILES_CHECKED)
        return any(has_embedded_images(file) for file in files)
    return has_embedded_images(path)


def open_parquet_images(paths: list[Path], images: Path | None) -> OpenedSource:
    """Open the files of one set, such as `train-00000-of-00002.parquet` and so on."""
    first = paths[0]
    return OpenedSource(
        "parquet-images",
        _set_name(first),
        first.parent / _set_name(first),
        lambda: read_parquet_images(paths, images),
    )


def _set_name(path: Path) -> str:
    """`eurosat` for `eurosat/train-00000-of-00001.parquet` and `eurosat/data/train-...`."""
    match = _PART.match(path.stem)
    name = _SPLIT.sub("", match["name"] if match else path.stem).strip("-_.")
    folder = path.parent.parent if path.parent.name == "data" else path.parent
    return name or folder.name or path.stem


def _open(path: Path, images: Path | None) -> OpenedSource:
    paths = list(_parquet_files(path)) if path.is_dir() else [path]
    if not any(has_embedded_images(file) for file in paths):
        raise SourceError(f"{path} contains no Parquet file with images in it")
    name = path.name if path.is_dir() else _set_name(path)
    return OpenedSource("parquet-images", name, path, lambda: read_parquet_images(paths, images))


PARQUET_IMAGES = Reader("parquet-images", _recognises, _open)
