"""Statistics of RS5M's tables and figures, counted over a catalogue (arXiv 2306.11300)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.importing.image_names import subset_of
from terraseek.catalogue.metadata.entities import parse_entities
from terraseek.catalogue.metadata.rs_keywords import KEYWORDS, caption_keywords
from terraseek.catalogue.stats import count_values, months_of, utm_zones

__all__ = ["PUBLISHED", "rs5m_stats", "subsets_of"]

PUBLISHED: dict[str, Any] = {
    "items": 5_070_186,
    "items_by_subset": {
        "laion2b": 1_060_779,
        "coyo700m": 226_069,
        "laioncoco": 1_604_028,
        "laion400m": 75_781,
        "wit": 10_374,
        "yfcc15m": 9_629,
        "cc12m": 10_034,
        "redcaps": 1_486,
        "cc3m": 9_572,
        "sbu": 51,
        "vg": 6,
        "fmow": 727_144,
        "ben": 344_385,
        "millionaid": 990_848,
    },
    "with_zone": 1_079_370,
    "median_images_per_zone": 302,
    "with_entities": 880_354,
    "mean_words": 49,
    "most_words": 3_248,
}
"""Figures of the paper: tables I and II of the data set, its heat map of UTM zones, the entities of
PUB11, and the lengths of captions in words."""

_BLOCK = 1 << 16


def rs5m_stats(catalogue: Catalogue) -> dict[str, Any]:
    """Count what the RS5M paper counts.

    Returns:
        `items`; `subset` with, by subset, the number of items, of captions and of coordinates, and
        mean, median and largest number of words of a caption; `country`, `month` and `utm_zone`:
        items by value, most frequent first, empty text for unknown; `median_images_per_zone`;
        `entity`: items by geopolitical entity; `with_entities`; `keyword`: captions that contain
        each keyword of the selection of PUB11; `with_keyword`; `words`: captions by number of
        words, in groups of ten.
    """
    names = ["img_name", "subset_name", "caption", "entity", "lon", "lat", "location_precision"]
    names += ["country", "month", "captured_at", "utm", "utm_kind"]
    items = catalogue.items([name for name in names if name in catalogue.columns])
    zones = utm_zones(items)
    subset = subsets_of(items)
    lengths: list[int] = [len(text.split()) for text in items["caption"].fillna("")]
    words = pd.Series(lengths, items.index, dtype="int64")
    entities = Counter[str]()
    with_entities = 0
    for cell in _cells(items, "entity"):
        found = parse_entities(cell)
        with_entities += bool(found)
        entities.update(found)
    keywords, with_keyword = _count_keywords(_cells(items, "caption"))
    by_zone = count_values(zones[zones != ""])
    country = items["country"] if "country" in items else pd.Series("", items.index, "str")
    return {
        "items": len(items),
        "subset": _by_subset(items, subset, words),
        "country": count_values(country),
        "month": count_values(months_of(items)),
        "utm_zone": by_zone,
        "with_zone": int((zones != "").sum()),
        "median_images_per_zone": float(np.median(list(by_zone.values()))) if by_zone else 0.0,
        "entity": dict(entities.most_common()),
        "with_entities": with_entities,
        "keyword": keywords,
        "with_keyword": with_keyword,
        "words": _histogram(words[words > 0]),
    }


def subsets_of(items: pd.DataFrame) -> pd.Series:
    """Subset of each item, from the column `subset_name` or the name of its image; may be empty."""
    empty = pd.Series("", items.index, "str")
    named = items["img_name"].map(subset_of).astype("str") if "img_name" in items else empty
    stated = items.get("subset_name", empty)
    return stated.where(stated != "", named)


def _by_subset(
    items: pd.DataFrame, subset: pd.Series, words: pd.Series
) -> dict[str, dict[str, float]]:
    located = items["lon"].notna() & items["lat"].notna()
    found: dict[str, dict[str, float]] = {}
    for name, rows in subset.groupby(subset).groups.items():
        lengths = words[rows][words[rows] > 0]
        found[str(name)] = {
            "items": len(rows),
            "captions": len(lengths),
            "located": int(located[rows].sum()),
            "mean_words": round(float(lengths.mean()), 1) if len(lengths) else 0.0,
            "median_words": float(lengths.median()) if len(lengths) else 0.0,
            "most_words": int(lengths.max()) if len(lengths) else 0,
        }
    return dict(sorted(found.items(), key=lambda pair: -pair[1]["items"]))


def _cells(items: pd.DataFrame, name: str) -> Iterator[str]:
    """Texts of a column, in blocks, so that they are not all Python objects at once."""
    if name in items:
        for start in range(0, len(items), _BLOCK):
            yield from items[name].iloc[start : start + _BLOCK].tolist()


def _count_keywords(captions: Iterable[str]) -> tuple[dict[str, int], int]:
    counts, captioned = Counter[str](), 0
    for caption in captions:
        found = caption_keywords(caption)
        captioned += bool(found)
        counts.update(found)
    return {
        k: counts[k] for k in sorted(KEYWORDS, key=lambda k: -counts[k]) if counts[k]
    }, captioned


def _histogram(words: pd.Series) -> dict[str, int]:
    groups = (words // 10 * 10).value_counts().sort_index()
    starts = [int(start) for start in groups.index]
    counts = zip(starts, groups, strict=True)
    return {f"{start} to {start + 9}": int(count) for start, count in counts}
