"""Localization: where in a scene a sentence is true, as heat maps, regions and SeLo measures.

Start reading at `api`. A method is one file of `methods` behind the interface in `methods.base`;
`significance.assessment` decides whether a heat map is significant.
"""

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
from terraseek.localization.stability import Stability, stability
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
    "stability",
    "summary",
    "write_cog",
    "write_regions",
]
