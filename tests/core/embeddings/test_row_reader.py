"""`RowReader` reads the mapped rows, even after the file was replaced."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.embeddings import row_reader
from terraseek.embeddings.row_reader import map_rows
from terraseek.index.scoring import Matrix

ROWS = np.random.default_rng(0).normal(size=(50, 24)).astype(np.float16)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, ROWS)
    return path


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(0, 49), max_size=30))
def test_rows_read_are_the_rows_mapped(stored: Path, rows: list[int]) -> None:
    mapped, reader = map_rows(stored)
    assert reader is not None
    wanted = np.array(rows, np.int64)
    np.testing.assert_array_equal(reader.rows(wanted).reshape(-1, 24), mapped[wanted])


def test_a_replaced_file_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, ROWS)
    mapped, reader = map_rows(path)
    np.save(tmp_path / "new.npy", ROWS + 1)
    os.replace(tmp_path / "new.npy", path)
    assert reader is not None
    np.testing.assert_array_equal(reader.rows(np.array([3, 1])), ROWS[[3, 1]])
    np.testing.assert_array_equal(mapped[[3, 1]], ROWS[[3, 1]])


def test_there_is_no_reader_if_the_file_is_replaced_while_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, ROWS)
    np.save(tmp_path / "new.npy", ROWS + 1)
    load = np.load

    def replaced_first(*args: object, **kwargs: object) -> np.ndarray:
        os.replace(tmp_path / "new.npy", path)
        found: np.ndarray = load(*args, **kwargs)  # type: ignore[call-overload]
        return found

    monkeypatch.setattr(row_reader.np, "load", replaced_first)
    mapped, reader = map_rows(path)
    assert reader is None
    np.testing.assert_array_equal(mapped, ROWS + 1)


def test_scores_are_the_same_with_and_without_a_reader(stored: Path) -> None:
    mapped, reader = map_rows(stored)
    query = np.ones(24, np.float32)
    rows = np.array([7, 7, 0, 49])
    for selected in (rows, np.arange(50)):
        plain = Matrix(mapped, resident=False)
        reading = Matrix(mapped, False, reader)
        np.testing.assert_array_equal(
            plain.approximate_scores(selected, query), reading.approximate_scores(selected, query)
        )
        np.testing.assert_array_equal(
            plain.exact_scores(selected, query), reading.exact_scores(selected, query)
        )
