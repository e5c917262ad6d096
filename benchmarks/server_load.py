"""Searches of a server under localizations: `python benchmarks/server_load.py [--json]`.

A catalogue and a scene made by code are served in a process of their own. Each round measures
searches and health requests of an idle server, then while `--clients` clients send one localization
after the other, each with windows that are not encoded yet; a refused client tries again when the
response says. The figures are 95th percentiles over all rounds, and the ratio of loaded to idle.
"""

import http.client
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import typer
from common import report
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings import embed_catalogue
from terraseek.encoders.load import load_encoder

_START_S = 300
_WORDS = ("red roofs", "a green field", "ships", "a river", "bare soil", "dark water", "a road")


@dataclass
class Load:
    """Clients that localize until they are stopped."""

    port: int
    scene: str
    statuses: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)
    strides: Iterator[int] = field(default_factory=itertools.count)

    def client(self, number: int) -> None:
        """Send localizations, each with a stride of its own, from one of fifteen addresses."""
        headers = {"X-Forwarded-For": f"10.0.0.{number % 15 + 1}"}
        while not self.stop.is_set():
            stride = 0.2 + next(self.strides) % 7000 / 10_000
            address = f"/api/localize/{self.scene}?q=red&scales=64&stride={stride:.4f}"
            status, retry_after_s = ask(self.port, address, headers)
            self.statuses[status] += 1
            if status != 200:
                self.stop.wait(retry_after_s)


def request(port: int, address: str) -> int:
    """Status of a GET; 0 if the connection fails."""
    return ask(port, address, {})[0]


def ask(port: int, address: str, headers: dict[str, str]) -> tuple[int, int]:
    """Status of a GET, and the seconds of its `Retry-After`; 0 if the connection fails."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        client.request("GET", address, headers=headers)
        answer = client.getresponse()
        answer.read()
        return answer.status, int(answer.headers.get("Retry-After", 1))
    except OSError:
        return 0, 1
    finally:
        client.close()


def seconds(port: int, address: str) -> float:
    """Wall time of a GET that must be answered with 200."""
    began = time.perf_counter()
    status = request(port, address)
    if status != 200:
        raise RuntimeError(f"{address} has status {status}")
    return time.perf_counter() - began


def measure(port: int, count: int, queries: Iterator[int]) -> tuple[list[float], list[float]]:
    """Seconds of searches, none asked before, and of health requests between them."""
    searches, waits = [], []
    for _ in range(count):
        number = next(queries)
        words = f"{_WORDS[number % len(_WORDS)]} {number}".replace(" ", "+")
        searches.append(seconds(port, f"/api/search?q={words}&k=24"))
        waits.append(seconds(port, "/api/health"))
    return searches, waits


@contextmanager
def served(model: str, chips: int, side: int) -> Iterator[tuple[int, str]]:
    """Serve a catalogue of noise; yields the port and the id of its scene."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("chips", "scenes"):
            (folder / part).mkdir()
        for number in range(chips):
            pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "chips" / f"{number}.png", compress_level=1)
        pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "scenes" / "noise.png", compress_level=1)
        import_source(folder / "chips", folder / "cat", name="noise")
        embed_catalogue(Catalogue.open(folder / "cat"), load_encoder(model))
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port: int = trial.getsockname()[1]
        serve = ["-c", "from terraseek.cli import main; main()", "serve", str(folder / "cat")]
        options = ["--model", model, "--scenes", str(folder / "scenes"), "--port", str(port)]
        command = [sys.executable, *serve, *options, "--no-browser"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                wait_for(port)
                yield port, scene_id(port)
            finally:
                process.kill()


def wait_for(port: int) -> None:
    """Wait until the server has loaded everything."""
    deadline = time.monotonic() + _START_S
    while request(port, "/api/health") != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server has not started in {_START_S} s")
        time.sleep(0.5)


def scene_id(port: int) -> str:
    """Id of the served scene."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("GET", "/api/scenes")
    found: str = json.loads(client.getresponse().read())["scenes"][0]["id"]
    client.close()
    return found


def main(
    model: str = typer.Option("terraseek-tiny", help="Encoder."),
    clients: int = typer.Option(45, help="Clients that localize."),
    rounds: int = typer.Option(3, help="Times that idle and loaded alternate."),
    searches: int = typer.Option(40, help="Searches of each phase of a round."),
    chips: int = typer.Option(64, help="Images of the catalogue."),
    side: int = typer.Option(1600, help="Pixels of a side of the scene."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Compare searches of a loaded server with those of an idle one."""
    idle: list[float] = []
    loaded: list[float] = []
    idle_health: list[float] = []
    health: list[float] = []
    statuses: Counter[int] = Counter()
    queries = itertools.count()
    with served(model, chips, side) as (port, scene):
        measure(port, 5, queries)
        for _ in range(rounds):
            times = measure(port, searches, queries)
            idle += times[0]
            idle_health += times[1]
            load = Load(port, scene)
            threads = [threading.Thread(target=load.client, args=(n,)) for n in range(clients)]
            for thread in threads:
                thread.start()
            time.sleep(2)
            times = measure(port, searches, queries)
            loaded += times[0]
            health += times[1]
            load.stop.set()
            for thread in threads:
                thread.join()
            statuses += load.statuses

    def p95(values: list[float]) -> float:
        return float(np.quantile(values, 0.95))

    figures: dict[str, float | int | str] = {
        "search idle p50 (s)": float(np.median(idle)),
        "search idle p95 (s)": p95(idle),
        "search loaded p50 (s)": float(np.median(loaded)),
        "search loaded p95 (s)": p95(loaded),
        "ratio of p95": p95(loaded) / p95(idle),
        "health idle p95 (s)": p95(idle_health),
        "health loaded p95 (s)": p95(health),
        "health loaded max (s)": max(health),
        "localizations answered": statuses[200],
        "localizations refused (429, 503)": statuses[429] + statuses[503],
    }
    report(f"{clients} clients localize, {model}", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
