"""Search: stored vectors of a catalogue, and exact answers among the items a filter leaves."""

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
