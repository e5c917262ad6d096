"""Geo-metadata: position and time of items, and geotags that contradict each other."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from terraseek.catalogue.importing.photographs import photograph_columns
from terraseek.catalogue.places.countries import country_code
from terraseek.catalogue.places.utm import LATITUDE_BANDS, utm_zone_number, zones_apart
from terraseek.errors import ConfigError
from terraseek_train.corpus.geo.country_at import countries_near, country_at
from terraseek_train.corpus.geo.metadata import read_metadata
from terraseek_train.corpus.geo.place_names import find_places
from terraseek_train.corpus.geo.season import month_of, season
from terraseek_train.corpus.geo.statistics import zone_at
from terraseek_train.corpus.items import image_ref, item_table, set_column
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput

__all__ = ["Geo", "geotag_problem"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Geo(BatchStage):
    """Fill position, time, country, UTM zone and season, and check that they agree.

    Adds `season`, `places` (JSON: names in the caption with all candidates) and `geo_problem`.
    """

    exif: bool = True
    """Read GPS and time of photographs, for items without a position."""
    metadata: str = ""
    """FMoW's JSON folder, BigEarthNet's CSV or YFCC's lines, joined by key; see `kind`."""
    kind: Literal["", "fmow", "bigearthnet", "yfcc"] = ""
    """Format of `metadata`."""
    names: bool = True
    """Look for place names in captions."""
    northern_only: bool = False
    """Seasons as published, those of the northern hemisphere everywhere."""
    on_conflict: Literal["clear", "reject"] = "clear"
    """Remove a position that contradicts the stated country or UTM zone, or reject the item."""

    def __post_init__(self) -> None:
        if bool(self.metadata) != bool(self.kind):
            raise ConfigError("geo: give metadata and kind together (fmow, bigearthnet or yfcc)")

    def files(self) -> tuple[str, ...]:
        """See `Stage.files`."""
        return (self.metadata,) if self.metadata else ()

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`."""
        known = dict(read_metadata(self.metadata, self.kind)) if self.metadata else {}
        rows = items.to_pylist()
        for row in rows:
            self._complete(row, known)
        stated = [row["country"] for row in rows]
        lon = np.array([np.nan if r["lon"] is None else r["lon"] for r in rows], float)
        lat = np.array([np.nan if r["lat"] is None else r["lat"] for r in rows], float)
        lon[~np.isfinite(lat) | (abs(lon) > 180) | (abs(lat) > 90)] = np.nan
        reasons, found = [], country_at(lon, lat)
        for row, country, at in zip(rows, stated, found, strict=True):
            problem = geotag_problem(row, country, at)
            row["geo_problem"] = problem
            reasons.append(f"geotag: {problem}" if problem and self.on_conflict == "reject" else "")
            self._derive(row, at, problem)
        return StageOutput(_with_columns(items, rows), reasons)

    def _complete(self, row: Row, known: dict[str, dict[str, Any]]) -> None:
        """Columns of the metadata file, then of EXIF, where the row has none."""
        key = row["item"].partition("/")[2]
        stem = key.rpartition("/")[2].rpartition(".")[0] or key
        found = dict(known.get(key) or known.get(stem) or {})
        ref = image_ref(row)
        if self.exif and row["lon"] is None and "lon" not in found and ref is not None:
            found = photograph_columns(ref) | found
        extra = json.loads(row["extra"] or "{}")
        for name, value in found.items():
            if name in row and name not in ("item", "source", "extra"):
                if row[name] in (None, ""):
                    row[name] = value
            else:
                extra.setdefault(name, value)
        row["extra"] = json.dumps(extra, sort_keys=True, default=str) if extra else ""

    def _derive(self, row: Row, at: str, problem: str) -> None:
        places = list(find_places(row["caption"])) if self.names else []
        row["places"] = json.dumps(
            [{"name": p.name, "country": p.country, "candidates": p.candidates} for p in places]
        )
        if problem:
            row |= {"lon": None, "lat": None, "location_precision": "none"}
        elif row["lon"] is not None:
            row["country"] = row["country"] or at
            row["utm"] = row["utm"] or zone_at(row["lon"], row["lat"])
            row["location_precision"] = row["location_precision"] or "exact"
        elif places and (town := places[0].resolved) is not None:
            row |= {"country": row["country"] or town[0], "lon": town[1], "lat": town[2]}
            row |= {"place": row["place"] or places[0].name, "location_precision": "place_name"}
        code = country_code(row["country"]) if row["country"] else None
        row["country"] = code or row["country"]
        extra = json.loads(row["extra"] or "{}")
        month = month_of(row["captured_at"]) or month_of(extra.get("month"))
        row["season"] = season(month, _latitude(row), self.northern_only)


def geotag_problem(row: Row, stated: str, at: str) -> str:
    """What contradicts in the position of an item; "" if nothing does, or it has none.

    Args:
        row: an item.
        stated: country that its source states; "" without one.
        at: country at its position.
    """
    lon, lat = row["lon"], row["lat"]
    if lon is None or lat is None:
        return ""
    if not (-180 <= lon <= 180 and -90 <= lat <= 90) or (lon, lat) == (0.0, 0.0):
        return f"{lon:g}, {lat:g} is no place"
    code = country_code(stated) if stated else None
    if code and at != code and code not in countries_near(lon, lat):
        return f"{lon:.3f}, {lat:.3f} is in {at or 'the sea'}, not in {code}"
    zone = row["utm"]
    if zone and zone[:-1].isdecimal() and not _zone_fits(zone, row["utm_kind"], lon, lat):
        return f"{lon:.3f}, {lat:.3f} is in zone {zone_at(lon, lat)}, not in {zone}"
    return ""


def _zone_fits(zone: str, kind: str, lon: float, lat: float) -> bool:
    """Whether a point is in a zone or half a degree from it."""
    number, letter = int(zone[:-1]), zone[-1].upper()
    across = min(zones_apart(utm_zone_number(lon + dx), number) for dx in (-0.5, 0.0, 0.5))
    if across and not 56 <= lat <= 84:  # Norway's and Svalbard's zones are wider
        return False
    if kind == "hemisphere":
        return (letter == "N") == (lat >= 0) or abs(lat) < 0.5
    if letter not in LATITUDE_BANDS:
        return False
    south = -80.0 + 8 * LATITUDE_BANDS.index(letter)
    return south - 0.5 <= lat <= south + (12.5 if letter == "X" else 8.5)


def _latitude(row: Row) -> float | None:
    """Latitude, or one of the hemisphere that the UTM zone states."""
    if row["lat"] is not None:
        return float(row["lat"])
    letter = row["utm"][-1:].upper()
    if not letter or letter not in LATITUDE_BANDS + "S":
        return None
    if row["utm_kind"] == "hemisphere":
        return 1.0 if letter == "N" else -1.0
    return 1.0 if letter >= "N" else -1.0


def _with_columns(items: pa.Table, rows: list[Row]) -> pa.Table:
    filled = item_table(rows)
    for name in filled.column_names:
        items = set_column(items, name, filled.column(name))
    for name in ("season", "places", "geo_problem"):
        items = set_column(items, name, pa.array([row[name] for row in rows], pa.string()))
    return items
