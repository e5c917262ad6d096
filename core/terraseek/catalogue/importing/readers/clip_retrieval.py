"""Output folders of clip-retrieval: `metadata/*.parquet` beside `img_emb/*.npy`.

The images are often not in the folder, so an item may have none. The file and row of an item's
vector are stored in `vector_file` and `vector_row`; the vectors stay where they are.
"""

import re
from pathlib import Path

from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.tables import read_table, rename_columns
from terraseek.catalogue.records import Broken, Record, Records
from terraseek.errors import SourceError
from terraseek.files import ARRAY_ERRORS

__all__ = ["CLIP_RETRIEVAL", "is_clip_retrieval", "read_clip_retrieval"]


def is_clip_retrieval(folder: Path) -> bool:
    """Whether a folder contains `metadata/*.parquet` and vectors `*_emb/*.npy`."""
    if not folder.is_dir():
        return False
    firsts = (next(folder.glob(p), None) for p in ("metadata/*.parquet", "*_emb/*.npy"))
    return all(first is not None for first in firsts)


def read_clip_retrieval(folder: Path, images: Path | None) -> Records:
    """Read every row of every metadata file.

    `image_path` is the name of an image in the folder, `url` the address of one elsewhere.

    Raises:
        SourceError: a metadata or vector file cannot be read.
    """
    for path in sorted(folder.glob("metadata/*.parquet"), key=_file_number):
        frame = rename_columns(read_table(path))
        vectors = _vector_file(folder, path)
        names = map(cell_text, frame.get("img_name", ()))
        lookup = ImageLookup(folder, images, names)
        if vectors is not None and (count := _vector_count(vectors)) != len(frame):
            yield Broken(path.name, f"{vectors.name} has {count} rows, not {len(frame)}")
            continue
        for row, cells in enumerate(frame.to_dict("records")):
            columns = {str(key): value for key, value in cells.items()}
            name = cell_text(columns.get("img_name"))
            if vectors is not None:
                columns |= {"vector_file": str(vectors), "vector_row": row}
            key = name or cell_text(columns.get("url")) or f"{path.name}#{row}"
            yield Record(key, lookup.find(name), columns)


def _file_number(path: Path) -> tuple[int, str]:
    """Sort key: numbers have no leading zeros, so `metadata_10` must come after `metadata_9`."""
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else 0, path.name)


def _vector_file(folder: Path, metadata: Path) -> Path | None:
    number = metadata.stem.removeprefix("metadata")
    path = folder / "img_emb" / f"img_emb{number}.npy"
    return path if path.is_file() else None


def _vector_count(vectors: Path) -> int:
    import numpy as np

    try:
        return len(np.load(vectors, mmap_mode="r", allow_pickle=False))
    except ARRAY_ERRORS as error:
        raise SourceError(f"{vectors} cannot be read as vectors: {error}") from error


def _open(path: Path, images: Path | None) -> OpenedSource:
    return OpenedSource(
        "clip-retrieval", path.name, path, lambda: read_clip_retrieval(path, images)
    )


CLIP_RETRIEVAL = Reader("clip-retrieval", is_clip_retrieval, _open, has_vectors=True)
