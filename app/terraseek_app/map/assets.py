"""Files of the map component: its JavaScript, and MapLibre GL from the package `maplibre`."""

from pathlib import Path

from terraseek.errors import MissingExtraError

__all__ = ["MEDIA_TYPES", "asset_path", "is_maplibre", "maplibre_folder", "read_asset"]

_STATIC = Path(__file__).parent / "static"
_MAPLIBRE = ("maplibre-gl.js", "maplibre-gl.css")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
"""Suffix -> media type of the files that are served."""


def maplibre_folder() -> Path:
    """Folder of MapLibre GL in the package `maplibre`.

    Raises:
        MissingExtraError: the package is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("maplibre")
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "the map's JavaScript is not installed; run: pip install 'terraseek[app]'"
        )
    return Path(spec.origin).parent / "srcjs"


def is_maplibre(name: str) -> bool:
    """Whether a file belongs to MapLibre GL."""
    return name in _MAPLIBRE


def asset_path(name: str) -> Path | None:
    """Path of a file by its name; None if there is no such file.

    Raises:
        MissingExtraError: the file belongs to MapLibre GL, which is not installed.
    """
    if is_maplibre(name):
        return maplibre_folder() / name
    known = {path.name: path for path in _STATIC.iterdir() if path.suffix in MEDIA_TYPES}
    return known.get(name)


def read_asset(name: str) -> str:
    """Text of a file.

    Raises:
        MissingExtraError: the file is not installed.
    """
    path = asset_path(name)
    if path is None or not path.is_file():
        raise MissingExtraError(f"{name} is not installed; run: pip install 'terraseek[app]'")
    return path.read_text("utf-8")
