"""Scenes: rasters and images with size, transform, CRS and ground sample distance.

Windows are read as 8-bit RGB with a mask of valid pixels; files that cannot be used are refused.
"""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names

if TYPE_CHECKING:
    from terraseek.scenes.georef import Georef
    from terraseek.scenes.limits import SceneLimits
    from terraseek.scenes.scene import Scene

__all__ = ["Georef", "Scene", "SceneLimits"]

_MODULES = {
    "Georef": "terraseek.scenes.georef",
    "Scene": "terraseek.scenes.scene",
    "SceneLimits": "terraseek.scenes.limits",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
