"""Localization: where in a scene a sentence is true, as heat maps, regions and SeLo measures.

Start reading at `api`. A method is one file of `methods` behind the interface in `methods.base`;
`significance` decides whether a heat map is significant.
"""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names

if TYPE_CHECKING:
    from terraseek.localization.api import embed_scene, localize, localize_many
    from terraseek.localization.batch.results import RowResult
    from terraseek.localization.batch.run import localize_batch
    from terraseek.localization.batch.table import BatchRow, read_batch, read_scene_names
    from terraseek.localization.comparison import Comparison, compare
    from terraseek.localization.heatmap import HeatMap, Peak
    from terraseek.localization.methods.registry import METHODS
    from terraseek.localization.metrics import SeLoScore, selo_metrics
    from terraseek.localization.options import LocalizeOptions
    from terraseek.localization.output.bundle import request_json, write_bundle
    from terraseek.localization.output.cog import write_cog
    from terraseek.localization.output.figure.write import draw_figure, write_figure
    from terraseek.localization.output.files import HEAT_FILES, write_heat_file
    from terraseek.localization.output.geojson import regions_geojson, write_regions
    from terraseek.localization.output.geopackage.write import write_geopackage
    from terraseek.localization.output.html_map.write import write_html
    from terraseek.localization.output.numbers import map_numbers, summary
    from terraseek.localization.output.overlay import overlay
    from terraseek.localization.output.regions import Region, regions
    from terraseek.localization.query import ImageQuery, LocalizeQuery
    from terraseek.localization.stability import Stability
    from terraseek.localization.windows.embedding import SceneEmbedding
    from terraseek.localization.windows.lattice import Lattice

__all__ = [
    "HEAT_FILES",
    "METHODS",
    "BatchRow",
    "Comparison",
    "HeatMap",
    "ImageQuery",
    "Lattice",
    "LocalizeOptions",
    "LocalizeQuery",
    "Peak",
    "Region",
    "RowResult",
    "SceneEmbedding",
    "SeLoScore",
    "Stability",
    "compare",
    "draw_figure",
    "embed_scene",
    "localize",
    "localize_batch",
    "localize_many",
    "map_numbers",
    "overlay",
    "read_batch",
    "read_scene_names",
    "regions",
    "regions_geojson",
    "request_json",
    "selo_metrics",
    "summary",
    "write_bundle",
    "write_cog",
    "write_figure",
    "write_geopackage",
    "write_heat_file",
    "write_html",
    "write_regions",
]

_MODULES = {
    "BatchRow": "terraseek.localization.batch.table",
    "HEAT_FILES": "terraseek.localization.output.files",
    "Comparison": "terraseek.localization.comparison",
    "HeatMap": "terraseek.localization.heatmap",
    "ImageQuery": "terraseek.localization.query",
    "Lattice": "terraseek.localization.windows.lattice",
    "LocalizeOptions": "terraseek.localization.options",
    "LocalizeQuery": "terraseek.localization.query",
    "METHODS": "terraseek.localization.methods.registry",
    "Peak": "terraseek.localization.heatmap",
    "Region": "terraseek.localization.output.regions",
    "RowResult": "terraseek.localization.batch.results",
    "SceneEmbedding": "terraseek.localization.windows.embedding",
    "SeLoScore": "terraseek.localization.metrics",
    "Stability": "terraseek.localization.stability",
    "draw_figure": "terraseek.localization.output.figure.write",
    "compare": "terraseek.localization.comparison",
    "embed_scene": "terraseek.localization.api",
    "localize": "terraseek.localization.api",
    "localize_batch": "terraseek.localization.batch.run",
    "localize_many": "terraseek.localization.api",
    "map_numbers": "terraseek.localization.output.numbers",
    "overlay": "terraseek.localization.output.overlay",
    "read_batch": "terraseek.localization.batch.table",
    "read_scene_names": "terraseek.localization.batch.table",
    "regions": "terraseek.localization.output.regions",
    "regions_geojson": "terraseek.localization.output.geojson",
    "request_json": "terraseek.localization.output.bundle",
    "selo_metrics": "terraseek.localization.metrics",
    "summary": "terraseek.localization.output.numbers",
    "write_bundle": "terraseek.localization.output.bundle",
    "write_cog": "terraseek.localization.output.cog",
    "write_figure": "terraseek.localization.output.figure.write",
    "write_geopackage": "terraseek.localization.output.geopackage.write",
    "write_heat_file": "terraseek.localization.output.files",
    "write_html": "terraseek.localization.output.html_map.write",
    "write_regions": "terraseek.localization.output.geojson",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
