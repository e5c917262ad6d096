"""What routes and pages share: one catalogue, one encoder, open scenes, heat maps.

Everything is loaded when first asked for, once, whoever asks; a load that fails raises in the
caller and is tried again by the next one. Scenes and heat maps are known by ids that say nothing
about where they lie, so that no URL ever holds a path.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
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
    "points",
    "remove_scene",
    "reset",
    "scene_path",
    "searcher",
    "settings",
    "shared",
]

Loaded = TypeVar("Loaded")

HEATS_KEPT = 32
"""Heat maps held for display and download; the oldest go first."""
SCENE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2")


@dataclass
class Shared:
    """The one holder of loaded things in this process."""

    settings: Settings
    loaded: dict[str, object] = field(default_factory=dict)
    scenes: dict[str, Path] = field(default_factory=dict)
    heats: "OrderedDict[str, HeatMap]" = field(default_factory=OrderedDict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def once(self, name: str, load: Callable[[], Loaded]) -> Loaded:
        """What `load` gave the first time; callers that come meanwhile wait for it."""
        with self.lock:
            if name not in self.loaded:
                self.loaded[name] = load()
            return self.loaded[name]  # type: ignore[return-value]  # stored by the line above


_shared: Shared | None = None
_shared_lock = threading.Lock()


def shared() -> Shared:
    """The holder of this process, made from the environment when first asked for."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Shared(Settings.from_env())
        return _shared


def reset(settings: Settings | None = None) -> Shared:
    """Forget everything loaded and start again with `settings`, or with the environment."""
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
        CatalogueNotFoundError: none is set, or there is none at that path.
    """
    from terraseek.catalogue import Catalogue

    path = settings().catalogue
    if path is None:
        raise CatalogueNotFoundError(
            "no catalogue is being served; start with `terraseek serve CATALOGUE`"
        )
    return shared().once("catalogue", lambda: Catalogue.open(path))


def encoder() -> "Encoder":
    """The encoder all queries use."""
    from terraseek.encoders.load import load_encoder

    return shared().once("encoder", lambda: load_encoder(settings().model))


def encoder_if_loaded() -> "Encoder | None":
    """The encoder, if anybody has asked for it yet; nobody is made to wait for its weights."""
    from terraseek.encoders.base import Encoder

    found = shared().loaded.get("encoder")
    return found if isinstance(found, Encoder) else None


def searcher() -> "Searcher":
    """The search over the served catalogue with the served encoder."""
    from terraseek.search import Searcher

    return shared().once("searcher", lambda: Searcher(catalogue(), encoder()))


def points() -> "Points":
    """Places of the served catalogue's items, looked up once."""
    return shared().once("located", lambda: catalogue().points())


def density() -> "DensityIndex":
    """The same places in an order that answers tiles and boxes; positions are those of `points`."""
    from terraseek.tiles.density import DensityIndex

    found = points()
    return shared().once("density", lambda: DensityIndex.build(found.lon, found.lat))


def add_scene(path: Path) -> str:
    """Make a raster known to the tile routes; the same path always has the same id."""
    path = path.resolve()
    scene_id = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    with shared().lock:
        shared().scenes[scene_id] = path
    return scene_id


def scene_path(scene_id: str) -> Path:
    """Where the scene with this id lies.

    Raises:
        SceneError: no scene has this id (the server may have been restarted), or its file is gone.
    """
    path = shared().scenes.get(scene_id)
    if path is None and any(scene_id == known for known in example_scenes()):
        path = shared().scenes[scene_id]
    if path is None or not path.is_file():
        raise SceneError(f"no open scene has the id {scene_id!r}; choose or upload it again")
    return path


def remove_scene(scene_id: str) -> None:
    """Forget a scene; its file is left alone."""
    with shared().lock:
        shared().scenes.pop(scene_id, None)


def example_scenes() -> dict[str, str]:
    """Id and file name of every raster in the folder of example scenes, by name.

    Links that lead out of the folder are left out: whoever made it must not choose which files of
    this computer are shown.
    """
    from terraseek.catalogue.importing.lookup import is_inside

    folder = settings().scenes
    if folder is None:
        return {}
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SCENE_SUFFIXES)
    paths = [path for path in paths if not path.is_symlink() or is_inside(path, folder)]
    return {add_scene(path): path.name for path in paths}


def add_heat(value: "HeatMap") -> str:
    """Keep a heat map for the overlay route and the downloads; gives its id."""
    import secrets

    heat_id = secrets.token_hex(8)
    with shared().lock:
        heats = shared().heats
        heats[heat_id] = value
        while len(heats) > HEATS_KEPT:
            heats.popitem(last=False)
    return heat_id


def heat(heat_id: str) -> "HeatMap":
    """The heat map with this id.

    Raises:
        SceneError: none has it, or it was dropped for newer ones.
    """
    with shared().lock:
        found = shared().heats.get(heat_id)
    if found is None:
        raise SceneError(f"the heat map {heat_id!r} is no longer kept; ask the question again")
    return found
