"""Shared state of routes and pages: catalogue, encoder, searcher, scenes, heat maps.

Each object is loaded once, at its first use; a failed load raises, and the next use tries again.
Scenes and heat maps have opaque ids, so that no URL contains a file path.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from terraseek.errors import CatalogueNotFoundError, SceneError
from terraseek_app.server.settings import Settings

if TYPE_CHECKING:
    from terraseek.catalogue import Catalogue, Points
    from terraseek.encoders.base import Encoder
    from terraseek.localization import HeatMap
    from terraseek.search import Searcher
    from terraseek.tiles.density import DensityIndex
    from terraseek.tiles.item_tiles import ItemTiles

__all__ = [
    "Shared",
    "add_heat",
    "add_scene",
    "catalogue",
    "density",
    "encoder",
    "encoder_if_loaded",
    "example_scenes",
    "heat",
    "item_tiles",
    "points",
    "remove_heats",
    "remove_scene",
    "reset",
    "scene_path",
    "searcher",
    "settings",
    "shared",
]

Loaded = TypeVar("Loaded")

MAX_HEAT_MAPS = 64
"""Heat maps kept for display and download; the oldest are dropped first."""
SCENE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2")
"""File suffixes of example scenes."""


@dataclass
class Shared:
    """The loaded objects of this process."""

    settings: Settings
    """Settings of the server."""
    loaded: dict[str, object] = field(default_factory=dict)
    """Loaded objects by name."""
    scenes: dict[str, Path] = field(default_factory=dict)
    """File of each scene by id."""
    heat_maps: "OrderedDict[str, HeatMap]" = field(default_factory=OrderedDict)
    """Heat maps by id, the oldest first."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while an object is loaded."""

    def load_once(self, name: str, load: Callable[[], Loaded]) -> Loaded:
        """Return the object with this name; the first call loads it, others wait meanwhile."""
        with self.lock:
            if name not in self.loaded:
                self.loaded[name] = load()
            return self.loaded[name]  # type: ignore[return-value]  # stored by the line above


_shared: Shared | None = None
_shared_lock = threading.Lock()


def shared() -> Shared:
    """The shared state of this process; its settings come from the environment."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Shared(Settings.from_env())
        return _shared


def reset(settings: Settings | None = None) -> Shared:
    """Replace the shared state by an empty one with `settings`, or those of the environment."""
    global _shared
    with _shared_lock:
        _shared = Shared(settings or Settings.from_env())
        return _shared


def settings() -> Settings:
    """The settings of this process."""
    return shared().settings


def catalogue() -> "Catalogue":
    """The served catalogue.

    Raises:
        CatalogueNotFoundError: no catalogue is configured, or its folder is none.
    """
    from terraseek.catalogue import Catalogue

    path = settings().catalogue
    if path is None:
        raise CatalogueNotFoundError(
            "no catalogue is being served; start with `terraseek serve CATALOGUE`"
        )
    return shared().load_once("catalogue", lambda: Catalogue.open(path))


def encoder() -> "Encoder":
    """The served encoder.

    Raises:
        ModelError: the encoder cannot be loaded.
    """
    from terraseek.encoders.load import load_encoder

    return shared().load_once("encoder", lambda: load_encoder(settings().model))


def encoder_if_loaded() -> "Encoder | None":
    """The served encoder if it is loaded already; None otherwise, without loading it."""
    from terraseek.encoders.base import Encoder

    loaded = shared().loaded.get("encoder")
    return loaded if isinstance(loaded, Encoder) else None


def searcher(model: str = "") -> "Searcher":
    """The searcher of the served catalogue and encoder.

    Args:
        model: name of another model that the catalogue is embedded with, which stays loaded.

    Raises:
        StoreError: the catalogue is not embedded with this encoder.
    """
    from terraseek.search import Searcher

    if model:
        return shared().load_once(f"searcher {model}", lambda: _searcher_with(model))
    return shared().load_once("searcher", lambda: Searcher(catalogue(), encoder()))


def _searcher_with(model: str) -> "Searcher":
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.encoders.load import load_encoder
    from terraseek.search import Searcher

    store = EmbeddingStore.open(catalogue(), model)
    return Searcher(catalogue(), load_encoder(store.manifest.model), store)


def points() -> "Points":
    """Positions of the served catalogue's items."""
    return shared().load_once("located", lambda: catalogue().points())


def density() -> "DensityIndex":
    """Density index over `points`, for tiles and boxes; its indices are positions in `points`."""
    from terraseek.tiles.density import DensityIndex

    located = points()
    return shared().load_once("density", lambda: DensityIndex.build(located.lon, located.lat))


def item_tiles() -> "ItemTiles":
    """Tiles of the served catalogue's images, with the index of their footprints."""
    from terraseek.tiles.footprints import FootprintIndex
    from terraseek.tiles.item_tiles import ItemTiles

    served = catalogue()
    return shared().load_once("item_tiles", lambda: ItemTiles(served, FootprintIndex.build(served)))


def add_scene(path: Path) -> str:
    """Register a raster for the tile routes and return its id; a path always has the same id."""
    path = path.resolve()
    scene_id = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    with shared().lock:
        shared().scenes[scene_id] = path
    return scene_id


def scene_path(scene_id: str) -> Path:
    """File of the scene with this id.

    Raises:
        SceneError: no scene has this id (the server was restarted), or its file was deleted.
    """
    path = shared().scenes.get(scene_id)
    if path is None and any(scene_id == known for known in example_scenes()):
        path = shared().scenes[scene_id]
    if path is None or not path.is_file():
        raise SceneError(f"no open scene has the id {scene_id!r}; choose or upload it again")
    return path


def remove_scene(scene_id: str) -> None:
    """Remove a scene from the tile routes; its file is kept."""
    with shared().lock:
        shared().scenes.pop(scene_id, None)


def example_scenes() -> dict[str, str]:
    """Id and file name of every raster in the folder of example scenes, by name.

    Symbolic links to files outside the folder are left out, so that a folder from elsewhere cannot
    show other files of this computer.
    """
    from terraseek.catalogue.importing.lookup import is_inside

    folder = settings().scenes
    if folder is None:
        return {}
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SCENE_SUFFIXES)
    paths = [path for path in paths if not path.is_symlink() or is_inside(path, folder)]
    return {add_scene(path): path.name for path in paths}


def add_heat(value: "HeatMap") -> str:
    """Keep a heat map for the overlay route and the downloads; returns its id."""
    import secrets

    heat_id = secrets.token_hex(8)
    with shared().lock:
        heat_maps = shared().heat_maps
        heat_maps[heat_id] = value
        while len(heat_maps) > MAX_HEAT_MAPS:
            heat_maps.popitem(last=False)
    return heat_id


def remove_heats(heat_ids: Iterable[str]) -> None:
    """Drop heat maps that no page shows any more."""
    with shared().lock:
        for heat_id in heat_ids:
            shared().heat_maps.pop(heat_id, None)


def heat(heat_id: str) -> "HeatMap":
    """The heat map with this id.

    Raises:
        SceneError: no heat map has this id, or it was dropped for newer ones.
    """
    with shared().lock:
        heat_map = shared().heat_maps.get(heat_id)
    if heat_map is None:
        raise SceneError(f"the heat map {heat_id!r} is no longer kept; ask the question again")
    return heat_map
