"""Hits as a GeoDataFrame.

The one module that uses geopandas, and only to build tables: files are never read with it, because
nothing restricts its GDAL (see `terraseek.scenes.gdal_restrictions`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from terraseek.search.hits import HIT_COLUMNS, Hit

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["hits_geodataframe"]


def hits_geodataframe(hits: Sequence[Hit]) -> "GeoDataFrame":
    """Convert hits to a GeoDataFrame of points in EPSG:4326; see `SearchResult.to_geodataframe`."""
    import geopandas
    import pandas as pd
    from shapely.geometry import Point

    table = pd.DataFrame([hit.to_dict() for hit in hits], columns=list(HIT_COLUMNS))
    table = table.astype({"lon": float, "lat": float}).set_index("rank", drop=False)
    table.index.name = None
    points = [
        None if hit.lon is None or hit.lat is None else Point(hit.lon, hit.lat) for hit in hits
    ]
    return geopandas.GeoDataFrame(table, geometry=points, crs="EPSG:4326")
