"""Pandas tables out of pickle files, with nothing a pickle could do but build a table.

A pickle is a program: it may call anything it can import. RS5M's metadata frames
(`RS5M_rs3_label.pkl` and others) come as pickles, so they are read by an unpickler that knows the
parts of a frame and nothing else, as the manual of the `pickle` module advises.
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
"""What frames of pandas 1 to 3 are made of; none of it opens files or runs other code."""


class _Refused(Exception):
    """The pickle asks for something a table does not need."""


class _FrameUnpickler(Unpickler):  # type: ignore[misc]  # same
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - any class or function
        if name not in _ALLOWED.get(module, ()):
            raise _Refused(f"{module}.{name}")
        return super().find_class(module, name)


def read_pickled_frame(path: Path) -> pd.DataFrame:
    """Read a pickled pandas frame.

    Raises:
        SourceError: it asks for anything but the parts of a table, is damaged, or holds no table.
    """
    data = path.read_bytes()
    try:
        frame = _FrameUnpickler(io.BytesIO(data)).load()
    except _Refused as error:
        raise SourceError(
            f"{path} is refused: it asks for {error}, which a table does not need and which could "
            "run any program; convert it to CSV or Parquet where it comes from"
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
        raise SourceError(f"{path} is no pickled table, or damaged: {error!r}") from error
    if not isinstance(frame, pd.DataFrame):
        raise SourceError(f"{path} holds a {type(frame).__name__}, not a pandas table")
    return frame
