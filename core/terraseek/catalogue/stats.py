"""Counts over a catalogue, as the RS5M paper tells its geo-statistics (section on geometa)."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.metadata.gazetteer import split_zone

__all__ = ["GSD_EDGES", "catalogue_stats", "long_tail", "utm_zones"]

GSD_EDGES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds in metres a pixel of the groups by resolution; a value on a bound belongs above it."""
_UTM_LETTERS = np.array(list("CDEFGHJKLMNPQRSTUVWX"))


def catalogue_stats(catalogue: Catalogue) -> dict[str, Any]:
    """Items by source, label, country, month, UTM zone and location precision, largest first.

    Items about which something is unknown are counted under the empty text. UTM zones are
    computed from coordinates where there are any, since tables mix latitude bands (`29U`) with
    hemispheres (`29N`); otherwise see `utm_zones`. `long_tail` tells of label, country and UTM zone
    how unevenly the items fall.
    """
    items = catalogue.items()
    located = items["lon"].notna() & items["lat"].notna()
    counts: dict[str, Any] = {
        "items": catalogue.count,
        "located": int(located.sum()),
        "captioned": int((items["caption"] != "").sum()),
        "source": _count(items["source"]),
        "label": _count(items["label"]),
        "country": _count(_column(items, "country")),
        "month": _count(_months(items)),
        "season": _count(_column(items, "season")),
        "year": _count(items["captured_at"].str[:4]),
        "gsd": _resolutions(items["gsd_m"].to_numpy()),
        "utm_zone": _count(utm_zones(items)),
        "precision": _count(items["location_precision"]),
        "caption_source": _count(_column(items, "caption_source")),
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
    """Zone number and MGRS latitude band of each item (`32U`); empty where none is known.

    An item without coordinates, or with those of a town, has the zone its source states. Where the
    letter means a hemisphere, as BigEarthNet's does, the zone reads `29 north`; where nobody knows
    what it means, only `29`. Polar places beyond the UTM (south of 80 S, north of 84 N) are empty.
    The zone exceptions of Norway and Svalbard are those of the MGRS.
    """
    lon, lat = items["lon"].to_numpy(), items["lat"].to_numpy()
    inside = np.isfinite(lon) & (lat >= -80) & (lat <= 84)
    x, y = np.where(inside, lon, 0.0), np.where(inside, lat, 0.0)
    zone = np.clip(np.floor((x + 180) / 6).astype(int) + 1, 1, 60)
    zone[(y >= 56) & (y < 64) & (x >= 3) & (x < 12)] = 32
    svalbard = (y >= 72) & (x >= 0) & (x < 42)
    zone[svalbard] = np.array([31, 33, 35, 37])[np.digitize(x[svalbard], [9, 21, 33])]
    band = _UTM_LETTERS[np.clip(np.floor((y + 80) / 8).astype(int), 0, 19)]
    names = np.char.add(np.char.mod("%d", zone), band)
    computed = pd.Series(np.where(inside, names, ""), index=items.index, dtype="str")
    stated = [
        _stated(*pair)
        for pair in zip(_column(items, "utm"), _column(items, "utm_kind"), strict=True)
    ]
    told = pd.Series(stated, index=items.index, dtype="str")
    precision = _column(items, "location_precision")
    own = np.isfinite(lon) & ((precision != "place_name") | (told == "")).to_numpy(bool)
    return computed.where(own, told)


def _stated(zone: str, kind: str) -> str:
    parts = split_zone(str(zone))
    if parts is None:
        return ""
    number, letter = parts
    if kind == "hemisphere":
        return f"{number} {'north' if letter == 'N' else 'south'}"
    return f"{number}{letter}" if kind == "band" or letter not in "NS" else f"{number}"


def long_tail(counts: dict[str, int]) -> dict[str, float]:
    """How unevenly items fall on values: how many values, and how few of them hold half.

    Args:
        counts: items by value; the empty text (unknown) is left out.
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
    """Items by resolution, finest first, and the unknown last."""
    names = [f"below {GSD_EDGES[0]:g} m"]
    names += [f"{a:g} to {b:g} m" for a, b in pairwise(GSD_EDGES)]
    names += [f"{GSD_EDGES[-1]:g} m and more", ""]
    group = np.where(np.isfinite(gsd), np.digitize(gsd, GSD_EDGES), len(GSD_EDGES) + 1)
    found = np.bincount(group, minlength=len(names)).tolist()
    return {name: n for name, n in zip(names, found, strict=True) if n}


def _months(items: pd.DataFrame) -> pd.Series:
    """Month 1 to 12 as text, from the column of that name or the date."""
    from_date = pd.to_numeric(items["captured_at"].str[5:7], errors="coerce")
    month = from_date if "month" not in items else items["month"].astype("float").fillna(from_date)
    return month.map(lambda m: "" if pd.isna(m) else str(int(m))).astype("str")


def _column(items: pd.DataFrame, name: str) -> pd.Series:
    return items[name] if name in items else pd.Series("", index=items.index, dtype="str")


def _count(values: pd.Series) -> dict[str, int]:
    return {str(key): int(n) for key, n in values.value_counts().items()}
