"""Downloads from a server on this machine: slow, missing, wrong, large, cut short, redirected."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.corpus_runs import items_of, jpeg, pixels
from terraseek.catalogue import import_source
from terraseek.catalogue.tars import read_range
from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek_train.corpus.download.addresses import connect
from terraseek_train.corpus.download.errors import DownloadError
from terraseek_train.corpus.download.fetch import Fetcher, Limits, _split

IMAGE = jpeg(pixels(5))
HOSTS = ("127.0.0.1",)


class _Handler(BaseHTTPRequestHandler):
    requests: list[tuple[str, float]]

    def do_GET(self) -> None:
        type(self).requests.append((self.path, time.monotonic()))
        name = self.path.partition("?")[0]
        if name == "/robots.txt":
            self._send(b"User-agent: *\nDisallow: /secret/\n", {"Content-Type": "text/plain"})
        elif name.startswith(("/good", "/secret")):
            self._send(IMAGE, {"Content-Type": "image/jpeg"})
        elif name == "/moved.jpg":
            self._send(b"", {"Location": "/good.jpg?from=moved"}, 302)
        elif name == "/loop.jpg":
            self._send(b"", {"Location": "/loop.jpg"}, 302)
        elif name == "/inside.jpg":
            self._send(b"", {"Location": "http://10.0.0.1/x.jpg"}, 302)
        elif name == "/page.jpg":
            self._send(b"<html>", {"Content-Type": "text/html"})
        elif name == "/noai.jpg":
            self._send(IMAGE, {"X-Robots-Tag": "other: noindex, noai"})
        elif name == "/other-agent.jpg":
            self._send(IMAGE, {"X-Robots-Tag": "otherbot: noai"})
        elif name == "/refused.jpg":
            self._send(IMAGE, {"X-Robots-Tag": "noImageAI"})
        elif name == "/stated.jpg":
            self._send(IMAGE, {"Content-Length": "999999999"})
        elif name == "/cut.jpg":
            self._send(IMAGE[:100], {"Content-Length": str(len(IMAGE))})
        elif name == "/slow.jpg":
            self._drip()
        elif name == "/bomb.jpg":
            self._endless()
        else:
            self._send(b"no", {}, 404)

    def _send(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        self._write_until_closed(lambda: (time.sleep(0.1), b"x")[1])

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        self._write_until_closed(lambda: b"x" * 65536)

    def _write_until_closed(self, make: Callable[[], bytes]) -> None:
        try:
            for _ in range(5000):
                self.wfile.write(make())
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    _Handler.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def url(server: ThreadingHTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def fetcher(**limits: object) -> Fetcher:
    defaults: dict[str, object] = {"private_hosts": HOSTS, "max_seconds": 1.0, "interval_s": 0.0}
    return Fetcher(Limits(**{**defaults, "max_bytes": 1_000_000, **limits}))


@pytest.mark.parametrize(
    "path", ["/good.jpg", "/moved.jpg", "/other-agent.jpg", "/good \u00e9.jpg?a=b"]
)
def test_images_are_downloaded(server: ThreadingHTTPServer, path: str):
    assert fetcher().fetch(url(server, path)) == IMAGE


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing.jpg", "http: status 404"),
        ("/loop.jpg", "http: more than 5 redirects"),
        ("/page.jpg", "type: the server sends text/html"),
        ("/refused.jpg", "refused: X-Robots-Tag has noimageai"),
        ("/stated.jpg", "too large: 999999999 bytes stated"),
        ("/bomb.jpg", "too large: above 1000000 bytes"),
        ("/cut.jpg", "cut short"),
        ("/slow.jpg", "too slow"),
        ("/secret/a.jpg", "robots: "),
    ],
)
def test_what_is_no_image_is_refused(server: ThreadingHTTPServer, path: str, message: str):
    started = time.monotonic()
    with pytest.raises(DownloadError, match=message):
        fetcher().fetch(url(server, path))
    assert time.monotonic() - started < 5


def test_robots_is_read_once_and_can_be_ignored(server: ThreadingHTTPServer):
    getter = fetcher()
    for name in ("/good1.jpg", "/good2.jpg"):
        getter.fetch(url(server, name))
    assert [path for path, _ in _Handler.requests] == ["/robots.txt", "/good1.jpg", "/good2.jpg"]
    assert fetcher(robots=False).fetch(url(server, "/secret/a.jpg")) == IMAGE


def test_requests_to_a_host_keep_their_distance(server: ThreadingHTTPServer):
    getter = fetcher(interval_s=0.15, robots=False)
    threads = [
        threading.Thread(target=getter.fetch, args=(url(server, f"/good{n}.jpg"),))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(moment for _, moment in _Handler.requests)
    assert len(times) == 4
    assert times[-1] - times[0] >= 0.4


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.jpg",
        "http://localhost/a.jpg",
        "http://[::1]/a.jpg",
        "http://[::ffff:10.1.2.3]/a.jpg",
        "http://169.254.169.254/latest",
        "http://192.168.1.1/a.jpg",
        "http://0.0.0.0/a.jpg",
        "http://224.0.0.1/a.jpg",
    ],
)
def test_private_addresses_are_refused(address: str):
    with pytest.raises(DownloadError, match="private address"):
        Fetcher(Limits()).fetch(address)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://a.org/x", "nothing", "http://[bad/x", "http://a:9x/"]
)
def test_other_schemes_are_refused(address: str):
    with pytest.raises(DownloadError, match="bad address"):
        Fetcher(Limits()).fetch(address)


def test_a_redirect_to_a_private_address_is_refused(server: ThreadingHTTPServer):
    with pytest.raises(DownloadError, match=r"private address: 10\.0\.0\.1"):
        fetcher().fetch(url(server, "/inside.jpg"))


def test_the_checked_address_is_the_one_connected_to():
    connection = connect(_split("http://localhost:9/x"), 1.0, private_hosts=("localhost",))
    assert connection.address in ("127.0.0.1", "::1")


def test_a_shard_has_the_layout_of_img2dataset(
    run: Callable, server: ThreadingHTTPServer, tmp_path: Path
):
    names = ["/good1.jpg", "/missing.jpg", "/good2.jpg", "/page.jpg", "/moved.jpg"]
    table = pa.table(
        {"url": [*(url(server, n) for n in names), ""], "caption": [f"view {n}" for n in range(6)]}
    )
    pq.write_table(table, tmp_path / "pairs.parquet")
    source = {"name": "web", "path": str(tmp_path / "pairs.parquet"), "kind": "pairs"}
    limits = {"private_hosts": list(HOSTS), "interval_s": 0.0}
    stages = [{"stage": "download", "limits": limits}, {"stage": "broken"}]
    kept = items_of(run([source], stages))
    assert kept["item"].to_pylist() == ["web/0_0", "web/0_2", "web/0_4"]
    for row in kept.to_pylist():
        found = read_range(Path(row["image_file"]), row["image_offset"], row["image_size"])
        assert found == IMAGE

    folder = tmp_path / "corpus/stages/01-download/images"
    assert sorted(p.name for p in folder.iterdir()) == [
        "00000.parquet",
        "00000.tar",
        "00000_stats.json",
    ]
    rows = pq.read_table(folder / "00000.parquet").to_pylist()
    assert [row["status"] for row in rows] == [
        "success",
        "failed_to_download",
        "success",
        "failed_to_download",
        "success",
    ]
    assert rows[1]["error_message"] == "http: status 404"
    assert (rows[0]["key"], rows[0]["width"], rows[0]["height"]) == ("000000000", 48, 48)
    stats = read_json(folder / "00000_stats.json")
    assert (stats["count"], stats["successes"], stats["failed_to_download"]) == (5, 3, 2)
    assert stats["status_dict"]["success"] == 3
    report = import_source(folder / "00000.tar", tmp_path / "catalogue")
    assert (report.added, report.broken) == (3, [])


def test_an_unknown_limit_is_refused(run: Callable):
    with pytest.raises(ConfigError, match="no limit 'speed'"):
        run([{"name": "a", "path": "x"}], [{"stage": "download", "limits": {"speed": 1}}])
