"""No raster makes the server read a file or call an address, at any door."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from attack.hostile import ALONE, PICTURE, WITH_SIDECARS, Canary, leaks, plain
from terraseek.catalogue import Catalogue
from terraseek_app.server import state
from terraseek_app.server.uploads import keep_upload, upload_path

EVERY = ALONE | WITH_SIDECARS
BY_GDAL = EVERY | PICTURE  # pictures of an import are read by Pillow, which follows nothing
Serve = Callable[[Path], TestClient]


def terraseek(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of the command."""
    from terraseek.cli import main

    monkeypatch.setattr(sys, "argv", ["terraseek", *map(str, words)])
    try:
        main()
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def refused(client: TestClient, address: str, method: str = "GET", **more: object) -> None:
    """The answer is a 4xx in one sentence; a picture in its place is looked at."""
    answer = client.request(method, address, **more)  # type: ignore[arg-type]
    if answer.headers["content-type"] == "image/png":
        assert not leaks(np.asarray(Image.open(io.BytesIO(answer.content)))), "private pixels"
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content[:200])
    assert answer.json()["error"] != "Unexpected"
    assert len(answer.json()["what"].splitlines()) == 1
    assert "private" not in answer.text


@pytest.mark.parametrize("attack", ALONE)
def test_an_upload(attack: str, canary: Canary, serve: Serve, tmp_path: Path) -> None:
    client = serve(tmp_path / "scenes")
    (tmp_path / "hostile").mkdir()
    made = ALONE[attack](tmp_path / "hostile", canary)
    folder = state.settings().uploads
    token = keep_upload(io.BytesIO(made.read_bytes()), made.name, folder, 1 << 30)
    scene = state.add_scene(upload_path(token, folder))
    refused(client, f"/overlays/scene/{scene}.png")
    refused(client, f"/tiles/scene/{scene}/0/0/0.png")
    refused(client, f"/api/localize/{scene}?q=red")
    assert canary.calls == []


@pytest.mark.parametrize("attack", BY_GDAL)
def test_a_folder_of_scenes(attack: str, canary: Canary, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    BY_GDAL[attack](tmp_path / "scenes", canary)
    client = serve(tmp_path / "scenes")
    for scene in client.get("/api/scenes").json()["scenes"]:
        refused(client, f"/overlays/scene/{scene['id']}.png")
        refused(client, f"/api/localize/{scene['id']}?q=red")
    assert canary.calls == []


@pytest.mark.parametrize("attack", ALONE)
def test_a_body(attack: str, canary: Canary, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    (only,) = client.get("/api/scenes").json()["scenes"]
    (tmp_path / "hostile").mkdir()
    body = ALONE[attack](tmp_path / "hostile", canary).read_bytes()
    refused(client, f"/api/localize/{only['id']}?scales=512", "POST", content=body)
    assert canary.calls == []


GOOD = (20, 230, 20)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("attack", EVERY)
def test_an_import(
    attack: str,
    table: bool,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    Image.fromarray(np.full((9, 9, 3), GOOD, np.uint8)).save(source / "good.png")
    made = EVERY[attack](source, canary)
    if table:
        (source / "t.csv").write_text(f"filename,caption\ngood.png,a\n{made.name},b\n")
    given = source / "t.csv" if table else source
    code, out, err = terraseek(
        monkeypatch, capsys, "import", given, "--out", tmp_path / "c", "--json"
    )
    assert code == 0, err
    assert "Traceback" not in err
    (report,) = json.loads(out)
    assert (report["added"], len(report["broken"])) == (1, 1), report
    assert canary.calls == []


@pytest.mark.parametrize("attack", BY_GDAL)
def test_localize(
    attack: str,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "here").mkdir()
    made = BY_GDAL[attack](tmp_path / "here", canary)
    words = ["localize", made, "red", "--model", "fake", "--scales", "512"]
    code, _, err = terraseek(monkeypatch, capsys, *words)
    assert (code, len(err.strip().splitlines())) == (2, 1), err
    assert err.startswith("terraseek: ")
    assert canary.calls == []


def test_a_catalogue_made_before_does_not_show_one(
    canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that was harmless when imported is looked at again when it is read."""
    from terraseek.catalogue import import_source
    from terraseek.errors import UnsupportedSceneError

    (tmp_path / "source").mkdir()
    path = plain(tmp_path / "source" / "scene.tif")
    import_source(tmp_path / "source", tmp_path / "c", name="s")
    catalogue = Catalogue.open(tmp_path / "c")
    ALONE["tag names a raster"](path.parent, canary)
    item = str(catalogue.items()["item_id"].iloc[0])
    with pytest.raises(UnsupportedSceneError):
        catalogue.read_image(item)
