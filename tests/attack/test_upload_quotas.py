"""An outsider fills a served catalogue: memory of Streamlit's uploads, sessions, and the disk."""

import http.client
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from attack.served import Server, served
from terraseek_app.server.middleware.client_share import MAX_SOCKETS

MEGABYTE = 1 << 20
MAX_FILE = 512 << 10
"""Largest file that the server can write, as if its disk were full beyond."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that accepts uploads of 1 MB, so that a client may have 2 and all may have 4."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder

    folder = tmp_path_factory.mktemp("quota")
    (folder / "chips").mkdir()
    (folder / "scenes").mkdir()
    Image.fromarray(np.full((40, 40, 3), (230, 20, 20), np.uint8)).save(folder / "chips" / "a.png")
    Image.fromarray(np.full((90, 90, 3), 60, np.uint8)).save(folder / "scenes" / "a.png")
    import_source(folder / "chips", folder / "cat", name="chips")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    options = {"max_upload_mb": 1}
    with served(
        folder / "cat", folder / "scenes", folder / "log.txt", file_bytes=MAX_FILE, **options
    ) as running:
        yield running


class Outsider:
    """A client with an address of its own, behind a proxy on the server's computer."""

    def __init__(self, server: Server, address: str) -> None:
        self._server, self._address = server, address
        self._n_files = 0

    def open_page(self) -> ClientConnection:
        """Open a WebSocket, and with it a session."""
        return connect(
            f"ws://localhost:{self._server.port}/_stcore/stream",
            origin=f"http://localhost:{self._server.port}",  # type: ignore[arg-type]
            additional_headers={"X-Forwarded-For": self._address},
            max_size=None,
            open_timeout=120,
        )

    def session(self, page: ClientConnection) -> str:
        """Id of the session of a page."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        page.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            received = page.recv(timeout=120)
            assert isinstance(received, bytes)
            answer.ParseFromString(received)
            if answer.WhichOneof("type") == "new_session":
                return answer.new_session.initialize.session_id

    def upload(self, session: str, size: int, chunked: bool = False) -> int:
        """Send a file as an upload field does; returns the status."""
        self._n_files += 1
        address = self._file_address(session, self._n_files)
        head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
        body = head + b"\x89PNG" + bytes(size - 4) + b"\r\n--x--\r\n"
        token = self._xsrf()
        client = http.client.HTTPConnection("localhost", self._server.port, timeout=120)
        try:
            client.request(
                "PUT",
                address,
                body=iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
                if chunked
                else body,
                headers={
                    "Content-Type": "multipart/form-data; boundary=x",
                    "X-Forwarded-For": self._address,
                    "X-Xsrftoken": token,
                    "Cookie": f"_streamlit_xsrf={token}",
                },
                encode_chunked=chunked,
            )
            return client.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return 0  # refused before it was sent
        finally:
            client.close()

    def drop(self, session: str, number: int) -> None:
        """Remove the file of this number, counted from 1."""
        token = self._xsrf()
        client = http.client.HTTPConnection("localhost", self._server.port, timeout=120)
        headers = {"X-Xsrftoken": token, "Cookie": f"_streamlit_xsrf={token}"}
        client.request("DELETE", self._file_address(session, number), headers=headers)
        assert client.getresponse().status == 204
        client.close()

    def _file_address(self, session: str, number: int) -> str:
        return f"/_stcore/upload_file/{session}/file-{self._address}-{number}"

    def _xsrf(self) -> str:
        found = re.search(rb"_streamlit_xsrf=([^;]+)", self._server.get("/_stcore/health"))
        assert found is not None
        return found.group(1).decode()


def test_uploads_of_a_client_and_of_all(server: Server) -> None:
    with ExitStack() as pages:
        greedy = Outsider(server, "10.1.0.1")
        sessions = [greedy.session(pages.enter_context(greedy.open_page())) for _ in range(3)]
        # one client, several pages
        assert greedy.upload(sessions[0], MEGABYTE - 4096) == 204
        assert greedy.upload(sessions[1], MEGABYTE - 4096) == 204
        for session in sessions:
            assert greedy.upload(session, MEGABYTE - 4096) in (0, 429)
            assert greedy.upload(session, MEGABYTE - 4096, chunked=True) in (0, 429)
        second = Outsider(server, "10.1.0.2")
        of_second = second.session(pages.enter_context(second.open_page()))
        assert [second.upload(of_second, MEGABYTE - 4096) for _ in range(2)] == [204, 204]
        # the others have used up the room of all
        third = Outsider(server, "10.1.0.3")
        of_third = third.session(pages.enter_context(third.open_page()))
        assert third.upload(of_third, MEGABYTE // 2) in (0, 507)
        assert third.upload("no-session", MEGABYTE // 2) in (0, 507)
        # a file that its page drops makes room for another
        greedy.drop(sessions[0], 1)
        assert greedy.upload(sessions[2], MEGABYTE - 4096) == 204


def test_pages_of_a_client(server: Server) -> None:
    client = Outsider(server, "10.2.0.1")
    with ExitStack() as pages:

        def open_one(_: int) -> int:
            try:
                pages.enter_context(client.open_page())
            except InvalidStatus as error:
                return error.response.status_code
            return 101

        with ThreadPoolExecutor(8) as threads:
            codes = list(threads.map(open_one, range(MAX_SOCKETS + 10)))
        assert codes.count(101) == MAX_SOCKETS
        assert codes.count(403) == 10
        with Outsider(server, "10.2.0.2").open_page() as page:
            assert page.ping().wait(60)


def test_a_body_that_the_disk_has_no_room_for(server: Server) -> None:
    scene = re.search(rb'"id":"([0-9a-f]+)"', server.get("/api/scenes"))
    assert scene is not None
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    body = out.getvalue()
    assert MAX_FILE < len(body) < MEGABYTE
    address = f"/api/localize/{scene.group(1).decode()}?q=red"
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = server.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert answer.split(b" ", 2)[1] == b"507", answer[:500]
    assert b"largest allowed file size" in answer
    assert b"/" not in answer.partition(b"\r\n\r\n")[2]
    assert b" 200 OK" in server.get("/api/search?q=red").splitlines()[0]
