"""Where in this scene is a sentence true: window lattice, heat map, regions, SeLo metrics."""

from terraseek.localization.api import embed_scene, localize, localize_many
from terraseek.localization.heatmap import HeatMap, Peak
from terraseek.localization.metrics import SeLoScore, selo_metrics
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.output.cog import write_cog
from terraseek.localization.output.numbers import map_numbers, summary
from terraseek.localization.output.overlay import overlay
from terraseek.localization.output.regions import Region, regions, regions_geojson, write_regions
from terraseek.localization.stability import Stability, stability
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.localization.windows.lattice import Lattice

__all__ = [
    "HeatMap",
    "Lattice",
    "LocalizeOptions",
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
