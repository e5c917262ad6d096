"""Hits as files to take home: the ending of the name says which kind."""

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.catalogue import Catalogue
from terraseek.errors import ConfigError
from terraseek.files import atomic_path
from terraseek.search.export.stac import stac_items
from terraseek.search.hits import Hit, hits_csv, hits_geojson, hits_json

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "EXPORTS",
    "arrow_type",
    "export_bytes",
    "export_kind",
    "hits_geoparquet",
    "hits_shard",
    "write_hits",
]

_FLOATS = (
    "score", "lon", "lat", "image_score", "caption_score", "percentile", "margin", "distance_km",
)  # fmt: skip


def write_hits(path: Path, hits: Sequence[Hit], catalogue: Catalogue) -> str:
    """Write hits, whole or not at all; gives the kind that was written.

    Args:
        path: ends with one of `EXPORTS`.
        hits: best first.
        catalogue: where they were found.

    Raises:
        ConfigError: no kind of file has this ending.
        CatalogueError: an image for the shard is gone.
    """
    kind = export_kind(path.name)
    with atomic_path(path) as part:
        part.write_bytes(export_bytes(kind, hits, catalogue))
    return EXPORTS[kind][0]


def export_kind(name: str) -> str:
    """The ending of a file name that says what to write.

    Raises:
        ConfigError: no kind of file has this ending.
    """
    for ending in EXPORTS:
        if name.lower().endswith(ending):
            return ending
    kinds = ", ".join(f"{ending} ({what})" for ending, (what, _) in EXPORTS.items())
    raise ConfigError(f"{name!r} has no ending that hits are written as; take one of {kinds}")


def export_bytes(kind: str, hits: Sequence[Hit], catalogue: Catalogue) -> bytes:
    """Hits as the content of a file with an ending of `EXPORTS`."""
    return EXPORTS[kind][1](hits, catalogue)


def _json_bytes(value: Any) -> bytes:  # noqa: ANN401 - JSON is any of these
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode()


def hits_geoparquet(hits: Sequence[Hit]) -> bytes:
    """Hits as GeoParquet 1.1: the fields of `Hit` and a WKB point, null without a place."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [asdict(hit) for hit in hits]
    columns: dict[str, pa.Array] = {
        field.name: pa.array([row[field.name] for row in rows], arrow_type(field.name))
        for field in fields(Hit)
    }
    points = [_wkb(hit.lon, hit.lat) for hit in hits]
    columns["geometry"] = pa.array(points, pa.binary())
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
    }
    out = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata({b"geo": json.dumps(geo).encode()})
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _wkb(lon: float | None, lat: float | None) -> bytes | None:
    import shapely

    if lon is None or lat is None:
        return None
    point: bytes = shapely.to_wkb(shapely.Point(lon, lat))
    return point


def arrow_type(name: str) -> "pa.DataType":
    """Types that stay the same for hits of which none has a value."""
    import pyarrow as pa

    if name in _FLOATS:
        return pa.float64()
    return {"rank": pa.int64(), "matched": pa.int64(), "convincing": pa.bool_()}.get(
        name, pa.string()
    )


def hits_shard(hits: Sequence[Hit], catalogue: Catalogue) -> bytes:
    """Hits as a webdataset shard: for each `000001.jpg`, `.txt` and `.json`, best first.

    Images are copied as their source has them; `.json` holds all columns of the item and how it
    was found, so that `terraseek import` brings places and captions back.

    Raises:
        CatalogueError: an image's file is gone.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for hit in hits:
            _add(tar, f"{hit.rank:06d}", hit, catalogue)
    return out.getvalue()


def _add(tar: tarfile.TarFile, key: str, hit: Hit, catalogue: Catalogue) -> None:
    item = {k: v for k, v in catalogue.item(hit.item_id).items() if v is not None}
    found = {"found_rank": hit.rank, "found_score": hit.score, "found_as": hit.item_id}
    ending = catalogue.image_ref(hit.item_id).suffix or ".jpg"
    _member(tar, f"{key}{ending}", catalogue.image_bytes(hit.item_id))
    if hit.caption:
        _member(tar, f"{key}.txt", hit.caption.encode())
    left_out = ("item_id", "image", "caption")
    values = {k: v for k, v in item.items() if k not in left_out} | found
    _member(tar, f"{key}.json", _json_bytes(values))


def _member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # time and owner stay zero: the same hits are the same file
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


EXPORTS: dict[str, tuple[str, Callable[[Sequence[Hit], Catalogue], bytes]]] = {
    ".geojson": ("GeoJSON", lambda hits, _: _json_bytes(hits_geojson(hits))),
    ".csv": ("CSV", lambda hits, _: hits_csv(hits).encode()),
    ".parquet": ("GeoParquet", lambda hits, _: hits_geoparquet(hits)),
    ".stac.json": ("STAC item collection", lambda hits, cat: _json_bytes(stac_items(hits, cat))),
    ".json": ("JSON", lambda hits, _: _json_bytes(hits_json(hits))),
    ".tar": ("webdataset shard", hits_shard),
}
"""By ending: what it is called, and hits to bytes."""
