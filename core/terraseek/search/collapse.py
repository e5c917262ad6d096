"""Hits without near-duplicates: of items that repeat each other only the best is shown."""

from dataclasses import replace

from terraseek.catalogue import Filter
from terraseek.errors import ConfigError
from terraseek.search.duplicates import COLUMN
from terraseek.search.hits import Hit, SearchResult
from terraseek.search.query import Query
from terraseek.search.searcher import Searcher

__all__ = ["search_collapsed"]


def search_collapsed(
    searcher: Searcher, query: Query, k: int = 20, where: Filter | None = None
) -> SearchResult:
    """As `Searcher.search`, with one hit a group of duplicates and still `k` hits where there are.

    Searches again for more until `k` groups are found, so an item is left out only for a better
    one of its group that meets the filter, too.

    Raises:
        ConfigError: the catalogue's duplicates were never marked.
    """
    groups = _groups(searcher)
    asked = k
    while True:
        result = searcher.search(query, asked, where)
        hits = _best_of_each(result.hits, groups)
        if len(hits) >= k or len(result.hits) < asked:
            ranked = [replace(hit, rank=rank) for rank, hit in enumerate(hits[:k], start=1)]
            return replace(result, hits=ranked)
        asked *= 2


def _groups(searcher: Searcher) -> dict[str, str]:
    """Id of the first of its group for each item that repeats one."""
    catalogue = searcher.catalogue
    if COLUMN not in catalogue.columns:
        raise ConfigError(
            "the duplicates of this catalogue are not marked; run `terraseek duplicates "
            f"{catalogue.path}`"
        )
    return catalogue.duplicate_of


def _best_of_each(hits: list[Hit], groups: dict[str, str]) -> list[Hit]:
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(groups.get(hit.item_id, hit.item_id), hit)
    return list(best.values())
