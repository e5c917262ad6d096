"""Pickles that forge numpy's state, name functions or claim memory are refused, and never run."""

import datetime as dt
import io
import os
import pickle
import struct
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.catalogue.importing.pickled.frame import read_pickled_frame
from terraseek.errors import SourceError

BOUND_S = 20
TABLE = pd.DataFrame(
    {
        "img_name": ["a.png", "bb.png", None],
        "n": [1, 2, 3],
        "x": np.array([0.5, np.nan, 2], np.float32),
        "t": pd.to_datetime(["2017-01-01", None, "2019-05-06"]),
        "o": pd.Series(["é", None, dt.date(2020, 1, 2)], dtype=object),
        "b": [True, False, True],
        "d": pd.Series(
            [dt.datetime(2020, 1, 2, 3, 4, 5, 678_901), pd.Timestamp("2021-05-06"), pd.NaT],
            dtype=object,
        ),
        "v": pd.Series([[1.0, 2.0], [], [3.0]], dtype=object),
    }
)


_REST = b"\x8c\x04_typ\x8c\x09dataframe\x8c\x09_metadata]\x8c\x05attrs}ub."


def table_with(values: bytes, shape: bytes = b"K\x01K\x01\x86") -> bytes:
    """A pickled table of one column named `a`, whose block has the given pickled values."""
    name = object_array(b"]\x8c\x01aa")
    index = b"cpandas.core.indexes.base\n_new_Index\n(cpandas\nIndex\n}\x8c\x04data" + name + b"stR"
    rows = (
        b"cpandas.core.indexes.base\n_new_Index\n(cpandas\nRangeIndex\n"
        b"}(\x8c\x05startK\x00\x8c\x04stopK\x01\x8c\x04stepK\x01utR"
    )
    block = (
        b"cpandas._libs.internals\n_unpickle_block\n("
        + values
        + b"cbuiltins\nslice\n(K\x00K\x01K\x01tRK\x02tR"
    )
    manager = (
        b"cpandas.core.internals.managers\nBlockManager\n(("
        + block
        + b"t]("
        + index
        + rows
        + b"etR"
    )
    return b"\x80\x04cpandas\nDataFrame\n)\x81}(\x8c\x04_mgr" + manager + _REST


def dtype(kind: bytes, flags: bytes = b"K\x00", fields: bytes = b"NNN") -> bytes:
    """A pickled numpy.dtype with the given flags."""
    name = b"\x8c" + bytes([len(kind)]) + kind
    state = b"(K\x03\x8c\x01|" + fields + b"J\xff\xff\xff\xffJ\xff\xff\xff\xff" + flags + b"tb"
    return b"cnumpy\ndtype\n(" + name + b"\x89\x88tR" + state


def object_array(items: bytes, shape: bytes = b"K\x01\x85") -> bytes:
    """A pickled object array."""
    start = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    return start + b"(K\x01" + shape + dtype(b"O8", b"K\x3f") + b"\x89" + items + b"tb"


def frombuffer(data: bytes, kind: bytes, shape: bytes = b"K\x01K\x01\x86") -> bytes:
    """A pickled array over bytes."""
    raw = b"\x96" + struct.pack("<Q", len(data)) + data
    return b"cnumpy._core.numeric\n_frombuffer\n(" + raw + kind + shape + b"\x8c\x01CtR"


POINTER = struct.pack("<Q", 0x4141414141414140)
HUGE = b"\x8a\x05\x00\x00\x00\x00\x04"  # 2^34
FORGED = {
    "object type without its flags, over bytes": table_with(frombuffer(POINTER, dtype(b"O8"))),
    "object field in a record": table_with(
        frombuffer(
            POINTER, dtype(b"V8", fields=b"N\x8c\x01f\x85}\x8c\x01f" + dtype(b"O8") + b"K\x00\x86s")
        )
    ),
    "more rows than bytes": table_with(frombuffer(POINTER, dtype(b"i8"), b"K\x01M\xff\xff\x86")),
    "negative shape": table_with(frombuffer(POINTER, dtype(b"i8"), b"J\xff\xff\xff\xffK\x01\x86")),
    "a billion empty rows": table_with(frombuffer(b"", dtype(b"i8"), HUGE + b"K\x00\x86")),
    "huge text type": table_with(frombuffer(POINTER, dtype(b"U999999999"))),
    "objects that are bytes": table_with(object_array(b"C\x08" + POINTER)),
    "more objects than the list has": table_with(object_array(b"](NNe", b"K\x01M\xff\xff\x86")),
    "an array that contains itself": b"\x80\x04]\x94h\x00a.",
    "huge string": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b".",
    "huge bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    "huge memo": b"\x80\x04Nr\xff\xff\xff\xff.",
    "huge number": b"\x80\x04\x8b\xff\xff\xff\x7f" + b"1" * 1000 + b".",
    "digits": b"L" + b"9" * 500_000 + b"L\n.",
    "deep tuples": b"\x80\x04N" + b"\x85" * 100_000 + b".",
    "doubling tuples as a key": b"\x80\x04}N" + b"2\x86" * 100 + b"Ns.",
    "no end": b"\x80\x04" + b"(" * 100_000,
    "persistent id": b"\x80\x04Q.",
    "extension": b"\x80\x04\x82\x01.",
    "system": b"cposix\nsystem\n(\x8c\x09echo ownedtR.",
    "getattr": b"cbuiltins\ngetattr\n.",
    "a dotted name": b"\x80\x04\x8c\x06pandas\x8c\x10io.common.os.popen\x93.".replace(
        b"\x10", b"\x12"
    ),
    "a name that is an array": b"\x80\x04]]\x93.",
    "state of None": b"\x80\x04NNb.",
}


def arrow(offsets: list[int], text: bytes, length: int) -> bytes:
    """A pickled column of pyarrow text."""
    raw = np.array(offsets, "<i8").tobytes()
    parts = [
        b"cpyarrow.lib\npy_buffer\n\x96" + struct.pack("<Q", len(part)) + part + b"\x85R"
        for part in (raw, text)
    ]
    kind = b"cpyarrow.lib\ntype_for_alias\n\x8c\x0clarge_string\x85R"
    array = (
        b"("
        + kind
        + b"J"
        + struct.pack("<i", length)
        + b"K\x00K\x00](N"
        + b"".join(parts)
        + b"e]Nt"
    )
    return (
        b"cpandas.arrays\nArrowStringArray\n)\x81}(\x8c\x09_pa_arraycpyarrow.lib\n_restore_array\n"
        + array
        + b"\x85Rub"
    )


FORGED |= {
    "text beyond its bytes": table_with(arrow([0, 1 << 40], b"ab", 1)),
    "text before its bytes": table_with(arrow([-(1 << 40), 2], b"ab", 1)),
    "text with falling offsets": table_with(arrow([0, 2, 1], b"ab", 2)),
    "text without offsets": table_with(arrow([], b"ab", 1)),
    "text of negative length": table_with(arrow([0, 2], b"ab", -5)),
    "text of no rows": table_with(arrow([0], b"ab", 1 << 30)),
    "text that is no UTF-8": table_with(arrow([0, 2], b"\xff\xfe", 1)),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_pickle(name: str, tmp_path: Path) -> None:
    path = tmp_path / "table.pkl"
    path.write_bytes(FORGED[name])
    start = time.monotonic()
    with pytest.raises(SourceError) as caught:
        read_pickled_frame(path)
    assert time.monotonic() - start < BOUND_S
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700


def test_the_same_parts_unforged_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "table.pkl"
    for values, expected in (
        (frombuffer(struct.pack("<q", 7), dtype(b"i8")), 7),
        (object_array(b"](\x8c\x01ze", b"K\x01K\x01\x86"), "z"),
        (arrow([0, 2], b"ab", 1), "ab"),
    ):
        path.write_bytes(table_with(values))
        frame = read_pickled_frame(path)
        assert (list(frame.columns), frame["a"].tolist()) == (["a"], [expected])


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_called(protocol: int, tmp_path: Path) -> None:
    frame = TABLE.copy()
    frame["o"] = [Command(tmp_path / "made"), None, None]
    path = tmp_path / "table.pkl"
    path.write_bytes(pickle.dumps(frame, protocol))
    with pytest.raises(SourceError, match="is refused: it uses"):
        read_pickled_frame(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_table_of_every_kind_of_column_comes_back(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "table.pkl"
    path.write_bytes(pickle.dumps(TABLE, protocol))
    pd.testing.assert_frame_equal(read_pickled_frame(path), TABLE)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A pickled table with bytes replaced, removed, repeated or cut off."""
    data = bytearray(pickle.dumps(TABLE, draw(st.sampled_from([2, 4, 5]))))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data) - 1))
        end = start + draw(st.integers(0, 12))
        data[start:end] = draw(
            st.one_of(st.binary(max_size=6), st.just(bytes(data[start:end] * 2)))
        )
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_mutated_tables_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(data)
    reason = ""
    try:
        frame = read_pickled_frame(path)
        frame.to_csv(io.StringIO())  # touches every value
    except SourceError as error:
        reason = str(error)
    assert len(reason.splitlines()) <= 1
