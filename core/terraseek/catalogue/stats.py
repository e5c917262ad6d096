"""Counts over a catalogue, as the RS5M paper tells its geo-statistics (section on geometa)."""

from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.catalogue import Catalogue

__all__ = ["catalogue_stats", "utm_zones"]

_UTM_LETTERS = np.array(list("CDEFGHJKLMNPQRSTUVWX"))


def catalogue_stats(catalogue: Catalogue) -> dict[str, Any]:
    """Items by source, label, country, month, UTM zone and location precision, largest first.

    Items about which something is unknown are counted under the empty text. UTM zones are
    computed from coordinates: tables mix latitude bands (`29U`) with hemispheres (`29N`).
    """
    items = catalogue.items()
    located = items["lon"].notna() & items["lat"].notna()
    counts = {
        "items": catalogue.count,
        "located": int(located.sum()),
        "captioned": int((items["caption"] != "").sum()),
        "source": _count(items["source"]),
        "label": _count(items["label"]),
        "country": _count(_column(items, "country")),
        "month": _count(_months(items)),
        "utm_zone": _count(utm_zones(items)),
        "precision": _count(items["location_precision"]),
        "caption_source": _count(_column(items, "caption_source")),
    }
    if located.any():
        box = items.loc[located, ["lon", "lat"]]
        counts["extent"] = [*map(float, box.min()), *map(float, box.max())]
    return counts


def utm_zones(items: pd.DataFrame) -> pd.Series:
    """Zone number and MGRS latitude band of each item (`32U`); empty where it has no place.

    Polar places beyond the UTM (south of 80 S, north of 84 N) are empty. The zone exceptions of
    Norway and Svalbard are those of the MGRS.
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
    return pd.Series(np.where(inside, names, ""), index=items.index, dtype="str")


def _months(items: pd.DataFrame) -> pd.Series:
    """Month 1 to 12 as text, from the column of that name or the date."""
    from_date = pd.to_numeric(items["captured_at"].str[5:7], errors="coerce")
    month = from_date if "month" not in items else items["month"].astype("float").fillna(from_date)
    return month.map(lambda m: "" if pd.isna(m) else str(int(m))).astype("str")


def _column(items: pd.DataFrame, name: str) -> pd.Series:
    return items[name] if name in items else pd.Series("", index=items.index, dtype="str")


def _count(values: pd.Series) -> dict[str, int]:
    return {str(key): int(n) for key, n in values.value_counts().items()}
