"""Search in a catalogue: rank the items that pass a filter by their stored vectors."""

from terraseek.search.hits import Hit, SearchResult, hits_csv, hits_geojson, hits_json
from terraseek.search.query import Query
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
