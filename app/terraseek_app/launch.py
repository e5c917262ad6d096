"""Start the server from the command line: check the settings, then run Streamlit's server."""

import os
import socket
import threading
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ServeOptions", "check", "is_port_free", "model_for", "serve", "streamlit_config"]

_START_TIMEOUT_S = 120
"""How long to wait for the server to accept connections before its address is printed."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What is served, and where."""

    catalogue: Path
    """Folder of the catalogue."""
    model: str
    """Name of the encoder whose embeddings are searched."""
    scenes: Path | None = None
    """Folder of example scenes."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens it to the network."""
    port: int = 8501
    """Port of pages, tiles and API."""
    browser: bool = True
    """Whether to open a browser when the server is ready."""
    reload: bool = False
    """Whether pages are rerun when their code changes."""
    max_upload_mb: int = 500
    """Largest upload in megabytes."""

    @property
    def address(self) -> str:
        """URL to open in a browser on this machine."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def model_for(catalogue: Path, model: str | None) -> str:
    """Choose the encoder: `model` if given, else the only one with embeddings, else the default."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import store_names
    from terraseek.encoders.registry import DEFAULT_MODEL

    if model:
        return model
    stores = store_names(Catalogue.open(catalogue))
    return stores[0] if len(stores) == 1 else DEFAULT_MODEL


def check(options: ServeOptions) -> None:
    """Check that the server can start, so that problems appear on the command line.

    Raises:
        CatalogueError, StoreError, ModelError: the catalogue, its embeddings or the encoder cannot
            be used.
        ConfigError: the port is in use, or the scene folder does not exist.
    """
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore

    EmbeddingStore.open(Catalogue.open(options.catalogue), options.model)
    if options.scenes is not None and not options.scenes.is_dir():
        raise ConfigError(f"--scenes {options.scenes} is not a folder; give a folder of rasters")
    if not is_port_free(options.host, options.port):
        raise ConfigError(
            f"port {options.port} is in use; stop the program that uses it, or choose another "
            "port with --port"
        )


def is_port_free(host: str, port: int) -> bool:
    """Whether a server could listen on this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def streamlit_config(options: ServeOptions) -> dict[str, Any]:
    """Streamlit's settings: no telemetry, no file watcher unless asked for, TerraSeek's theme."""
    from terraseek_app.theme import THEME_FILE

    return {
        "server.address": options.host,
        "server.port": options.port,
        "server.headless": True,
        "server.fileWatcherType": "auto" if options.reload else "none",
        "server.runOnSave": options.reload,
        "server.maxUploadSize": options.max_upload_mb,
        # off: a full garbage collection after every run takes a third of a second with torch
        # loaded; pages that watch a job run twice a second and would keep the GIL from its thread
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",  # its menu holds the theme switch
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": True,
        "theme.base": str(THEME_FILE),
    }


def serve(options: ServeOptions, log: "Callable[[str], None]") -> None:
    """Serve until interrupted.

    Args:
        options: what is served, and where.
        log: called with a line of text once the server accepts connections.

    Raises:
        TerraSeekError: see `check`.
    """
    from terraseek_app.server.settings import Settings

    check(options)
    os.environ["TERRASEEK_CATALOGUE"] = str(options.catalogue.resolve())
    os.environ["TERRASEEK_MODEL"] = options.model
    os.environ["TERRASEEK_MAX_UPLOAD_MB"] = str(options.max_upload_mb)
    if options.scenes is not None:
        os.environ["TERRASEEK_SCENES"] = str(options.scenes.resolve())
    Settings.from_env()  # a wrong setting stops the start, not the first request
    _share_cores()
    from terraseek_app.asgi import app
    from terraseek_app.server.middleware.slow_clients import limit_slow_clients

    limit_slow_clients()
    threading.Thread(target=_announce, args=(options, log), daemon=True).start()
    app.run(config=streamlit_config(options))


def _share_cores() -> None:
    """Leave a core for searches while scenes are encoded; must be called before torch is loaded.

    Threads of OpenMP that wait by spinning, or that are more than the cores, would take the time of
    the threads that answer searches. Settings of the user come first.
    """
    from terraseek_app.server.work_queue import THREADS_PER_WORKER

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS_PER_WORKER))


def _announce(options: ServeOptions, log: "Callable[[str], None]") -> None:
    """Print the address, and open a browser, once the server accepts connections."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((_local_host(options.host), options.port), 1).close()
        except OSError:
            time.sleep(0.1)
            continue
        log(f"TerraSeek is at {options.address}   (Ctrl-C stops it)")
        if options.browser:
            webbrowser.open(options.address)
        return


def _local_host(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
