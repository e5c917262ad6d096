"""Sources that come with vectors: clip-retrieval's output folders and Major TOM's GeoParquet.

Their images often are elsewhere, so an item may have none. Where an item's vector lies is kept
in `vector_file` and `vector_row`; the vectors themselves stay where they are.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.tables import read_table, rename_usual, without_vectors
from terraseek.catalogue.records import Broken, Reading, Record
from terraseek.errors import SourceError

__all__ = ["is_clip_retrieval", "is_major_tom", "read_clip_retrieval", "read_major_tom"]

_MAJOR_TOM = {"grid_cell", "embedding"}


def is_clip_retrieval(folder: Path) -> bool:
    """Whether a folder has clip-retrieval's parts: `metadata/*.parquet` beside `img_emb/*.npy`."""
    has = (next(folder.glob(p), None) for p in ("metadata/*.parquet", "*_emb/*.npy"))
    return all(found is not None for found in has)


def read_clip_retrieval(folder: Path, images: Path | None) -> Reading:
    """Every row of every part; `image_path` names an image here, `url` one elsewhere.

    Raises:
        SourceError: a part cannot be read.
    """
    for path in sorted(folder.glob("metadata/*.parquet"), key=_number):
        frame = rename_usual(read_table(path))
        vectors = _vectors(folder, path)
        names = frame["img_name"].astype(str) if "img_name" in frame else pd.Series(dtype=str)
        lookup = ImageLookup(folder, images, names)
        if vectors is not None and _rows(vectors) != len(frame):
            yield Broken(path.name, f"{vectors.name} has {_rows(vectors)} rows, not {len(frame)}")
            continue
        for row, cells in enumerate(frame.to_dict("records")):
            columns = {str(key): value for key, value in cells.items()}
            name = str(columns.get("img_name") or "")
            if vectors is not None:
                columns |= {"vector_file": str(vectors), "vector_row": row}
            here = lookup.find(name)
            key = name or str(columns.get("url") or "") or f"{path.name}#{row}"
            yield Record(key, here, columns)


def _number(path: Path) -> tuple[int, str]:
    """Parts are numbered without zeros: `metadata_10` comes after `metadata_9`."""
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else 0, path.name)


def _vectors(folder: Path, metadata: Path) -> Path | None:
    number = metadata.stem.removeprefix("metadata")
    path = folder / "img_emb" / f"img_emb{number}.npy"
    return path if path.is_file() else None


def _rows(vectors: Path) -> int:
    import numpy as np

    try:
        return len(np.load(vectors, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{vectors} cannot be read as vectors: {error}") from error


def is_major_tom(path: Path) -> bool:
    """Whether a Parquet file has the columns of Major TOM's embedding expansion."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(pq.read_schema(path).names) >= _MAJOR_TOM
    except (pa.ArrowException, OSError):
        return False


def read_major_tom(path: Path) -> Reading:
    """Every row: a point at `centre_lon`, `centre_lat`, the grid cell, and where its vector is."""
    frame = rename_usual(without_vectors(path))
    for row, cells in enumerate(frame.to_dict("records")):
        columns: dict[str, Any] = {str(key): value for key, value in cells.items()}
        key = str(columns.get("unique_id") or f"{path.name}#{row}")
        columns |= {"img_name": key, "vector_file": str(path), "vector_row": row}
        yield Record(key, None, columns)
