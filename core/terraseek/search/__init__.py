"""Search in a catalogue: rank the items that pass a filter by their stored vectors."""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names

if TYPE_CHECKING:
    from terraseek.search.hits import Hit, hits_csv, hits_geojson, hits_json
    from terraseek.search.query import Query
    from terraseek.search.result import SearchResult
    from terraseek.search.searcher import Searcher

__all__ = [
    "Hit",
    "Query",
    "SearchResult",
    "Searcher",
    "hits_csv",
    "hits_geojson",
    "hits_json",
]

_MODULES = {
    "Hit": "terraseek.search.hits",
    "Query": "terraseek.search.query",
    "SearchResult": "terraseek.search.result",
    "Searcher": "terraseek.search.searcher",
    "hits_csv": "terraseek.search.hits",
    "hits_geojson": "terraseek.search.hits",
    "hits_json": "terraseek.search.hits",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
