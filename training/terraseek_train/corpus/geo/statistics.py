"""Geo-statistics of a corpus: RS5M's table of positions per source, and images per UTM zone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from terraseek.catalogue.places.utm import latitude_band, utm_zone_number
from terraseek_train.corpus.items import texts

__all__ = ["geo_statistics", "zone_at"]


def zone_at(lon: float, lat: float) -> str:
    """UTM zone with latitude band of a point, such as `31U`."""
    return f"{utm_zone_number(lon)}{latitude_band(lat)}"


def geo_statistics(items: pa.Table) -> dict[str, Any]:
    """Images with a position per source, per country and per UTM zone, and the median per zone.

    A zone whose letter is a hemisphere (BigEarthNet) counts as `29 north`, not as latitude band N.
    """
    lons, lats = items.column("lon").to_pylist(), items.column("lat").to_pylist()
    zones: Counter[str] = Counter()
    placed: Counter[str] = Counter()
    rows = zip(
        texts(items, "source"), texts(items, "utm"), texts(items, "utm_kind"), lons, lats,
        strict=True,
    )  # fmt: skip
    for source, utm, kind, lon, lat in rows:
        if lon is not None and lat is not None:
            zone = zone_at(lon, lat)
        elif utm and kind == "hemisphere":
            zone = f"{utm[:-1]} {'north' if utm[-1] == 'N' else 'south'}"
        else:
            zone = utm
        if zone:
            zones[zone] += 1
            placed[source] += 1
    countries = Counter(code for code in texts(items, "country") if code)
    return {
        "with_position": dict(sorted(placed.items())),
        "total": sum(placed.values()),
        "median_per_zone": _median(list(zones.values())),
        "zones": dict(sorted(zones.items())),
        "countries": dict(countries.most_common()),
    }


def _median(values: Sequence[int]) -> float:
    ordered = sorted(values)
    if not ordered:
        return 0.0
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) / 2)
