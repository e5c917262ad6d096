"""A server in a process of its own, as `terraseek serve` starts it, and plain sockets to it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 180

_LAUNCH = """
import sys
from pathlib import Path
from terraseek_app.server.middleware import slow_clients
slow_clients.HEAD_TIMEOUT_S = slow_clients.PAUSE_TIMEOUT_S = 2.0
from terraseek_app.launch import ServeOptions, serve
import json, resource
catalogue, scenes, port, more, file_bytes = sys.argv[1:]
if int(file_bytes):  # as a disk that is full: no file may grow further
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_bytes), int(file_bytes)))
more = json.loads(more)
options = ServeOptions(
    Path(catalogue), "fake", Path(scenes), port=int(port), browser=False, **more
)
serve(options, lambda line: print(line, flush=True))
"""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", self.port), 300)

    def send(self, request: bytes) -> bytes:
        """Everything that the server sends until it closes the connection."""
        with self.connect() as client:
            client.sendall(request)
            return until_closed(client)

    def get(self, address: str, headers: str = "") -> bytes:
        """Response to a GET: status line, headers and body."""
        host = f"Host: localhost:{self.port}\r\n" if "Host:" not in headers else ""
        lines = f"GET {address} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n"
        return self.send(lines.encode())


def until_closed(client: socket.socket) -> bytes:
    """What arrives until the other side closes."""
    parts = []
    try:
        while part := client.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@contextmanager
def served(
    catalogue: Path, scenes: Path, log: Path, file_bytes: int = 0, **options: int
) -> Iterator[Server]:
    """Run a server whose slow clients are cut off after 2 s.

    Args:
        catalogue: folder of the catalogue.
        scenes: folder of the scenes.
        log: file for what the server prints.
        file_bytes: largest file that the server can write; 0: any.
        **options: fields of `ServeOptions`.
    """
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    command = [sys.executable, "-c", _LAUNCH, str(catalogue), str(scenes), str(port)]
    command += [json.dumps(options), str(file_bytes)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            server = Server(port)
            _wait(server, process, log)
            yield server
        finally:
            process.kill()


def _wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if b" 200 OK" in server.get("/api/health").splitlines()[0]:
                return
        except (OSError, IndexError):
            time.sleep(0.2)
    raise AssertionError(f"no answer in {START_S} s: {log.read_text()[-3000:]}")
