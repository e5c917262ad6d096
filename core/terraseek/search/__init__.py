"""Search: stored vectors of a catalogue, and exact answers among the items a filter leaves."""

from terraseek.search.embed import embed_catalogue
from terraseek.search.hits import Hit, SearchResult, hits_csv, hits_geojson, hits_json
from terraseek.search.query import Query
from terraseek.search.searcher import Searcher
from terraseek.search.store import EmbeddingStore, Manifest, store_names

__all__ = [
    "EmbeddingStore",
    "Hit",
    "Manifest",
    "Query",
    "SearchResult",
    "Searcher",
    "embed_catalogue",
    "hits_csv",
    "hits_geojson",
    "hits_json",
    "store_names",
]
