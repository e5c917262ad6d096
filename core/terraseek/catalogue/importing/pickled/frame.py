"""Restricted reader of pickled pandas tables.

Loading a pickle can call anything that can be imported, and the state of a numpy type in it can
corrupt memory. RS5M's metadata tables (`RS5M_rs3_label.pkl` and others) are pickles, so their
opcodes are read as data: nothing is called, and the table is built from checked bytes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.importing.pickled.arrays import read_array
from terraseek.catalogue.importing.pickled.opcodes import (
    Call,
    DamagedPickleError,
    RefusedGlobalError,
    read_opcodes,
)
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
"""Names by module that pickled tables of pandas 1 to 3 contain."""

_WRONG_NODES = (
    DamagedPickleError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What numpy, pandas, pyarrow and this module raise for a tree with other nodes than a table's."""


def read_pickled_frame(path: Path) -> pd.DataFrame:
    """Read a pickled pandas table.

    Raises:
        SourceError: the pickle uses anything that a table does not need, is damaged, or contains no
            table.
    """
    try:
        tree = read_opcodes(path.read_bytes(), _ALLOWED)
    except RefusedGlobalError as error:
        raise SourceError(
            f"{path} is refused: it uses {error}, which a table does not need and which could run "
            "any program; ask its author for CSV or Parquet"
        ) from error
    except DamagedPickleError as error:
        raise SourceError(f"{path} is not a pickled table, or damaged: {error}") from error
    if not (isinstance(tree, Call) and tree.function.name == "DataFrame"):
        kind = tree.function.name if isinstance(tree, Call) else type(tree).__name__
        raise SourceError(f"{path} contains a {kind}, not a pandas table")
    try:
        return _frame(tree.state)
    except _WRONG_NODES as error:
        reason = str(error).partition("\n")[0][:200]
        raise SourceError(f"{path} is not a pickled table, or damaged: {reason}") from error


def _frame(state: Any) -> pd.DataFrame:  # noqa: ANN401 - a node of the tree
    """The table of a pickled `DataFrame`, from its block manager."""
    manager = state.get("_mgr") or state.get("_data")
    blocks, axes = _blocks(manager)
    names, index = (_index(axis) for axis in axes)
    columns: dict[int, Any] = {}
    for values, place in blocks:
        positions = _positions(place, len(names))
        array = read_array(values)
        if array.ndim == 2 and len(array) != len(positions):
            raise DamagedPickleError("a block with another number of columns")
        rows = [array] if array.ndim == 1 else list(array)
        columns |= dict(zip(positions, rows, strict=True))
    if sorted(columns) != list(range(len(names))) or (len(index) and not columns):
        raise DamagedPickleError("columns are missing")
    frame = pd.DataFrame({i: _series(columns[i], index) for i in range(len(names))}, index=index)
    frame.columns = names
    return frame


def _series(values: Any, index: pd.Index) -> pd.Series:  # noqa: ANN401 - a numpy or pandas array
    """A column that keeps the type of its values; pandas would guess that of objects."""
    is_object = isinstance(values, np.ndarray) and values.dtype == object
    return pd.Series(values, index=index, dtype=object if is_object else None)


def _blocks(manager: Call) -> tuple[list[tuple[Any, Any]], Any]:
    """Values and places of the blocks, and the axes, as pandas 1.3 and later or before wrote it."""
    if len(manager.args) == 2:
        blocks, axes = manager.args
        return [(block.args[0], block.args[1]) for block in blocks], axes
    former = manager.state[3].get("0.14.1")
    blocks = [(block.get("values"), block.get("mgr_locs")) for block in former.get("blocks")]
    return blocks, former.get("axes")


def _positions(place: Call, count: int) -> list[int]:
    """Columns of a block: a slice or an array of numbers, of at most `count` columns."""
    if place.function.name == "slice":
        found = list(range(count))[slice(*place.args)]
    else:
        found = read_array(place).tolist()
    if len(found) > count or not all(0 <= position < count for position in found):
        raise DamagedPickleError("columns that the table does not have")
    return found


def _index(node: Call) -> pd.Index:
    kind, state = node.args
    if kind.name == "RangeIndex":
        limits = [state.get(name) for name in ("start", "stop", "step")]
        return pd.RangeIndex(*limits)
    values = read_array(state.get("data"))
    dtype = object if isinstance(values, np.ndarray) and values.dtype == object else None
    return pd.Index(values, dtype=dtype)
