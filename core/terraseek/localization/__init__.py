"""Localization: where in a scene a sentence is true, as heat maps, regions and SeLo measures.

Start reading at `api`. A method is one file of `methods` behind the interface in `methods.base`;
`significance` decides whether a heat map is significant.
"""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names

if TYPE_CHECKING:
    from terraseek.localization.api import embed_scene, localize, localize_many
    from terraseek.localization.heatmap import HeatMap, Peak
    from terraseek.localization.methods.registry import METHODS
    from terraseek.localization.metrics import SeLoScore, selo_metrics
    from terraseek.localization.options import LocalizeOptions
    from terraseek.localization.output.cog import write_cog
    from terraseek.localization.output.geojson import regions_geojson, write_regions
    from terraseek.localization.output.numbers import map_numbers, summary
    from terraseek.localization.output.overlay import overlay
    from terraseek.localization.output.regions import Region, regions
    from terraseek.localization.query import ImageQuery, LocalizeQuery
    from terraseek.localization.stability import Stability
    from terraseek.localization.windows.embedding import SceneEmbedding
    from terraseek.localization.windows.lattice import Lattice

__all__ = [
    "METHODS",
    "HeatMap",
    "ImageQuery",
    "Lattice",
    "LocalizeOptions",
    "LocalizeQuery",
    "Peak",
    "Region",
    "SceneEmbedding",
    "SeLoScore",
    "Stability",
    "embed_scene",
    "localize",
    "localize_many",
    "map_numbers",
    "overlay",
    "regions",
    "regions_geojson",
    "selo_metrics",
    "summary",
    "write_cog",
    "write_regions",
]

_MODULES = {
    "HeatMap": "terraseek.localization.heatmap",
    "ImageQuery": "terraseek.localization.query",
    "Lattice": "terraseek.localization.windows.lattice",
    "LocalizeOptions": "terraseek.localization.options",
    "LocalizeQuery": "terraseek.localization.query",
    "METHODS": "terraseek.localization.methods.registry",
    "Peak": "terraseek.localization.heatmap",
    "Region": "terraseek.localization.output.regions",
    "SceneEmbedding": "terraseek.localization.windows.embedding",
    "SeLoScore": "terraseek.localization.metrics",
    "Stability": "terraseek.localization.stability",
    "embed_scene": "terraseek.localization.api",
    "localize": "terraseek.localization.api",
    "localize_many": "terraseek.localization.api",
    "map_numbers": "terraseek.localization.output.numbers",
    "overlay": "terraseek.localization.output.overlay",
    "regions": "terraseek.localization.output.regions",
    "regions_geojson": "terraseek.localization.output.geojson",
    "selo_metrics": "terraseek.localization.metrics",
    "summary": "terraseek.localization.output.numbers",
    "write_cog": "terraseek.localization.output.cog",
    "write_regions": "terraseek.localization.output.geojson",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
