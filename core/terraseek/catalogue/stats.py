"""Statistics of a catalogue, as in the section on geometa of the RS5M paper (arXiv 2306.11300)."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.places.utm import LATITUDE_BANDS, parse_utm_zone

__all__ = [
    "GSD_EDGES",
    "catalogue_stats",
    "count_values",
    "long_tail",
    "months_of",
    "utm_zones",
]

GSD_EDGES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Edges of the resolution groups, metres per pixel; a value on an edge is in the upper group."""
_BAND_LETTERS = np.array(list(LATITUDE_BANDS))


def catalogue_stats(catalogue: Catalogue) -> dict[str, Any]:
    """Count items by source, label, country, month, UTM zone and location precision.

    Counts are in descending order; items with an unknown value are counted under empty text.
    `long_tail` describes how unevenly items are distributed over labels, countries and UTM zones
    (see `utm_zones`).
    """
    items = catalogue.items()
    located = items["lon"].notna() & items["lat"].notna()
    counts: dict[str, Any] = {
        "items": catalogue.count,
        "located": int(located.sum()),
        "captioned": int((items["caption"] != "").sum()),
        "source": count_values(items["source"]),
        "label": count_values(items["label"]),
        "country": count_values(_column(items, "country")),
        "month": count_values(months_of(items)),
        "season": count_values(_column(items, "season")),
        "year": count_values(items["captured_at"].str[:4]),
        "gsd": _resolutions(items["gsd_m"].to_numpy()),
        "utm_zone": count_values(utm_zones(items)),
        "precision": count_values(items["location_precision"]),
        "caption_source": count_values(_column(items, "caption_source")),
    }
    counts["duplicates"] = int((_column(items, "duplicate_of") != "").sum())
    counts["long_tail"] = {
        group: long_tail(counts[group]) for group in ("label", "country", "utm_zone")
    }
    if located.any():
        box = items.loc[located, ["lon", "lat"]]
        counts["extent"] = [*map(float, box.min()), *map(float, box.max())]
    return counts


def utm_zones(items: pd.DataFrame) -> pd.Series:
    """UTM zone number and MGRS latitude band of each item (`32U`); empty where unknown.

    The zone is computed from the coordinates, because tables mix latitude bands (`29U`) with
    hemispheres (`29N`). An item without coordinates, or with only those of a town, has the zone
    that its source states: `29 north` if the letter means the hemisphere, as in BigEarthNet, and
    `29` if its meaning is unknown. Polar items beyond the range of UTM (south of 80 S, north of
    84 N) are empty. The exceptions of Norway and Svalbard follow the MGRS.
    """
    lon, lat = items["lon"].to_numpy(), items["lat"].to_numpy()
    inside = np.isfinite(lon) & (lat >= -80) & (lat <= 84)
    x, y = np.where(inside, lon, 0.0), np.where(inside, lat, 0.0)
    zone = np.clip(np.floor((x + 180) / 6).astype(int) + 1, 1, 60)
    zone[(y >= 56) & (y < 64) & (x >= 3) & (x < 12)] = 32
    svalbard = (y >= 72) & (x >= 0) & (x < 42)
    zone[svalbard] = np.array([31, 33, 35, 37])[np.digitize(x[svalbard], [9, 21, 33])]
    band = _BAND_LETTERS[np.clip(np.floor((y + 80) / 8).astype(int), 0, 19)]
    names = np.char.add(np.char.mod("%d", zone), band)
    computed = pd.Series(np.where(inside, names, ""), index=items.index, dtype="str")
    zones = [
        _stated_zone(*pair)
        for pair in zip(_column(items, "utm"), _column(items, "utm_kind"), strict=True)
    ]
    stated = pd.Series(zones, index=items.index, dtype="str")
    precision = _column(items, "location_precision")
    trusted = np.isfinite(lon) & ((precision != "place_name") | (stated == "")).to_numpy(bool)
    return computed.where(trusted, stated)


def _stated_zone(zone: str, kind: str) -> str:
    parts = parse_utm_zone(str(zone))
    if parts is None:
        return ""
    number, letter = parts
    if kind == "hemisphere":
        return f"{number} {'north' if letter == 'N' else 'south'}"
    return f"{number}{letter}" if kind == "band" or letter not in "NS" else f"{number}"


def long_tail(counts: dict[str, int]) -> dict[str, float]:
    """Describe how unevenly items are distributed over values.

    Args:
        counts: number of items by value; empty text (unknown) is ignored.

    Returns:
        `values`: number of values; `half`: how many of the most frequent values hold half of the
        items; `single`: values that occur once; `median`: median number of items per value.
    """
    sizes = np.array(sorted((n for key, n in counts.items() if key), reverse=True), np.int64)
    if not len(sizes):
        return {"values": 0, "half": 0, "single": 0, "median": 0.0}
    return {
        "values": len(sizes),
        "half": int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2) + 1),
        "single": int((sizes == 1).sum()),
        "median": float(np.median(sizes)),
    }


def _resolutions(gsd: np.ndarray) -> dict[str, int]:
    """Count items by resolution group, finest first, unknown last."""
    names = [f"below {GSD_EDGES[0]:g} m"]
    names += [f"{a:g} to {b:g} m" for a, b in pairwise(GSD_EDGES)]
    names += [f"{GSD_EDGES[-1]:g} m and more", ""]
    group = np.where(np.isfinite(gsd), np.digitize(gsd, GSD_EDGES), len(GSD_EDGES) + 1)
    sizes = np.bincount(group, minlength=len(names)).tolist()
    return {name: n for name, n in zip(names, sizes, strict=True) if n}


def months_of(items: pd.DataFrame) -> pd.Series:
    """Month 1 to 12 as text, from the column `month` or the date."""
    from_date = pd.to_numeric(items["captured_at"].str[5:7], errors="coerce")
    month = from_date if "month" not in items else items["month"].astype("float").fillna(from_date)
    return month.map(lambda m: "" if pd.isna(m) else str(int(m))).astype("str")


def _column(items: pd.DataFrame, name: str) -> pd.Series:
    return items[name] if name in items else pd.Series("", index=items.index, dtype="str")


def count_values(values: pd.Series) -> dict[str, int]:
    """Number of items by value, most frequent first."""
    return {str(key): int(n) for key, n in values.value_counts().items()}
