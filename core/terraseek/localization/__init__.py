"""Where in this scene is a sentence true: window lattice, heat map, regions, SeLo metrics."""

from terraseek.localization.api import embed_scene, localize, localize_many
from terraseek.localization.cog import write_cog
from terraseek.localization.embedding import SceneEmbedding
from terraseek.localization.heatmap import HeatMap, Peak, summary
from terraseek.localization.lattice import Lattice
from terraseek.localization.metrics import SeLoScore, selo_metrics
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.picture import overlay
from terraseek.localization.regions import Region, regions, regions_geojson, write_regions
from terraseek.localization.stability import Stability, stability

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
    "overlay",
    "regions",
    "regions_geojson",
    "selo_metrics",
    "stability",
    "summary",
    "write_cog",
    "write_regions",
]
