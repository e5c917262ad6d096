"""Export of hits to files; the extension of the file name selects the format."""

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.catalogue import Catalogue
from terraseek.catalogue.tars import add_member
from terraseek.errors import ConfigError
from terraseek.files import atomic_path
from terraseek.search.export.provenance import Provenance
from terraseek.search.export.stac import stac_items
from terraseek.search.hits import HIT_COLUMNS, Hit, hits_csv, hits_geojson, hits_json

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
    "probability",
)  # fmt: skip


def write_hits(
    path: Path, hits: Sequence[Hit], catalogue: Catalogue, provenance: Provenance | None = None
) -> str:
    """Write hits to a file, atomically, and return the name of the format.

    Args:
        path: with an extension of `EXPORTS`.
        hits: best first.
        catalogue: in which they were found.
        provenance: the request they answer, which the file then carries.

    Raises:
        ConfigError: no format has this extension.
        CatalogueError: an image for the shard is missing.
    """
    kind = export_kind(path.name)
    with atomic_path(path) as part:
        part.write_bytes(export_bytes(kind, hits, catalogue, provenance))
    return EXPORTS[kind][0]


def export_kind(name: str) -> str:
    """Return the extension of a file name that selects the format.

    Raises:
        ConfigError: no format has this extension.
    """
    for extension in EXPORTS:
        if name.lower().endswith(extension):
            return extension
    formats = ", ".join(f"{extension} ({title})" for extension, (title, _) in EXPORTS.items())
    raise ConfigError(f"{name!r} has no extension of a known format; use one of {formats}")


def export_bytes(
    kind: str, hits: Sequence[Hit], catalogue: Catalogue, provenance: Provenance | None = None
) -> bytes:
    """Return the content of a file with an extension of `EXPORTS`; see `write_hits`."""
    return EXPORTS[kind][1](hits, catalogue, provenance)


def _json_bytes(value: Any) -> bytes:  # noqa: ANN401 - JSON is any of these
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode()


def hits_geoparquet(hits: Sequence[Hit], provenance: Provenance | None = None) -> bytes:
    """Convert hits to GeoParquet 1.1: `HIT_COLUMNS` and a WKB point, null without a place.

    The request is JSON under the key `terraseek` of the file's metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [hit.to_dict() for hit in hits]
    columns: dict[str, pa.Array] = {
        name: pa.array([row[name] for row in rows], arrow_type(name)) for name in HIT_COLUMNS
    }
    points = [_wkb(hit.lon, hit.lat) for hit in hits]
    columns["geometry"] = pa.array(points, pa.binary())
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
    }
    out = io.BytesIO()
    metadata = {b"geo": json.dumps(geo).encode()}
    if provenance is not None:
        metadata[b"terraseek"] = _json_bytes({"request": provenance.to_json()})
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _wkb(lon: float | None, lat: float | None) -> bytes | None:
    import shapely

    if lon is None or lat is None:
        return None
    point: bytes = shapely.to_wkb(shapely.Point(lon, lat))
    return point


def arrow_type(name: str) -> "pa.DataType":
    """Return the Arrow type of a column, also for columns without any value."""
    import pyarrow as pa

    if name in _FLOATS:
        return pa.float64()
    return {"rank": pa.int64(), "matched": pa.int64(), "convincing": pa.bool_()}.get(
        name, pa.string()
    )


def hits_shard(
    hits: Sequence[Hit], catalogue: Catalogue, provenance: Provenance | None = None
) -> bytes:
    """Convert hits to a webdataset shard with `000001.jpg`, `.txt` and `.json` of each, best first.

    Image files are copied unchanged. `.json` has all columns of the item, its rank, its score and
    the request, so that `terraseek import` restores places and captions.

    Raises:
        CatalogueError: an image file is missing.
    """
    out = io.BytesIO()
    row = {} if provenance is None else provenance.row()
    asked = {f"found_by_{name}": value for name, value in row.items()}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for hit in hits:
            _add(tar, f"{hit.rank:06d}", hit, catalogue, asked)
    return out.getvalue()


def _add(
    tar: tarfile.TarFile, key: str, hit: Hit, catalogue: Catalogue, asked: dict[str, str]
) -> None:
    item = {k: v for k, v in catalogue.item(hit.item_id).items() if v is not None}
    found = {"found_rank": hit.rank, "found_score": hit.score, "found_as": hit.item_id}
    ending = catalogue.image_ref(hit.item_id).suffix or ".jpg"
    add_member(tar, f"{key}{ending}", catalogue.image_bytes(hit.item_id))
    if hit.caption:
        add_member(tar, f"{key}.txt", hit.caption.encode())
    left_out = ("item_id", "image", "caption")
    values = {k: v for k, v in item.items() if k not in left_out} | found | asked
    add_member(tar, f"{key}.json", _json_bytes(values))


def _json(hits: Sequence[Hit], _: Catalogue, provenance: Provenance | None) -> bytes:
    return _json_bytes(hits_json(hits, None if provenance is None else provenance.row()))


def _geojson(hits: Sequence[Hit], _: Catalogue, provenance: Provenance | None) -> bytes:
    return _json_bytes(hits_geojson(hits, None if provenance is None else provenance.to_json()))


def _csv(hits: Sequence[Hit], _: Catalogue, provenance: Provenance | None) -> bytes:
    return hits_csv(hits, None if provenance is None else provenance.row()).encode()


def _stac(hits: Sequence[Hit], catalogue: Catalogue, provenance: Provenance | None) -> bytes:
    asked = {} if provenance is None else {"terraseek:request": provenance.to_json()}
    return _json_bytes(stac_items(hits, catalogue) | asked)


EXPORTS: dict[str, tuple[str, Callable[[Sequence[Hit], Catalogue, Provenance | None], bytes]]] = {
    ".geojson": ("GeoJSON", _geojson),
    ".csv": ("CSV", _csv),
    ".parquet": ("GeoParquet", lambda hits, _, asked: hits_geoparquet(hits, asked)),
    ".stac.json": ("STAC item collection", _stac),
    ".json": ("JSON", _json),
    ".tar": ("webdataset shard", hits_shard),
}
"""Name of the format and conversion function, by file extension."""
