"""Uploads: foreign files stay, refused bodies are gone, and no client fills the disk."""

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from attack.hostile import plain
from terraseek.errors import SceneError, SceneTooLargeError
from terraseek_app.server import state, uploads
from terraseek_app.server.settings import UPLOAD_AGE_S
from terraseek_app.server.uploads import (
    discard_upload,
    keep_upload,
    upload_folder,
    upload_path,
)

Serve = Callable[[Path], TestClient]
LIMIT = 1 << 20


def keep(content: bytes, folder: Path, **more: object) -> str:
    """Store an upload."""
    return keep_upload(io.BytesIO(content), "a.png", folder, LIMIT, **more)  # type: ignore[arg-type]


def test_the_clean_up_removes_only_uploads(tmp_path: Path) -> None:
    kept = upload_folder(tmp_path)
    hash_like = "0123456789abcdef0123"
    foreign = [
        tmp_path / "thesis.odt",
        tmp_path / f"{hash_like}.png",
        kept / "notes.txt",
        kept / ".incoming-notes of mine",
        kept / f"{hash_like}.tar.gz",
    ]
    for path in foreign:
        path.write_text("mine")
        os.utime(path, (0, 0))
    (kept / hash_like).mkdir()
    (kept / f"{hash_like}.tif").symlink_to(foreign[0])
    token = keep(b"old", tmp_path)
    now = time.monotonic()
    keep(b"other", tmp_path, now=now)
    keep(b"new", tmp_path, now=now + UPLOAD_AGE_S + 1)
    with pytest.raises(SceneError, match="no longer kept"):
        upload_path(token, tmp_path)
    assert [path.read_text() for path in foreign] == ["mine"] * len(foreign)
    assert (kept / hash_like).is_dir()
    assert (kept / f"{hash_like}.tif").is_symlink()


def test_a_jump_of_the_clock_makes_no_upload_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = keep(b"old", tmp_path)
    for seconds in (10 * 365 * 86_400, -10 * 365 * 86_400):
        wall = time.time() + seconds
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda wall=wall: wall)
            keep(b"new %d" % seconds, tmp_path)
    os.utime(upload_path(token, tmp_path), (0, 0))  # as a file of 1970
    keep(b"newer", tmp_path)
    assert upload_path(token, tmp_path).read_bytes() == b"old"


def test_the_use_of_an_upload_by_another_process_is_noticed(tmp_path: Path) -> None:
    token = keep(b"old", tmp_path)
    now = time.monotonic()
    keep(b"other", tmp_path, now=now)
    os.utime(upload_folder(tmp_path) / token, (5, 5))
    keep(b"second", tmp_path, now=now + UPLOAD_AGE_S - 10)
    keep(b"third", tmp_path, now=now + UPLOAD_AGE_S + 10)
    assert upload_path(token, tmp_path).read_bytes() == b"old"


def test_what_a_killed_run_left_is_removed_in_time(tmp_path: Path) -> None:
    left = upload_folder(tmp_path) / ".incoming-abcd_123"
    left.write_bytes(b"half")
    now = time.monotonic()
    keep(b"first", tmp_path, now=now)
    assert left.exists()
    keep(b"second", tmp_path, now=now + UPLOAD_AGE_S + 1)
    assert not left.exists()


def test_quotas_of_a_client_and_of_all(tmp_path: Path) -> None:
    def send(client: str, seed: int, size: int = 4000) -> str:
        content = np.random.default_rng(seed).bytes(size)
        return keep(content, tmp_path, client=client, quota_bytes=20_000)

    first = send("a", 1)
    send("a", 2)
    with pytest.raises(SceneTooLargeError, match="are left for uploads"):
        send("a", 3)
    send("b", 4)
    send("b", 5)
    with pytest.raises(SceneTooLargeError, match="are left for uploads"):
        send("c", 6, 4001)
    sizes = [path.stat().st_size for path in upload_folder(tmp_path).iterdir()]
    assert sizes == [4000] * 4
    discard_upload(first, tmp_path)
    send("a", 7)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a").write_text("mine")
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / uploads.SUBFOLDER).symlink_to(tmp_path / "private")
    with pytest.raises(SceneError, match="is a link"):
        keep(b"x", tmp_path / "up")
    assert [path.name for path in (tmp_path / "private").iterdir()] == ["a"]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this process."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def kept_bytes(*folders: Path) -> int:
    """Bytes of all files below some folders."""
    return sum(p.stat().st_size for f in folders for p in f.rglob("*") if p.is_file())


def test_bodies_that_are_refused_leave_nothing(serve: Serve, tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    scene = client.get("/api/scenes").json()["scenes"][0]["id"]
    noise = np.random.default_rng(0).bytes(LIMIT)
    png = b"\x89PNG\r\n\x1a\n" + noise
    for address, body in (
        (f"/api/localize/{scene}", noise),
        (f"/api/localize/{scene}", png),
        (f"/api/localize/{scene}", b""),
        ("/api/localize/unknown", png),
        (f"/api/localize/{scene}?scales=a", png),
    ):
        answer = client.post(address, content=body)
        assert answer.status_code == 400, answer.text
        assert kept_bytes(scratch, tmp_path / "uploads") == 0


def test_an_image_in_a_body_is_not_kept_either(serve: Serve, tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    scene = client.get("/api/scenes").json()["scenes"][0]["id"]
    out = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), (20, 200, 20), np.uint8)).save(out, "PNG")
    assert client.post(f"/api/localize/{scene}", content=out.getvalue()).status_code == 200
    assert kept_bytes(scratch, tmp_path / "uploads") == 0


def test_a_body_is_refused_at_its_first_bytes(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    scene = client.get("/api/scenes").json()["scenes"][0]["id"]
    declared = client.post(
        f"/api/localize/{scene}", content=b"x", headers={"Content-Length": str(1 << 40)}
    )
    assert declared.status_code == 413
    assert state.settings().max_upload_bytes < 1 << 40

    def endless() -> Iterator[bytes]:
        yield b"not an image at all"
        yield b"x" * 100

    answer = client.post(f"/api/localize/{scene}", content=endless())
    assert answer.status_code == 400
    assert "is not an image" in answer.json()["what"]
