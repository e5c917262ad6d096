"""A private file, a server that counts its callers, and the application they must not reach."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attack.hostile import Canary, private_raster

_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Counter(BaseHTTPRequestHandler):
    def handle_any(self):
        with open(sys.argv[1], "a") as log:
            log.write(f"{self.command} {self.path}\\n")
        self.send_error(404)
    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = handle_any
    def log_message(self, *words):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an attack."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("attack")


@pytest.fixture
def canary(watched: Canary) -> Canary:
    """The same, before anybody has called."""
    watched.log.write_text("")
    return watched


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    """Private files outside of what is served, and a server on this machine."""
    private = tmp_path_factory.mktemp("private")
    letters = np.random.default_rng(3).integers(33, 127, 2100 * 1100, np.uint8)
    (private / "secret.txt").write_bytes(letters.tobytes())
    log = private / "calls.txt"
    log.touch()
    # a process of its own: GDAL holds Python's lock while it waits for an answer
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(log)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    with server, server.stdout:
        port = int(server.stdout.readline())
        secret = private_raster(private / "secret.tif")
        yield Canary(private / "secret.txt", secret, port, log)
        server.kill()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], TestClient]]:
    """The routes over a folder of scenes, with a catalogue of one picture."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder
    from terraseek_app.api.responses import EXCEPTION_HANDLERS
    from terraseek_app.asgi import middleware, routes
    from terraseek_app.server import state
    from terraseek_app.server.settings import Settings

    chips = tmp_path / "chips"
    chips.mkdir()
    Image.fromarray(np.full((40, 40, 3), (230, 20, 20), np.uint8)).save(chips / "a.png")
    import_source(chips, tmp_path / "cat", name="chips")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())

    def start(scenes: Path) -> TestClient:
        scenes.mkdir(exist_ok=True)
        state.reset(
            Settings(
                catalogue=tmp_path / "cat",
                model="fake",
                scenes=scenes,
                uploads=tmp_path / "uploads",
            )
        )
        app = Starlette(
            routes=routes(),
            middleware=middleware(),
            exception_handlers=dict(EXCEPTION_HANDLERS),
        )
        return TestClient(app, "http://localhost", raise_server_exceptions=False)

    yield start
    state.reset(Settings())
