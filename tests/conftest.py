"""Fixtures all rooms share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# a busy machine is no fault of the code
# CI tries the same examples each time: what a new one finds is not the fault of the change
settings.register_profile("terraseek", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("terraseek")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data; absent on most machines, and then the test says so."""
    folder = Path(os.environ.get("TERRASEEK_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set TERRASEEK_DATA to its folder")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's folder."""
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """AppTest leaves its script behind as `__main__`, which no new process can then import."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
