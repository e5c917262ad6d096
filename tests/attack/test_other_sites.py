"""Pages of other sites reach nothing: names that are not the server's, and foreign origins."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from attack.hostile import plain
from terraseek.errors import ConfigError
from terraseek_app.asgi import middleware
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

Serve = Callable[[Path], TestClient]
OWN = ["localhost", "localhost:8501", "127.0.0.1:8501", "[::1]:8501", "192.168.1.7", "LOCALHOST"]
FOREIGN = [
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example/localhost",
    "localhost@evil.example",
    "evil.example, localhost",
    "[::1",
    "",
]
FOREIGN_PAGES = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_server_are_answered(host: str, serve: Serve, tmp_path: Path) -> None:
    client = serve(tmp_path / "scenes")
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("address", ["/api/health", "/api/items/x", "/", "/_stcore/health"])
def test_other_names_are_not(host: str, address: str, serve: Serve, tmp_path: Path) -> None:
    answer = serve(tmp_path / "scenes").get(address, headers={"Host": host})
    assert answer.status_code == 421
    assert "TERRASEEK_ALLOWED_HOSTS" in answer.json()["what"]


def test_configured_names(tmp_path: Path, serve: Serve) -> None:
    client = serve(tmp_path / "scenes")
    named = Settings.from_env({"TERRASEEK_ALLOWED_HOSTS": "Maps.example.org, gis"}).allowed_hosts
    assert named == {"maps.example.org", "gis"}
    old = state.settings()
    state.reset(Settings(old.catalogue, old.model, old.scenes, old.uploads, allowed_hosts=named))
    for host, status in (("maps.example.org", 200), ("GIS:80", 200), ("example.org", 421)):
        assert client.get("/api/health", headers={"Host": host}).status_code == status
    with pytest.raises(ConfigError, match="names without a scheme or port"):
        Settings.from_env({"TERRASEEK_ALLOWED_HOSTS": "https://maps.example.org"})


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
def test_a_post_from_another_page(headers: dict[str, str], serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    scene = client.get("/api/scenes").json()["scenes"][0]["id"]
    image = (tmp_path / "chips" / "a.png").read_bytes()
    answer = client.post(f"/api/localize/{scene}", content=image, headers=headers)
    assert answer.status_code == 403, answer.text
    assert len(state.shared().heat_maps) == 0
    for own in ({}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}):
        assert client.post(f"/api/localize/{scene}", content=image, headers=own).status_code == 200


async def echo(socket: WebSocket) -> None:
    """Accept a WebSocket and greet."""
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.mark.parametrize(
    "headers", [*FOREIGN_PAGES[:-1], {"Host": "evil.example", "Origin": "http://evil.example"}]
)
def test_a_websocket_from_another_page(headers: dict[str, str]) -> None:
    state.reset(Settings())
    app = Starlette(routes=[WebSocketRoute("/stream", echo)], middleware=middleware())
    client = TestClient(app, "http://localhost")
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://localhost/stream", headers=headers),
    ):
        pass
    own = {"Origin": "http://localhost", "Host": "localhost"}
    with client.websocket_connect("ws://localhost/stream", headers=own) as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize("address", ["/api/health", "/api/items/x", "/nothing", "/openapi.json"])
def test_headers_of_every_response(address: str, serve: Serve, tmp_path: Path) -> None:
    headers = serve(tmp_path / "scenes").get(address).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"


READS = ("/api/search?q=red", "/api/points", "/api/scenes", "/tiles/basemap/0/0/0")
FOREIGN_READS = [
    *FOREIGN_PAGES,
    {"Sec-Fetch-Site": "same-site"},
    {"Referer": "https://evil.example/page"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


@pytest.mark.parametrize("headers", FOREIGN_READS)
def test_a_get_from_another_page(headers: dict[str, str], serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    plain(tmp_path / "scenes" / "ground.tif")
    client = serve(tmp_path / "scenes")
    scene = client.get("/api/scenes").json()["scenes"][0]["id"]
    costly = (f"/api/localize/{scene}?q=red", f"/overlays/scene/{scene}.png")
    for address in (*READS, *costly, "/api/heat/x", f"/tiles/scene/{scene}/0/0/0"):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 403, (address, answer.text)
        assert "are refused" in answer.json()["what"]
    assert len(state.shared().heat_maps) == 0
    assert client.get("/api/health", headers=headers).status_code == 200
    own = (
        {},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "http://localhost/review"},
    )
    for headers_of_own_page in own:
        assert client.get("/api/search?q=red", headers=headers_of_own_page).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://maps.example.org", "Sec-Fetch-Site": "cross-site"},
        {"Referer": "https://maps.example.org/", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_configured_site_may_show_pictures(
    headers: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    client = serve(tmp_path / "scenes")
    named = Settings.from_env({"TERRASEEK_ALLOWED_ORIGINS": "https://Maps.example.org/"})
    old = state.settings()
    origins = named.allowed_origins
    state.reset(Settings(old.catalogue, old.model, old.scenes, allowed_origins=origins))
    answer = client.get("/tiles/basemap/0/0/0", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "https://maps.example.org"
    for foreign in FOREIGN_READS:
        refused = client.get("/tiles/basemap/0/0/0", headers=foreign)
        assert refused.status_code == 403
        assert refused.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in refused.headers
    assert client.post("/api/localize/x", content=b"x", headers=headers).status_code == 403
    with pytest.raises(ConfigError, match="without a path"):
        Settings.from_env({"TERRASEEK_ALLOWED_ORIGINS": "maps.example.org"})
