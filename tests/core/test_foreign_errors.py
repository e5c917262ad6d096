"""Errors of the system and of libraries are one line with exit code 2, never a traceback."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from terraseek.commands.foreign_errors import describe


def run(*arguments: str) -> tuple[int, str]:
    """Run the command line in a process of its own: exit code and stderr."""
    code = "from terraseek.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    folder = tmp_path / "chips"
    folder.mkdir()
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(folder / "a.png")
    return folder


def one_line(code: int, text: str) -> str:
    assert code == 2, text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1, text
    assert len(text) < 600
    return text


def test_a_name_of_5000_letters(chips: Path, tmp_path: Path) -> None:
    out = str(tmp_path / ("n" * 5000))
    assert "too long" in one_line(*run("import", str(chips), "--out", out))


def test_a_source_with_a_name_of_5000_letters(tmp_path: Path) -> None:
    assert "n" * 20 in one_line(*run("import", "n" * 5000, "--out", str(tmp_path / "cat")))


def test_a_catalogue_below_a_file(chips: Path) -> None:
    text = one_line(*run("import", str(chips), "--out", str(chips / "a.png" / "cat")))
    assert "a.png" in text


def test_a_damaged_parquet_table(tmp_path: Path) -> None:
    table = tmp_path / "a.parquet"
    pd.DataFrame({"img_name": ["a.png"] * 1000, "caption": range(1000)}).to_parquet(table)
    data = table.read_bytes()
    table.write_bytes(data[:40] + bytes(200) + data[240:])
    assert "a.parquet" in one_line(*run("import", str(table), "--out", str(tmp_path / "cat")))


def test_deep_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000 + "]" * 100_000)
    one_line(*run("import", str(tmp_path / "a.json"), "--out", str(tmp_path / "cat")))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(chips: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    text = one_line(*run("import", str(chips), "--out", str(tmp_path / "cat")))
    tmp_path.chmod(0o700)
    assert "no permission" in text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left", "/x/a.npy"), r"the disk is full, /x/a.npy"),
        (PermissionError(errno.EACCES, "denied", "/x"), "no permission for /x"),
        (OSError(errno.EROFS, "ro", "/x"), "/x is on a read-only disk"),
        (OSError(errno.ENAMETOOLONG, "long", "n" * 5000), "(5,000 letters)"),
        (OSError("plain"), "a file: plain"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "not enough memory"),
        (sqlite3.DatabaseError("malformed"), "malformed"),
        (json.JSONDecodeError("bad", "x", 0), "not valid JSON"),
    ],
)
def test_messages(error: Exception, expected: str) -> None:
    found = describe(error)
    assert found is not None
    assert expected in found
    assert len(found) < 400


def test_faults_of_the_program_keep_their_traceback() -> None:
    assert describe(KeyError("x")) is None
    assert describe(AssertionError()) is None
