"""Servers that the browser benchmark starts and stops, and their memory."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Server", "empty_server", "terraseek_server", "warm_up"]

_START_S = 300
_EMPTY_PAGE = """
import streamlit as st
st.session_state.n = st.session_state.get("n", 0) + st.button("more")
st.text(f"pressed {st.session_state.n}")
"""


@dataclass(frozen=True)
class Server:
    """A server's process that accepts connections."""

    address: str
    """Its URL."""
    process: subprocess.Popen[bytes]
    """The process."""
    started: float
    """Time at which the process was started, of `time.perf_counter`."""

    def memory_mib(self) -> float:
        """Resident memory in MiB (Linux)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_s(self) -> float:
        """Seconds of processor time used so far, of all threads (Linux)."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def empty_server(folder: Path) -> Iterator[Server]:
    """Serve a Streamlit page with one button and one text, to compare with."""
    script = folder / "empty.py"
    script.write_text(_EMPTY_PAGE, encoding="utf-8")
    command = ["-m", "streamlit", "run", str(script), "--server.headless", "true"]
    with _served([*command, "--browser.gatherUsageStats", "false", "--server.port"], folder) as one:
        yield one


@contextmanager
def terraseek_server(
    catalogue: Path, scenes: Path | None, model: str, folder: Path
) -> Iterator[Server]:
    """Run `terraseek serve`; its log is written to `folder`."""
    serve = ["-c", "from terraseek.cli import main; main()", "serve", str(catalogue)]
    options = ["--model", model, "--no-browser"]
    options += [] if scenes is None else ["--scenes", str(scenes)]
    with _served([*serve, *options, "--port"], folder) as one:
        yield one


@contextmanager
def _served(command: list[str], folder: Path) -> Iterator[Server]:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = int(trial.getsockname()[1])
    log, began = folder / f"{port}.log", time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *command, str(port)], stdout=out, stderr=out)
    try:
        while not _accepts(port):
            if process.poll() is not None or time.perf_counter() - began > _START_S:
                raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield Server(f"http://127.0.0.1:{port}", process, began)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _accepts(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def warm_up(server: Server) -> None:
    """Let a server load all that a search needs; an encoder may be compiled the first time."""
    for words in ("a river", "red roofs"):
        address = f"{server.address}/api/search?q={words.replace(' ', '+')}&k=24"
        with urllib.request.urlopen(address, timeout=_START_S) as answer:
            answer.read()
