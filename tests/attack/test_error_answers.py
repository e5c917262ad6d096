"""Faults of disks, files and requests: one line with the right status, and no folder in it."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from attack.hostile import plain
from terraseek.catalogue import Catalogue
from terraseek_app.asgi import routes
from terraseek_app.server import state

Serve = Callable[[Path], TestClient]
LONG = "n" * 5000
DEEP = "[" * 100_000 + "]" * 100_000
QUERIES = {"/api/search": "?q=red", "/api/localize/{id}": "?q=red&scales=512"}


def addresses(item: str, scene: str) -> list[str]:
    """An address of every route that is a GET, with existing ids where it takes some."""
    found = []
    for route in routes():
        path: str = route.path  # type: ignore[attr-defined]
        known = scene if "scene" in path or "localize" in path else item
        filled = path.replace("{id}", known).replace("{row}", "0").replace("{name}", "map.js")
        found.append(re.sub(r"\{[zxy]\}", "0", filled) + QUERIES.get(path, ""))
    return found


def check(answer: object, tmp_path: Path, *allowed: int) -> str:
    """One line of a JSON error, or data; nothing of it names a folder. Returns the line."""
    status, text = answer.status_code, answer.text  # type: ignore[attr-defined]
    assert status < 500 or status in (503, 507), text[:500]
    assert not allowed or status in allowed, (status, text[:500])
    content = answer.headers.get("content-type", "")  # type: ignore[attr-defined]
    if not content.startswith(("application/json", "application/geo+json")):
        return ""
    for folder in (str(tmp_path), "/tmp/", str(Path.home()) + "/", os.getcwd() + "/"):
        assert folder not in text, text[:500]
    if status < 400:
        return ""
    body = answer.json()  # type: ignore[attr-defined]
    line: str = body.get("what", "")
    assert line, body
    assert len(line.splitlines()) == 1
    assert len(line) <= 700
    assert "Traceback" not in line
    return line


def damage(path: Path) -> None:
    """Zeros in the middle and a cut end."""
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(60) + data[100:-20])


def as_folder(path: Path) -> None:
    """A folder with the name of a file."""
    path.unlink()
    path.mkdir()


def as_loop(path: Path) -> None:
    """A link to itself."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(path)


def _items(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(world: Path) -> None:
        for copy in (world / "cat").glob(".items*"):
            copy.unlink()
        change(world / "cat" / "items.parquet")

    return apply


def _embeddings(name: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda world: [change(p) for p in (world / "cat" / "embeddings").rglob(name)] and None


FAULTS: dict[str, Callable[[Path], None]] = {
    "items damaged": _items(damage),
    "items are a folder": _items(as_folder),
    "items are missing": _items(Path.unlink),
    "items are empty": _items(lambda path: path.write_bytes(b"") and None),
    "items are a link to itself": _items(as_loop),
    "manifest is deep JSON": _embeddings("manifest.json", lambda p: p.write_text(DEEP) and None),
    "manifest is cut": _embeddings("manifest.json", lambda p: p.write_text("{") and None),
    "manifest is a list": _embeddings("manifest.json", lambda p: p.write_text("[]") and None),
    "manifest is no text": _embeddings(
        "manifest.json", lambda p: p.write_bytes(b"\xff\xfe") and None
    ),
    "vectors are missing": _embeddings("*.npy", Path.unlink),
    "vectors are cut": _embeddings("*.npy", damage),
    "vectors are folders": _embeddings("*.npy", as_folder),
    "embeddings are a link to itself": lambda world: as_loop(world / "cat" / "embeddings"),
    "image is missing": lambda world: (world / "chips" / "a.png").unlink(),
    "image is a folder": lambda world: as_folder(world / "chips" / "a.png"),
    "image is damaged": lambda world: damage(world / "chips" / "a.png"),
    "scene is missing": lambda world: (world / "scenes" / "ground.tif").unlink(),
    "scene is a folder": lambda world: as_folder(world / "scenes" / "ground.tif"),
    "scene is damaged": lambda world: damage(world / "scenes" / "ground.tif"),
    "scenes are missing": lambda world: shutil.rmtree(world / "scenes"),
}


@pytest.fixture
def client(serve: Serve, tmp_path: Path) -> TestClient:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    return serve(tmp_path / "scenes")


@pytest.fixture
def ids(client: TestClient, tmp_path: Path) -> tuple[str, str]:
    item = Catalogue.open(tmp_path / "cat").item_ids[0].decode()
    return item, client.get("/api/scenes").json()["scenes"][0]["id"]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_route_with_a_fault(
    fault: str, client: TestClient, ids: tuple[str, str], tmp_path: Path
) -> None:
    FAULTS[fault](tmp_path)
    state.reset(state.settings())
    lines = [check(client.get(one), tmp_path) for one in addresses(*ids)]
    assert any(lines), "the fault has no effect"


@contextmanager
def nobody() -> Iterator[None]:
    """Without the permissions of the superuser, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("name", ["cat/items.parquet", "cat/embeddings", "chips", "scenes", "cat"])
def test_every_route_without_permission(
    name: str, client: TestClient, ids: tuple[str, str], tmp_path: Path
) -> None:
    asked = addresses(*ids)
    for one in asked:  # modules are loaded with the permissions of the superuser
        client.get(one)
    for copy in (tmp_path / "cat").glob(".items*"):
        copy.unlink()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == tmp_path.owner() and folder.name.startswith(("test_", "pytest-")):
            folder.chmod(0o755)
    (tmp_path / name).chmod(0)
    state.reset(state.settings())
    try:
        with nobody():
            lines = [check(client.get(one), tmp_path) for one in asked]
    finally:
        (tmp_path / name).chmod(0o755)
    assert any(lines), "nothing was refused"


VALUES = {
    "5,000 letters": LONG,
    "a path of the server": "/etc/ssl/private/key.pem",
    "dots": "../../../etc/passwd",
    "a zero byte": "a\x00b",
    "lines": "a\nb\r\nc",
    "deep JSON": DEEP[:3000] + DEEP[-3000:],
    "half a surrogate": "\udfff",
    "script": "<script>alert(1)</script>",
}
PARAMETERS = (
    *("q", "minus", "plus", "like", "liked", "near", "bbox", "polygon", "within", "sql", "where"),
    *("source", "label", "date_from", "k", "alpha", "precision", "text", "gsd_min"),
)


@pytest.mark.parametrize("value", VALUES)
def test_every_parameter_with_an_odd_value(value: str, client: TestClient, tmp_path: Path) -> None:
    for name in PARAMETERS:
        parameters = {name: VALUES[value].encode("utf-8", "surrogatepass")}
        if name not in ("q", "like", "near"):
            parameters["q"] = b"red"
        check(client.get("/api/search", params=parameters), tmp_path, 200, 400, 404)


@pytest.mark.parametrize("value", VALUES)
def test_every_address_with_an_odd_id(
    value: str, client: TestClient, ids: tuple[str, str], tmp_path: Path
) -> None:
    from urllib.parse import quote

    odd = quote(VALUES[value].encode("utf-8", "surrogatepass"), safe="")
    for address in addresses(odd, odd):
        check(client.get(address), tmp_path, 200, 204, 400, 404)
    scene = ids[1]
    for name in ("name", "q", "method", "scales", "stride", "threshold", "items"):
        address = f"/api/localize/{scene}?{name}={odd}&{'' if name == 'q' else 'q=red'}"
        body = b"\x89PNG\r\n\x1a\n"
        check(client.post(address, content=body), tmp_path, 400)


def test_a_table_with_absolute_paths_shows_names_only(serve: Serve, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    from terraseek.catalogue import import_source
    from terraseek.embeddings import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder

    folder = tmp_path / "my data"
    folder.mkdir()
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(folder / "b.png")
    (folder / "t.csv").write_text(
        f"filename,caption,lon,lat,gsd_m\n{folder / 'b.png'},a roof,20.0,10.0,10\n"
    )
    client = serve(tmp_path / "scenes")
    import_source(folder / "t.csv", tmp_path / "cat", name="table")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    state.reset(state.settings())
    hits = client.get("/api/search?q=red&k=9").json()["hits"]
    [item] = [hit for hit in hits if hit["caption"] == "a roof"]
    assert item["image"] == "b.png"
    at_place = "/api/item-at?at=20,10&zoom=16"
    assert client.get(at_place).json() == client.get(f"/api/items/{item['item_id']}").json()
    for address in (f"/api/items/{item['item_id']}", "/api/rows/0", "/api/rows/1", at_place):
        assert "my data" not in check_text(client.get(address).text, tmp_path)


def check_text(text: str, tmp_path: Path) -> str:
    """The text, which names no folder."""
    assert str(tmp_path) not in text
    assert json.loads(text)
    return text
