"""Columns of a pickled table, built from the tree that `opcodes` reads.

Types, shapes and offsets are checked against the bytes before numpy or pyarrow see them: the state
of a pickled `numpy.dtype` can make numpy follow pointers that the file contains.
"""

import datetime as dt
import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from terraseek.catalogue.importing.pickled.opcodes import Call, DamagedPickleError, Global

__all__ = ["read_array", "read_dtype"]

_NUMBERS = frozenset(
    ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"),
)
_UNITS = frozenset(("s", "ms", "us", "ns", "D", "h", "m"))
_TIMESTAMP_UNITS = {7: "s", 8: "ms", 9: "us", 10: "ns"}  # numpy's NPY_DATETIMEUNIT

Array = Any
"""One- or two-dimensional numpy array, or a one-dimensional pandas string array."""


def read_dtype(node: Any) -> np.dtype[Any]:  # noqa: ANN401 - a node of the tree
    """Type of a pickled `numpy.dtype`; its flags and pointers are not used.

    Raises:
        DamagedPickleError: it is none of the types of a table.
    """
    if not (_is_call(node, "dtype") and node.args and isinstance(node.args[0], str)):
        raise DamagedPickleError("a type that is no numpy.dtype")
    kind = node.args[0].lstrip("<>|=")
    state = node.state if isinstance(node.state, tuple) else ()
    order: Literal["<", ">"] = ">" if len(state) > 1 and state[1] == ">" else "<"
    if kind in ("O", "O8", "O4"):
        return np.dtype(object)
    if kind in ("M8", "m8"):
        return np.dtype(f"{kind}[{_unit(state)}]").newbyteorder(order)
    if kind[:1] in ("S", "U") and kind[1:].isdecimal() and len(kind) < 8:
        return np.dtype(kind).newbyteorder(order)
    if kind not in _NUMBERS:
        raise DamagedPickleError(f"a column of the type {node.args[0][:20]!r}")
    return np.dtype("?" if kind == "b1" else kind).newbyteorder(order)


def _unit(state: tuple[Any, ...]) -> str:
    """Unit of a date or duration, from the state of its type: `(..., (b"us", 1, 1, 1))`."""
    meta = state[8][1] if len(state) > 8 and isinstance(state[8], tuple) else (b"ns", 1)
    unit = _raw(meta[0]).decode("latin-1")
    if unit not in _UNITS or meta[1] != 1:
        raise DamagedPickleError(f"dates in the unit {unit[:10]!r}")
    return unit


def read_array(node: Any) -> Array:  # noqa: ANN401 - a node of the tree
    """Values of a pickled numpy array or pandas extension array.

    Raises:
        DamagedPickleError: it is of a kind that tables do not need, or does not fit its bytes.
    """
    if _is_call(node, "_reconstruct"):
        _, shape, kind, is_fortran, data = node.state
        return _shaped(data, read_dtype(kind), shape, "F" if is_fortran else "C")
    if _is_call(node, "_frombuffer"):
        data, kind, shape, order = node.args
        return _shaped(data, read_dtype(kind), shape, "F" if order == "F" else "C")
    if _is_call(node, "ArrowStringArray"):
        return _arrow_strings(node.state)
    if _is_call(node, "__pyx_unpickle_NDArrayBacked"):
        values = read_array(next(part for part in node.state if _is_call_of_array(part)))
        if node.args[0].name == "StringArray":
            return pd.array(values, dtype="string[python]")
        return values
    raise DamagedPickleError("a column of a kind that cannot be read; save the table as Parquet")


def _is_call_of_array(node: Any) -> bool:  # noqa: ANN401
    return _is_call(node, "_reconstruct") or _is_call(node, "_frombuffer")


def _shaped(data: Any, dtype: np.dtype[Any], shape: Any, order: str) -> Array:  # noqa: ANN401
    if not all(type(side) is int and side >= 0 for side in shape) or len(shape) > 2:
        raise DamagedPickleError("an array with an impossible shape")
    size = math.prod(shape)
    if dtype.hasobject:
        if type(data) is not list or len(data) != size:
            raise DamagedPickleError("an array that does not fit its values")
        checked: set[int] = set()
        flat = np.empty(size, object)
        for row, value in enumerate(data):  # assigned at once, lists would become columns
            flat[row] = _cell(value, checked)
    else:
        data = _raw(data)
        if len(data) != size * dtype.itemsize:
            raise DamagedPickleError("an array that does not fit its bytes")
        flat = np.frombuffer(data, dtype).copy()
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _raw(data: Any) -> bytes:  # noqa: ANN401
    """Bytes, as they are or as older protocols write them: `_codecs.encode(text, "latin1")`."""
    if _is_call(data, "encode") or _is_call(data, "bytearray") or _is_call(data, "bytes"):
        return _raw(data.args[0]) if data.args else b""
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes):
        raise DamagedPickleError("values that are no bytes")
    return data


def _arrow_strings(state: Any) -> Array:  # noqa: ANN401
    """Text that pandas keeps in a pyarrow array; offsets are checked before pyarrow uses them."""
    import pyarrow as pa

    kind, length, _, offset, buffers, *_ = state.get("_pa_array").args[0]
    kind = kind.args[0]
    if kind not in ("string", "large_string") or offset != 0 or type(length) is not int:
        raise DamagedPickleError("text of an unknown kind")
    valid, offsets, text = (None if part is None else _raw(part.args[0]) for part in buffers)
    width = np.dtype("<i8" if kind == "large_string" else "<i4")
    ends = np.frombuffer((offsets or b"")[: (length + 1) * width.itemsize], width)
    text = text or b""
    fits = len(ends) == length + 1 and ends[0] >= 0 and ends[-1] <= len(text)
    if not fits or (np.diff(ends) < 0).any() or (valid and len(valid) * 8 < length):
        raise DamagedPickleError("text that does not fit its offsets")
    parts = [None if b is None else pa.py_buffer(b) for b in (valid or None, offsets, text)]
    array = pa.Array.from_buffers(pa.type_for_alias(kind), length, parts)
    array.validate(full=True)
    dtype = state.get("_dtype")
    is_nan = _is_call(dtype, "StringDtype") and isinstance(dtype.args[-1], float)
    return pd.array(array, dtype="str" if is_nan else "string[pyarrow]")


def _cell(value: Any, checked: set[int]) -> Any:  # noqa: ANN401
    """A value of an object column: text, a number, a date, or a list of texts or numbers.

    Args:
        value: a node of the tree.
        checked: ids of the lists that were checked; many cells may share one.
    """
    if _is_plain(value):
        return value
    if isinstance(value, Global) and value.name == "NA":
        return pd.NA
    if isinstance(value, Call):
        return _called_cell(value)
    if type(value) in (list, tuple):
        if id(value) not in checked and not all(map(_is_plain, value)):
            raise DamagedPickleError("a cell that holds lists of lists")
        checked.add(id(value))
        return value
    raise DamagedPickleError(f"a cell that holds a {type(value).__name__}")


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bytes)


def _called_cell(call: Call) -> Any:  # noqa: ANN401
    name = call.function.name
    if name in ("_nat_unpickle", "__nat_unpickle"):
        return pd.NaT
    if name == "_unpickle_timestamp":
        number, _, zone, *unit = call.args
        if zone is None and type(number) is int:
            return pd.Timestamp(number, unit=_TIMESTAMP_UNITS[unit[0] if unit else 10])
    if name in ("datetime", "date") and len(call.args) == 1:
        raw = _raw(call.args[0])
        date = dt.date(raw[0] * 256 + raw[1], raw[2], raw[3])
        if name == "date":
            return date
        time = dt.time(raw[4], raw[5], raw[6], int.from_bytes(raw[7:10], "big"))
        return dt.datetime.combine(date, time)
    if name == "scalar":
        kind, data = call.args
        return _shaped(_raw(data), read_dtype(kind), (1,), "C")[0]
    raise DamagedPickleError(f"a cell that holds {name}")


def _is_call(node: Any, name: str) -> bool:  # noqa: ANN401
    return isinstance(node, Call) and node.function.name == name
