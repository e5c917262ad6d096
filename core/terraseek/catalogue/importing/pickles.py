"""Restricted reader of pickled pandas tables.

Loading a pickle can call anything that can be imported. RS5M's metadata tables
(`RS5M_rs3_label.pkl` and others) are pickles, so they are read by an unpickler that allows only the
classes and functions of a pandas table, as the manual of the `pickle` module advises.
"""

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.compat.pickle_compat import Unpickler  # type: ignore[import-not-found]  # no stubs

from terraseek.errors import SourceError

__all__ = ["read_pickled_frame"]

_PLAIN = {"slice", "bytearray", "bytes", "list", "tuple", "dict", "set", "frozenset"}
_ALLOWED = {
    "builtins": _PLAIN,
    "__builtin__": _PLAIN,  # its name in older protocols
    "_codecs": {"encode"},  # bytes of older protocols
    "datetime": {"date", "datetime", "timedelta", "timezone"},
    "numpy": {"ndarray", "dtype"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "numpy._core.numeric": {"_frombuffer"},
    "pandas": {"DataFrame", "Index", "RangeIndex", "StringDtype", "Timestamp", "NaT", "NA"},
    "pandas.arrays": {"ArrowStringArray", "StringArray", "DatetimeArray", "NumpyExtensionArray"},
    "pandas.core.frame": {"DataFrame"},
    "pandas.core.internals.managers": {"BlockManager"},
    "pandas.core.internals.blocks": {"new_block"},
    "pandas._libs.internals": {"_unpickle_block"},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked"},
    "pandas._libs.missing": {"NA", "_na_unpickle"},
    "pandas._libs.tslibs.nattype": {"_nat_unpickle", "__nat_unpickle"},
    "pandas._libs.tslibs.timestamps": {"_unpickle_timestamp"},
    "pandas.core.arrays.datetimes": {"DatetimeArray"},
    "pandas.core.arrays.string_": {"StringArray", "StringDtype"},
    "pandas.core.arrays.string_arrow": {"ArrowStringArray"},
    "pandas.core.indexes.base": {"Index", "_new_Index"},
    "pandas.core.indexes.numeric": {"Int64Index", "UInt64Index", "Float64Index"},
    "pandas.core.indexes.range": {"RangeIndex"},
    "pyarrow.lib": {"_restore_array", "type_for_alias", "py_buffer"},
}
"""Names by module that tables of pandas 1 to 3 need; none of them opens files or runs code."""


class _Refused(Exception):
    """The pickle uses a class or function that a table does not need."""


class _FrameUnpickler(Unpickler):  # type: ignore[misc]  # same
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - any class or function
        if name not in _ALLOWED.get(module, ()):
            raise _Refused(f"{module}.{name}")
        return super().find_class(module, name)


def read_pickled_frame(path: Path) -> pd.DataFrame:
    """Read a pickled pandas table.

    Raises:
        SourceError: the pickle uses anything that a table does not need, is damaged, or contains no
            table.
    """
    data = path.read_bytes()
    try:
        frame = _FrameUnpickler(io.BytesIO(data)).load()
    except _Refused as error:
        raise SourceError(
            f"{path} is refused: it uses {error}, which a table does not need and which could run "
            "any program; ask its author for CSV or Parquet"
        ) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        ImportError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        MemoryError,
        AssertionError,
        RecursionError,
        struct.error,
    ) as error:
        raise SourceError(f"{path} is not a pickled table, or damaged: {error!r}") from error
    if not isinstance(frame, pd.DataFrame):
        raise SourceError(f"{path} contains a {type(frame).__name__}, not a pandas table")
    return frame
