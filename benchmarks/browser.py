"""Waiting times in the browser: `python benchmarks/browser.py [CATALOGUE] [--scenes FOLDER]`.

Serves a catalogue (without one, noise made by code, `--items` of it) and drives Chromium. Each
figure is the time in the page from a key or click until what the user waits for is there: images
that are decoded, heat that the map draws. Each repetition is followed by a press of the button of
an empty Streamlit page, timed in the same way; ratios are to the median of these.

`cold start` is from the start of the process; `usable` is a page whose search field is there,
`images` the results of words that are typed at once, which need the encoder. The first of the
starts is not counted.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import typer
from browser_servers import Server, empty_server, terraseek_server, warm_up
from browser_session import CHROMIUM_ARGUMENTS, Session
from browser_world import make_world
from common import report

from terraseek.encoders.registry import DEFAULT_MODEL

Figures = dict[str, float | int | str]


@dataclass
class Waits:
    """An interaction's waits, and those of the empty page between them, in milliseconds."""

    own: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    server_cpu_ms: float = 0.0
    """Mean processor time of the server for one interaction, with what it does after it."""


def measure(
    session: Session, empty: Session, server: Server, repeats: int, has_scene: bool
) -> dict[str, Waits]:
    """Waits of each interaction, after one that is not counted."""
    out: dict[str, Waits] = {}

    def repeat(name: str, act: Callable[[], float]) -> None:
        act()
        waits, began = Waits(), server.cpu_s()
        for _ in range(repeats):
            waits.own.append(act())
            waits.empty.append(empty.press_empty())
        waits.server_cpu_ms = 1000 * (server.cpu_s() - began) / repeats
        out[name] = waits

    session.open_explore()
    empty.open_empty()
    empty.press_empty()
    repeat("words to images", session.search)
    repeat("hover to mark", session.hover)
    if session.has_filters:
        repeat("filter to images", session.filter)
    repeat("page switch", session.switch)
    if has_scene:
        session.open_localize()
        session.encode_scene()
        repeat("sentence to heat", session.ask_scene)
    session.open_review()
    repeat("review key to next", session.review_next)
    return out


def start_times(new_page: Callable[[], Any], serve: Callable[[], Any], starts: int) -> Figures:
    """Seconds from the start of the server's process until a page is usable, and has images."""
    usable, images = [], []
    for _ in range(starts + 1):
        page = new_page()
        with serve() as server:
            session = Session(page, server.address)
            session.open_explore()
            usable.append(time.perf_counter() - server.started)
            session.search()
            images.append(time.perf_counter() - server.started)
            page.close()
    return {
        "cold start to usable page: median, s": statistics.median(usable[1:]),
        "cold start to usable page: best, s": min(usable),
        "cold start to images: median, s": statistics.median(images[1:]),
    }


def memory_over(session: Session, server: Server, interactions: int) -> Figures:
    """Memory of server and page after a tenth and after all of many interactions of each kind."""
    session.open_explore()
    session.search()
    acts = [session.search, session.hover, session.hover, session.switch, session.switch]
    if session.has_filters:
        acts += [session.filter, session.filter]
    figures: Figures = {}
    for number in range(1, interactions + 1):
        acts[number % len(acts)]()
        if number in (interactions // 10, interactions // 2, interactions):
            figures[f"server after {number} interactions, MiB"] = server.memory_mib()
            figures[f"page after {number} interactions, MiB"] = session.heap_mib()
    return figures


def summary(measured: dict[str, Waits]) -> Figures:
    """Median, quartile, ratio and the server's processor time of each interaction."""
    figures: Figures = {}
    for name, waits in measured.items():
        median = statistics.median(waits.own)
        figures[f"{name}: median, ms"] = median
        figures[f"{name}: lower quartile, ms"] = float(np.quantile(waits.own, 0.25))
        figures[f"{name}: ratio to the empty page"] = median / statistics.median(waits.empty)
        figures[f"{name}: CPU of the server, ms"] = waits.server_cpu_ms
    empty = [one for waits in measured.values() for one in waits.empty]
    figures["empty page: median, ms"] = statistics.median(empty)
    figures["empty page: lower quartile, ms"] = float(np.quantile(empty, 0.25))
    return figures


def main(
    catalogue: Path | None = typer.Argument(None, help="Embedded catalogue; made if left out."),
    scenes: Path | None = typer.Option(None, help="Folder of scenes, the first is asked."),
    model: str = typer.Option(DEFAULT_MODEL, help="Encoder."),
    repeats: int = typer.Option(20, help="Repetitions of each interaction."),
    starts: int = typer.Option(3, help="Starts of the server that are measured; 0: none."),
    interactions: int = typer.Option(0, help="Interactions for the figures of memory."),
    items: int = typer.Option(600, help="Items of the catalogue that is made."),
    side: int = typer.Option(1024, help="Pixels of a side of the scene that is made."),
    keep: Path | None = typer.Option(None, help="Folder that keeps what is made, or has it."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Measure and print the figures."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        if catalogue is None:
            catalogue, scenes = _made(keep or folder / "world", items, side, model)
        served, scene_folder = catalogue, scenes
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_ARGUMENTS)
        )

        def new_page() -> Any:  # noqa: ANN401 - playwright has no types here
            return browser.new_context(viewport={"width": 1440, "height": 900}).new_page()

        def serve() -> Any:  # noqa: ANN401 - a context manager of a Server
            return terraseek_server(served, scene_folder, model, folder)

        figures = start_times(new_page, serve, starts) if starts else Figures()
        with serve() as server, empty_server(folder) as bare:
            warm_up(server)
            session = Session(new_page(), server.address)
            empty = Session(new_page(), bare.address)
            figures |= summary(measure(session, empty, server, repeats, scene_folder is not None))
            if interactions:
                figures |= memory_over(session, server, interactions)
        browser.close()
    report("waiting times in the browser", figures, as_json)


def _made(folder: Path, items: int, side: int, model: str) -> tuple[Path, Path]:
    """Catalogue and scenes in a folder, made unless they are there."""
    if not folder.exists():
        folder.mkdir(parents=True)
        return make_world(folder, items, side, model)
    return folder / "catalogue", folder / "scenes"


if __name__ == "__main__":
    typer.run(main)
