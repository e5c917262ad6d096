"""Columns of the items that a vector database filters by, as values of its own types.

`at`: point, moved inwards from the poles and from 180 degrees, where Qdrant's boxes end without
their edges; `source`, `precision`: text; `label`: text without regard to case; `gsd_m`: number;
`first` and `last`: days as integers (20170825), which differ for dates that are only known by month
or year. Unknown values are left out, so that no condition on them is met.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64, UInt64

from terraseek.catalogue import Catalogue

__all__ = ["ANY_DAY", "item_days", "payload_hashes", "payloads"]

_COLUMNS = ["lon", "lat", "source", "label", "location_precision", "captured_at", "gsd_m"]
_BLOCK = 1 << 17
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?!\d)")
_INSIDE_DEG = 5e-7  # less than the margin of areas in `qdrant_filter`
ANY_DAY = (0, 99_999_999)
"""First and last day of a date that is written in another way."""


def item_days(date: str) -> tuple[int, int]:
    """First and last day that a date may mean, as integers like 20170825."""
    match = _DATE.match(date)
    if match is None:
        return ANY_DAY
    year, month, day = match.groups()
    return int(f"{year}{month or '00'}{day or '00'}"), int(f"{year}{month or '99'}{day or '99'}")


def payloads(catalogue: Catalogue, rows: Int64[np.ndarray, " m"]) -> list[dict[str, Any]]:
    """Values of some rows, one dictionary a row."""
    return [_payload(item) for item in catalogue.items_at(rows, _COLUMNS).to_dict("records")]


def _payload(item: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "source": item["source"],
        "label": item["label"].casefold(),
        "precision": item["location_precision"],
    }
    if math.isfinite(item["lon"]) and math.isfinite(item["lat"]):
        found["at"] = {"lon": _inside(item["lon"], 180), "lat": _inside(item["lat"], 90)}
    if math.isfinite(item["gsd_m"]):
        found["gsd_m"] = float(item["gsd_m"])
    if item["captured_at"]:
        found["first"], found["last"] = item_days(item["captured_at"])
    return found


def _inside(degrees: float, limit: int) -> float:
    return float(min(max(degrees, _INSIDE_DEG - limit), limit - _INSIDE_DEG))


def payload_hashes(catalogue: Catalogue, count: int) -> UInt64[np.ndarray, " count"]:
    """One number above 0 for each of the first rows, which changes with its values."""
    hashes = np.empty(count, np.uint64)
    for rows in _blocks(count):
        frame = catalogue.items_at(rows, _COLUMNS)
        hashes[rows] = pd.util.hash_pandas_object(frame, index=False).to_numpy(np.uint64)
    return np.maximum(hashes, np.uint64(1))


def _blocks(count: int) -> Iterator[Int64[np.ndarray, " m"]]:
    for start in range(0, count, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, count))
