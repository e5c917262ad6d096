"""Starting the server from the command line: checks first, then Streamlit's own runner."""

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

__all__ = ["ServeOptions", "check", "model_for", "serve", "streamlit_config"]

_ANNOUNCE_S = 120


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What is served, and where."""

    catalogue: Path
    """Folder of the catalogue."""
    model: str
    """Name of the encoder whose vectors are searched."""
    scenes: Path | None = None
    """Folder of example scenes."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens it to the network."""
    port: int = 8501
    """Port of pages, tiles and API."""
    browser: bool = True
    """Whether to open a browser when ready."""
    reload: bool = False
    """Whether edits of the code reach the running app."""
    max_upload_mb: int = 500
    """Largest upload in megabytes."""

    @property
    def address(self) -> str:
        """What a person types into the browser."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def model_for(catalogue: Path, model: str | None) -> str:
    """The encoder to serve: the one asked for, the only one with vectors, or the default."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import store_names
    from terraseek.encoders.registry import DEFAULT_MODEL

    if model:
        return model
    stores = store_names(Catalogue.open(catalogue))
    return stores[0] if len(stores) == 1 else DEFAULT_MODEL


def check(options: ServeOptions) -> None:
    """Fail now, in words, rather than in the browser.

    Raises:
        CatalogueError, StoreError, ModelError: what is served cannot be used.
        ConfigError: the port is taken, or the scene folder is none.
    """
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore

    EmbeddingStore.open(Catalogue.open(options.catalogue), options.model)
    if options.scenes is not None and not options.scenes.is_dir():
        raise ConfigError(f"--scenes {options.scenes} is no folder; name one with rasters")
    if not _is_free(options.host, options.port):
        raise ConfigError(
            f"port {options.port} is taken; stop what uses it or choose another with --port"
        )


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def streamlit_config(options: ServeOptions) -> dict[str, Any]:
    """Streamlit's settings for this product: no telemetry, no watcher, own theme."""
    from terraseek_app.theme import THEME_FILE

    return {
        "server.address": options.host,
        "server.port": options.port,
        "server.headless": True,
        "server.fileWatcherType": "auto" if options.reload else "none",
        "server.runOnSave": options.reload,
        "server.maxUploadSize": options.max_upload_mb,
        # a full collection after every run of a page, a third of a second with torch loaded: pages
        # that watch a job run twice a second, and the encoding thread hardly ever gets the GIL
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",  # its menu holds the theme switch
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": True,
        "theme.base": str(THEME_FILE),
    }


def serve(options: ServeOptions, say: "Callable[[str], None]") -> None:
    """Serve until interrupted.

    Args:
        say: told the address as soon as the server answers.
    """
    check(options)
    os.environ["TERRASEEK_CATALOGUE"] = str(options.catalogue.resolve())
    os.environ["TERRASEEK_MODEL"] = options.model
    os.environ["TERRASEEK_MAX_UPLOAD_MB"] = str(options.max_upload_mb)
    if options.scenes is not None:
        os.environ["TERRASEEK_SCENES"] = str(options.scenes.resolve())
    from terraseek_app.server.app import app

    threading.Thread(target=_announce, args=(options, say), daemon=True).start()
    app.run(config=streamlit_config(options))


def _announce(options: ServeOptions, say: "Callable[[str], None]") -> None:
    until = time.monotonic() + _ANNOUNCE_S
    while time.monotonic() < until:
        try:
            socket.create_connection((_reachable(options.host), options.port), 1).close()
        except OSError:
            time.sleep(0.1)
            continue
        say(f"TerraSeek is at {options.address}   (Ctrl-C stops it)")
        if options.browser:
            webbrowser.open(options.address)
        return


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
