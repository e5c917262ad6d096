"""Checks of the installation: packages, GDAL, device, models, disk and map."""

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.registry import DEFAULT_MODEL, list_models, user_folder
from terraseek.encoders.weight_files import find_weights, verify
from terraseek.errors import MissingExtraError, ModelError, TerraSeekError
from terraseek.files import home
from terraseek.version import __version__

__all__ = ["Check", "run_checks"]

Status = Literal["ok", "warn", "broken"]
_GIGABYTE = 1 << 30
_LOW_DISK, _NO_DISK = 2 * _GIGABYTE, _GIGABYTE // 5
# distribution, module to import, extra; a missing package of the app is only a warning
_PACKAGES = (
    ("torch", "torch", "core"),
    ("torchvision", "torchvision", "core"),
    ("open_clip_torch", "open_clip", "core"),
    ("faiss-cpu", "faiss", "core"),
    ("rasterio", "rasterio", "core"),
    ("duckdb", "duckdb", "core"),
    ("geopandas", "geopandas", "core"),
    ("streamlit", "streamlit", "app"),
    ("starlette", "starlette", "app"),
)
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check."""

    name: str
    status: Status
    found: str
    """What was found."""
    advice: str = ""
    """What to do; empty if the status is ok."""


def run_checks() -> list[Check]:
    """Run all checks, in the order in which they are printed."""
    return [
        _python(),
        Check("terraseek", "ok", __version__),
        *(_package(*package) for package in _PACKAGES),
        _gdal(),
        _device(),
        *_models(),
        _encoder(),
        _home_writable(),
        _disk(),
        _basemap(),
        _map_javascript(),
        _chromium(),
    ]


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Check("python", "ok", found)
    return Check("python", "warn", found, "TerraSeek is tested with Python 3.11, 3.12 and 3.13")


def _package(distribution: str, module: str, extra: str) -> Check:
    try:
        import_module(module)
        return Check(distribution, "ok", metadata.version(distribution))
    except ModuleNotFoundError as error:
        if error.name != module:
            return Check(distribution, "broken", f"does not import: {error}", _REINSTALL)
        if extra == "app":
            return Check(distribution, "warn", "not installed", "pip install 'terraseek[app]'")
        return Check(distribution, "broken", "not installed", _REINSTALL)
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: torch and torchvision
        return Check(distribution, "broken", f"does not import: {error}", _REINSTALL)


_REINSTALL = "install again in a fresh environment: make clean setup"


def _gdal() -> Check:
    try:
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.warp import transform
    except ImportError as error:
        return Check("gdal", "broken", str(error), _REINSTALL)
    try:
        # often the PROJ database of another installation is used, which only a transform reveals
        [lon], [lat] = transform("EPSG:32633", "EPSG:4326", [500000], [0])
    except RasterioError as error:
        return Check("gdal", "broken", str(error), "unset PROJ_LIB, PROJ_DATA and GDAL_DATA")
    correct = abs(lon - 15) < 1e-6 and abs(lat) < 1e-6
    found = f"{rasterio.__gdal_version__}, projections {'work' if correct else 'are wrong'}"
    advice = "" if correct else "unset PROJ_LIB, PROJ_DATA and GDAL_DATA"
    return Check("gdal", "ok" if correct else "broken", found, advice)


def _device() -> Check:
    try:
        import torch
    except (ImportError, OSError, RuntimeError) as error:
        return Check("device", "broken", f"torch does not import: {error}", _REINSTALL)
    cpu = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads"
    if not torch.cuda.is_available():
        return Check("device", "ok", cpu)
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return Check("device", "ok", f"{names}; {cpu}")


def _models() -> Iterator[Check]:
    cards = list_models()
    for card in cards:
        yield _model(card)
    if DEFAULT_MODEL not in {card.name for card in cards}:
        yield Check(f"model {DEFAULT_MODEL}", "broken", "no model card", _REINSTALL)
    known = {card.name for card in cards}
    for path in sorted(user_folder().glob("[!.]*.json")):
        if path.stem not in known:
            advice = "correct the card, or remove it"
            yield Check(f"model {path.stem}", "warn", f"unreadable card {path}", advice)


def _model(card: ModelCard) -> Check:
    name = f"model {card.name}"
    if find_weights(card) is None:
        if card.name == DEFAULT_MODEL:
            return Check(name, "broken", "weights are missing", _REINSTALL)
        return Check(name, "ok", "weights not on this machine")
    try:
        weights = verify(card)
    except ModelError as error:
        return Check(name, "broken", str(error), f"get the weights of {card.name} again")
    size = weights.path.stat().st_size / 1e6
    return Check(name, "ok", f"{size:.1f} MB, sha256 {weights.sha256[:12]}…")


def _encoder() -> Check:
    """Check that the default model encodes a text and an image."""
    import numpy as np

    from terraseek.encoders.load import load_encoder

    started = time.perf_counter()
    try:
        encoder = load_encoder()
        text = encoder.encode_texts(["an airport"])
        image = encoder.encode_images([np.full((64, 64, 3), 127, np.uint8)])
    except TerraSeekError as error:
        return Check("encoder", "broken", str(error), "see the model above")
    except (ImportError, OSError, RuntimeError) as error:
        return Check("encoder", "broken", f"{type(error).__name__}: {error}", _REINSTALL)
    seconds = time.perf_counter() - started
    consistent = text.shape == image.shape
    found = f"{encoder.encoder_id}, {encoder.dim} numbers a vector, ready in {seconds:.1f} s"
    return Check(
        "encoder", "ok" if consistent else "broken", found, "" if consistent else _REINSTALL
    )


def _existing_parent(path: Path) -> Path:
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def _home_writable() -> Check:
    folder = _existing_parent(home())
    try:
        with tempfile.TemporaryFile(dir=folder) as handle:
            handle.write(b"terraseek")
    except OSError as error:
        advice = "set TERRASEEK_HOME to a folder you may write to"
        return Check("home", "broken", f"{home()}: {error.strerror}", advice)
    return Check("home", "ok", f"{home()} can be written")


def _disk() -> Check:
    free = shutil.disk_usage(_existing_parent(home())).free
    found = f"{free / _GIGABYTE:.1f} GB free at {home()}"
    if free >= _LOW_DISK:
        return Check("disk", "ok", found)
    advice = "make room, or set TERRASEEK_HOME to another disk"
    return Check("disk", "warn" if free >= _NO_DISK else "broken", found, advice)


def _extra(name: str, find: Callable[[], Path]) -> Check:
    try:
        path = find()
    except MissingExtraError as error:
        return Check(name, "warn", "not installed", str(error))
    if not path.is_file():
        return Check(name, "warn", f"no file {path}", "pip install 'terraseek[app]'")
    return Check(name, "ok", f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")


def _basemap() -> Check:
    from terraseek.tiles.basemap import basemap_file

    return _extra("basemap", basemap_file)


def _map_javascript() -> Check:
    def find() -> Path:
        spec = find_spec("maplibre")
        if spec is None or spec.origin is None:
            raise MissingExtraError("pip install 'terraseek[app]'")
        return Path(spec.origin).parent / "srcjs" / "maplibre-gl.js"

    return _extra("map", find)


def _chromium() -> Check:
    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    return Check("chromium", "ok", found or "not installed; only the browser tests use it")
