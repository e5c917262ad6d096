"""Check that all blocks of a TIFF lie inside its file.

GDAL opens a file whose end is missing, and may read the missing blocks as empty ones.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["missing_bytes"]

_MAX_BLOCKS = 50_000
"""Most blocks looked at in a band (0.04 s); of more, evenly spaced rows and the last one."""


def missing_bytes(dataset: "DatasetReader", path: Path) -> int:
    """Bytes that a TIFF lacks at its end to hold every block; 0 if it is complete.

    Args:
        dataset: the open file; other formats than TIFF are not checked.
        path: its path.
    """
    if dataset.driver != "GTiff":
        return 0
    separate = dataset.interleaving is not None and dataset.interleaving.name == "band"
    ends = [_end(dataset, band) for band in (dataset.indexes if separate else [1])]
    return max(0, max(ends) - path.stat().st_size)


def _end(dataset: "DatasetReader", band: int) -> int:
    """Position after the last byte of a band's blocks; blocks that are not stored do not count."""
    height, width = dataset.block_shapes[band - 1]
    n_rows, n_cols = math.ceil(dataset.height / height), math.ceil(dataset.width / width)
    step = max(1, math.ceil(n_rows * n_cols / _MAX_BLOCKS))
    end = 0
    for row in {*range(0, n_rows, step), n_rows - 1}:
        for col in range(n_cols):
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band)
            if offset is not None:
                size = dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band)
                end = max(end, int(offset) + int(size or 0))
    return end
