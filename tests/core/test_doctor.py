import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terraseek.commands import checks, doctor
from terraseek.commands.checks import Check


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """Replace the checks, so that the result does not depend on the machine."""

    def choose(*checks: Check) -> None:
        monkeypatch.setattr(doctor, "run_checks", lambda: list(checks))

    return choose


def run(*arguments: str):
    from terraseek.cli import build_app

    return CliRunner().invoke(build_app(), ["doctor", *arguments])


def test_exit_code_and_advice(only) -> None:
    only(Check("python", "ok", "3.12"), Check("map", "warn", "not installed", "pip install it"))
    done = run()
    assert done.exit_code == 0
    assert "-> pip install it" in done.stdout
    assert "1 ok, 1 to look at, 0 broken" in done.stdout
    only(Check("model x", "broken", "damaged [sha256]", "get it again"))
    done = run()
    assert done.exit_code == 1
    assert "damaged [sha256]" in done.stdout


def test_stdout_contains_only_json(only) -> None:
    only(Check("disk", "broken", "0.0 GB", "make room"))
    done = run("--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "ok": False,
        "checks": [{"name": "disk", "status": "broken", "found": "0.0 GB", "advice": "make room"}],
    }


def test_a_read_only_home_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("no folder")
    monkeypatch.setenv("TERRASEEK_HOME", str(blocker))
    check = checks._home_writable()
    assert check.status == "broken"
    assert "TERRASEEK_HOME" in check.advice
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "not" / "yet"))
    assert checks._home_writable().status == "ok"
    assert not (tmp_path / "not").exists()


def test_packages_that_are_missing_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "halfmade.py").write_text("import surely_not_there_at_all\n")
    (tmp_path / "mismatched.py").write_text("raise RuntimeError('operator nms does not exist')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert checks._package("nowhere", "nowhere_at_all", "core").status == "broken"
    assert checks._package("nowhere", "nowhere_at_all", "app").status == "warn"
    assert "surely_not_there" in checks._package("half", "halfmade", "app").found
    assert "nms" in checks._package("wrong", "mismatched", "core").found
    assert checks._package("numpy", "numpy", "core").status == "ok"


def test_a_damaged_model_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from terraseek.encoders.registry import list_models
    from terraseek.encoders.weight_files import weights_folder

    card = next(c for c in list_models() if c.name != "terraseek-tiny" and c.hub is not None)
    assert checks._model(card).status == "ok"
    path = weights_folder() / card.weights.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not the weights")
    (path.parent / f"{path.name}.sha256.json").write_text('{"sha256": "' + "0" * 64 + '"}')
    check = checks._model(card)
    assert check.status == "broken"
    assert "sha256" in check.found


def test_gdal_python_and_disk_are_ok_here() -> None:
    assert checks._gdal().status == "ok"
    assert checks._python().status == "ok"
    assert checks._disk().found
