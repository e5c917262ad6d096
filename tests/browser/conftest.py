"""A real server on a small generated catalogue, and a browser that may reach no other host."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # no other host can be reached; intercepting requests instead would be slow and disable caching
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
START_S = 300
COLOURS = {"red": (205, 40, 40), "green": (40, 170, 60), "blue": (45, 70, 210)}
CITIES = {
    "Paris": (2.35, 48.86),
    "Berlin": (13.40, 52.52),
    "Rome": (12.50, 41.90),
    "Madrid": (-3.70, 40.42),
    "Cairo": (31.24, 30.04),
    "Lagos": (3.39, 6.45),
    "Delhi": (77.21, 28.61),
    "Tokyo": (139.69, 35.69),
    "Sydney": (151.21, -33.87),
    "Lima": (-77.04, -12.05),
    "Houston": (-95.37, 29.76),
    "Suva": (178.44, -18.14),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder as browser tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _chip(colour: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-18, 18, (48, 48, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV with 36 coloured chips: one of each colour at each of twelve cities."""
    folder = tmp_path_factory.mktemp("source")
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "label", "lat", "lon", "gsd_m", "captured_at"])
        for row, (city, (lon, lat)) in enumerate(CITIES.items()):
            for column, (name, colour) in enumerate(COLOURS.items()):
                file = f"{city.lower()}_{name}.png"
                Image.fromarray(_chip(colour, 10 * row + column)).save(folder / file)
                place = (lat + 0.05 * column, lon + 0.05 * column)
                day = f"2020-0{column + 1}-{row + 1:02d}"
                table.writerow([file, f"a {name} field near {city}", name, *place, 0.5, day])
    return folder / "items.csv"


@pytest.fixture(scope="session")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One georeferenced scene with a red square, UTM zone 31, and an image without a place."""
    import rasterio
    from affine import Affine

    folder = tmp_path_factory.mktemp("scenes")
    pixels = np.full((3, 1024, 1024), 60, np.uint8)
    pixels[1] = 150
    pixels[:, 300:500, 600:800] = np.array(COLOURS["red"], np.uint8)[:, None, None]
    profile = {"driver": "GTiff", "width": 1024, "height": 1024, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": Affine(1, 0, 448_000, 0, -1, 5_412_000)}
    with rasterio.open(folder / "field.tif", "w", **profile, **place) as target:
        target.write(pixels)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / "plain.png")
    return folder


@pytest.fixture(scope="session")
def served_catalogue(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chips imported and embedded with FakeEncoder, which knows colours."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder

    out = tmp_path_factory.mktemp("catalogue") / "cities"
    import_source(source, out, name="cities")
    embed_catalogue(Catalogue.open(out), load_encoder("fake"))
    return out


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A free port."""

    def find() -> int:
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port: int = trial.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def start_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[list[str], int], str]]:
    """Start a server's process on a port; gives its address; stopped after the session."""
    running: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], port: int) -> str:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        env = os.environ | {
            "TERRASEEK_HOME": str(tmp_path_factory.mktemp("serverhome")),
            "TERRASEEK_UPLOADS": str(tmp_path_factory.mktemp("uploads")),
            "OMP_NUM_THREADS": "1",
        }
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, *command], stdout=out, stderr=out, env=env)
        running.append(process)
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, process, log)
        return address

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def start_server(
    start_process: Callable[[list[str], int], str], free_port: Callable[[], int]
) -> Callable[[list[str]], str]:
    """Start `terraseek ...` on a free port; gives the address."""

    def start(arguments: list[str]) -> str:
        port = free_port()
        command = ["-c", "from terraseek.cli import main; main()", *arguments]
        return start_process([*command, "--port", str(port), "--no-browser"], port)

    return start


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"the server stopped: {log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server did not answer in {START_S} s: {log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def server(
    start_server: Callable[[list[str]], str], served_catalogue: Path, scenes_folder: Path
) -> str:
    """Address of a server with the twelve cities and two scenes."""
    return start_server(["serve", str(served_catalogue), "--scenes", str(scenes_folder)])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, drawing in software."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def _record_error(message: Any, errors: list[str]) -> None:
    # on a deep link, Streamlit first requests its files below the page's address, which gives 404
    if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
        errors.append(message.text)


@pytest.fixture(scope="session")
def window(chromium: Any) -> Any:
    """The browser context of all pages; shared, so that the app's files are loaded only once."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="dark",
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(60_000)
    return context


@pytest.fixture
def browse(window: Any) -> Iterator[Callable[[str], Any]]:
    """`browse(address)` opens a page of a server; a request to another host, or an error in the
    console, fails the test at its end."""
    opened: list[Any] = []
    other_hosts: list[str] = []
    errors: list[str] = []

    def browse_to(address: str) -> Any:
        host = urlsplit(address).netloc

        def check_host(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts.netloc != host:
                other_hosts.append(request.url)

        page = window.new_page()
        opened.append(page)
        page.on("request", check_host)
        page.on("console", lambda message: _record_error(message, errors))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield browse_to
    for page in opened:
        page.close()
    window.clear_cookies()
    assert other_hosts == [], "the page asked other hosts"
    assert errors == [], "the browser's console has errors"


@pytest.fixture
def page(browse: Callable[[str], Any], server: str) -> Any:
    """A page on the server with the twelve cities; see `browse` for what fails it."""
    return browse(server)


@pytest.fixture
def map_state() -> Callable[..., Any]:
    """`map_state(page, key)` reads a map's state; a third argument, like "s => s.hits === 3",
    waits for it."""

    def read(page: Any, key: str, until: str = "s => true", timeout: float = 90_000) -> Any:
        page.wait_for_function(
            "([key, until]) => { const w = window.__terraseek?.[key];"
            " return w && w.state.idle && eval(until)(w.state); }",
            arg=[key, until],
            timeout=timeout,
        )
        return page.evaluate("key => window.__terraseek[key].state", key)

    return read
