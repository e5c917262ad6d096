"""Collapse of near-duplicates in search results: only the best hit of each group is kept."""

from collections.abc import Mapping, Sequence

from terraseek.catalogue import Catalogue
from terraseek.errors import ConfigError
from terraseek.search.duplicates import COLUMN
from terraseek.search.hits import Hit

__all__ = ["best_of_each_group", "duplicate_groups"]


def duplicate_groups(catalogue: Catalogue) -> dict[str, str]:
    """Map the id of each duplicate to that of the first item of its group.

    Raises:
        ConfigError: the catalogue's duplicates were never marked.
    """
    if COLUMN not in catalogue.columns:
        raise ConfigError(
            "the duplicates of this catalogue are not marked; run `terraseek duplicates "
            f"{catalogue.path}`"
        )
    return catalogue.duplicate_of


def best_of_each_group(hits: Sequence[Hit], groups: Mapping[str, str]) -> list[Hit]:
    """Keep the first hit of each group of duplicates; items without duplicates are all kept."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(groups.get(hit.item_id, hit.item_id), hit)
    return list(best.values())
