"""Settings, the checks before the start, and the reuse of the demo's parts."""

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers.pmtiles_file import write_pmtiles
from terraseek.errors import CatalogueNotFoundError, ConfigError
from terraseek_app.launch import ServeOptions, check, streamlit_config
from terraseek_app.server.settings import Settings


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    env = {
        "TERRASEEK_CATALOGUE": "/some/cat",
        "TERRASEEK_MODEL": "fake",
        "TERRASEEK_SCENES": str(tmp_path),
        "TERRASEEK_UPLOADS": str(tmp_path / "up"),
        "TERRASEEK_MAX_UPLOAD_MB": "7",
    }
    found = Settings.from_env(env)
    assert (found.catalogue, found.model, found.scenes) == (Path("/some/cat"), "fake", tmp_path)
    assert (found.uploads, found.max_upload_bytes) == (tmp_path / "up", 7 << 20)


def test_empty_settings_are_the_defaults() -> None:
    assert Settings.from_env({"TERRASEEK_MODEL": "", "TERRASEEK_CATALOGUE": ""}) == Settings()


@pytest.mark.parametrize("value", ["0", "-3", "lots", "1.5"])
def test_a_bad_upload_limit_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match="TERRASEEK_MAX_UPLOAD_MB"):
        Settings.from_env({"TERRASEEK_MAX_UPLOAD_MB": value})


def test_a_missing_scene_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone"):
        Settings.from_env({"TERRASEEK_SCENES": str(tmp_path / "gone")})


TILES = "https://tiles.example.org/{z}/{x}/{y}.png"


def test_a_basemap_of_the_operator_needs_its_attribution() -> None:
    env = {"TERRASEEK_BASEMAP": TILES, "TERRASEEK_BASEMAP_ATTRIBUTION": "A licence"}
    found = Settings.from_env(env)
    assert (found.basemap, found.basemap_attribution) == (TILES, "A licence")
    with pytest.raises(ConfigError, match="TERRASEEK_BASEMAP_ATTRIBUTION"):
        Settings.from_env({"TERRASEEK_BASEMAP": TILES})
    with pytest.raises(ConfigError, match="bbox-epsg-3857"):
        Settings.from_env(env | {"TERRASEEK_BASEMAP": "https://tiles.example.org/map.png"})


def test_an_archive_is_a_basemap_with_its_own_attribution(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (256, 256)).save(content, "PNG")
    tiles = {(0, 0, 0): content.getvalue()}
    named = write_pmtiles(
        tmp_path / "named.pmtiles", tiles, attribution="<a href='x'>A &amp; B</a>"
    )
    found = Settings.from_env({"TERRASEEK_BASEMAP": str(named)})
    assert (found.basemap_archive, found.basemap_attribution) == (named.resolve(), "A & B")
    bare = write_pmtiles(tmp_path / "bare.pmtiles", tiles)
    with pytest.raises(ConfigError, match="TERRASEEK_BASEMAP_ATTRIBUTION"):
        Settings.from_env({"TERRASEEK_BASEMAP": str(bare)})
    with pytest.raises(ConfigError, match="no file of this computer"):
        Settings.from_env({"TERRASEEK_BASEMAP": str(tmp_path / "gone.pmtiles")})
    bare.write_bytes(b"PMTiles")
    with pytest.raises(ConfigError, match="cut short"):
        Settings.from_env({"TERRASEEK_BASEMAP": str(bare)})
    assert Settings(basemap=TILES).basemap_archive is None


@pytest.mark.parametrize(("basemap", "allowed"), [("", False), (TILES, True)])
def test_pages_may_load_from_the_host_of_the_basemap_alone(basemap: str, allowed: bool) -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    from terraseek_app.server.middleware.request_guard import RequestGuard

    plain = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))])
    guarded = RequestGuard(plain, allowed_hosts=frozenset, basemap=lambda: basemap)
    policy = TestClient(guarded, "http://localhost").get("/").headers["content-security-policy"]
    (connect,) = [part for part in policy.split("; ") if part.startswith("connect-src")]
    assert ("https://tiles.example.org" in connect.split()) is allowed
    assert policy.count("example.org") == int(allowed)


def test_no_catalogue_stops_the_server_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(CatalogueNotFoundError, match="terraseek import"):
        check(ServeOptions(tmp_path / "nothing", "fake"))


def test_a_taken_port_is_found_before_the_server_starts() -> None:
    from terraseek_app.launch import is_port_free

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_port_free("127.0.0.1", port)
    assert is_port_free("127.0.0.1", port)


def test_server_has_no_telemetry_and_no_file_watcher() -> None:
    config = streamlit_config(ServeOptions(Path("cat"), "fake", max_upload_mb=9))
    assert config["browser.gatherUsageStats"] is False
    assert config["server.fileWatcherType"] == "none"
    assert config["server.maxUploadSize"] == 9
    assert Path(config["theme.base"]).is_file()


def test_garbage_collection_after_runs_is_off() -> None:
    """A full garbage collection after each run keeps the GIL from a scene being encoded."""
    from streamlit import config as known

    config = streamlit_config(ServeOptions(Path("cat"), "fake"))
    assert config["runner.postScriptGC"] is False
    assert known.get_option("runner.postScriptGC") is True  # still its name, and still needed


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("0.0.0.0", "http://localhost:8501"),
        ("fe80::1", "http://[fe80::1]:8501"),
    ],
)
def test_address_can_be_opened_in_a_browser(host: str, address: str) -> None:
    assert ServeOptions(Path("cat"), "fake", host=host).address == address


@pytest.mark.slow
def test_demo_is_built_once_and_rebuilds_only_changed_parts(tmp_path: Path) -> None:
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.files import read_json, write_json
    from terraseek_app.demo import prepare

    stages: list[str] = []
    demo = prepare("fake", 50, tmp_path, lambda stage, done, total: stages.append(stage))
    assert Catalogue.open(demo.catalogue).count == 50
    assert EmbeddingStore.open(Catalogue.open(demo.catalogue), "fake").count == 50
    assert len(list(demo.scenes.glob("*.tif"))) == 3
    assert stages
    world = (demo.world / "demo.json").stat().st_mtime_ns
    vectors = (demo.catalogue / "embeddings" / "fake" / "manifest.json").stat().st_mtime_ns
    stages.clear()
    prepare("fake", 50, tmp_path, lambda stage, done, total: stages.append(stage))
    assert set(stages) <= {"embed"}, "neither drawn nor imported twice, vectors only looked at"
    assert (demo.world / "demo.json").stat().st_mtime_ns == world
    write_json(demo.import_record, {"items": "another world"})
    prepare("fake", 50, tmp_path)
    assert (demo.world / "demo.json").stat().st_mtime_ns == world
    assert Catalogue.open(demo.catalogue).count == 50
    assert read_json(demo.import_record) != {"items": "another world"}
    after = (demo.catalogue / "embeddings" / "fake" / "manifest.json").stat().st_mtime_ns
    assert after > vectors


def test_localizations_leave_a_core_for_searches() -> None:
    code = (
        "import os; os.cpu_count = lambda: int(os.environ['CORES'])\n"
        "from terraseek_app.launch import _share_cores\n"
        "from terraseek_app.server import work_queue\n"
        "_share_cores()\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY'], work_queue._WORKERS)"
    )
    for cores, expected in ((1, "1 passive 1"), (2, "1 passive 1"), (16, "7 passive 2")):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
        env |= {"CORES": str(cores)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected
        threads, _, workers = expected.split()
        assert int(threads) * int(workers) <= max(1, cores - 1)
