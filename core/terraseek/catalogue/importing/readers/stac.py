"""STAC 1.0 and 1.1: an item, an item collection, or a folder of items as JSON files."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from terraseek.catalogue.importing.lookup import OUTSIDE_SOURCE, is_inside
from terraseek.catalogue.importing.readers.caption_json import is_caption_json
from terraseek.catalogue.importing.readers.projected import projected_location
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.metadata.outline import centre_of_box, location_columns, parse_geometry
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record, Records
from terraseek.errors import SourceError
from terraseek.text_files import read_text, read_text_start

__all__ = ["STAC", "is_stac", "read_stac"]

_MAX_BYTES = 1 << 24
"""Length of the text in which `stac_version` is looked for: keys may be in any order, and a
footprint of thousands of corners may come first."""
_ROLES = ("visual", "thumbnail", "overview", "data")
"""Roles or keys of assets that are images, best first."""
_COLUMN_OF = {
    "title": "caption",
    "description": "caption",
    "datetime": "captured_at",
    "start_datetime": "captured_at",
    "gsd": "gsd_m",
    "eo:cloud_cover": "cloud_percent",
    "view:off_nadir": "off_nadir_deg",
    "view:azimuth": "azimuth_deg",
}
"""Catalogue column of a STAC property; of two properties for one column, the first one is used."""


def is_stac(path: Path) -> bool:
    """Whether a JSON file has the keys of STAC ."""
    text = read_text_start(path, _MAX_BYTES)
    return '"stac_version"' in text and '"Feature' in text


def read_stac(path: Path) -> Records:
    """Read every item; one whose image is only on the internet has no image in the catalogue.

    Raises:
        SourceError: `path` is a file that is not JSON.
    """
    root = path if path.is_dir() else path.parent
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    for file in files:
        try:
            value = json.loads(read_text(file))
        except (ValueError, SourceError) as error:
            if file == path:
                raise SourceError(f"{path} is not JSON: {error}") from error
            yield Broken(file.name, f"not JSON: {error}")
            continue
        features = value.get("features") if isinstance(value, dict) else None
        if isinstance(features, list):
            for number, item in enumerate(features):
                yield _record(root, file, item, f"{file.name} features[{number}]")
        elif isinstance(value, dict) and value.get("type") == "Feature":
            yield _record(root, file, value, file.name)


def _record(root: Path, file: Path, item: object, name: str) -> Record | Broken:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        return Broken(name, "not a STAC item with an id")
    columns: dict[str, Any] = {"img_name": item["id"], **_location(item)}
    if isinstance(item.get("collection"), str):
        columns["collection"] = item["collection"]
    properties = item.get("properties")
    for key, value in (properties if isinstance(properties, dict) else {}).items():
        if value is None or isinstance(value, (dict, list)):
            continue
        columns.setdefault(_COLUMN_OF.get(key, key.replace(":", "_")), value)
    asset = _best_image(root, file.parent, item)
    if asset is None:
        return Broken(name, "none of its assets is an image")
    if asset.image is None and asset.outside:
        return Broken(name, f"its image {asset.href} {OUTSIDE_SOURCE}")
    if asset.image is None and not urlsplit(asset.href).netloc:
        return Broken(name, f"its image {asset.href} does not exist")
    columns["asset_href"] = asset.href
    return Record(item["id"], asset.image, columns)


def _location(item: dict[str, Any]) -> dict[str, Any]:
    """Centre and footprint: of the geometry, else of the box, else of the projection extension.

    The geometry comes first because the box of an item across the antimeridian is often written
    as -180 to 180.
    """
    geometry = parse_geometry(item.get("geometry"))
    columns = {} if geometry is None else location_columns(geometry)
    if columns:
        return columns
    bbox = item.get("bbox")
    if isinstance(bbox, list) and len(bbox) in (4, 6) and all(map(_is_number, bbox)):
        middle = len(bbox) // 2
        lon, lat = centre_of_box(bbox[0], bbox[1], bbox[middle], bbox[middle + 1])
        return {"lon": lon, "lat": lat}
    properties = item.get("properties")
    return projected_location(properties) if isinstance(properties, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _ImageAsset(NamedTuple):
    """The asset of an item that is its image."""

    image: ImageRef | None
    """Its file; None if it is not on this computer."""
    href: str
    """Its address in the item."""
    outside: bool
    """Whether an asset names a file outside of the source, which is not read."""


def _best_image(root: Path, folder: Path, item: dict[str, Any]) -> _ImageAsset | None:
    """The best image asset that is a file of the source, else the best one; None without any."""
    assets = item.get("assets")
    named = assets.items() if isinstance(assets, dict) else ()
    ranked = sorted(
        (_rank(key, asset), number, str(asset["href"]))
        for number, (key, asset) in enumerate(named)
        if isinstance(asset, dict) and _is_image(asset)
    )
    outside = False
    for _, _, href in ranked:
        parts = urlsplit(href)
        if not parts.netloc and parts.scheme in ("", "file"):
            path = folder / unquote(parts.path)
            if path.is_file() and is_inside(path, root):
                return _ImageAsset(ImageRef(path.resolve()), href, False)
            outside = outside or path.is_file()
    return _ImageAsset(None, ranked[0][2], outside) if ranked else None


def _is_image(asset: dict[str, Any]) -> bool:
    href = asset.get("href")
    if not isinstance(href, str):
        return False
    ending = Path(urlsplit(href).path).suffix.lower()
    return ending in IMAGE_SUFFIXES or str(asset.get("type", "")).startswith("image/")


def _rank(key: str, asset: dict[str, Any]) -> int:
    roles = asset.get("roles")
    names = {key, *(map(str, roles) if isinstance(roles, list) else ())}
    return next((n for n, role in enumerate(_ROLES) if role in names), len(_ROLES))


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return any(is_stac(file) for file in islice(path.rglob("*.json"), 3))
    suffix = path.suffix.lower()
    is_json = suffix == ".geojson" or (suffix == ".json" and not is_caption_json(path))
    return is_json and is_stac(path)


def _open(path: Path, images: Path | None) -> OpenedSource:
    name = path.name if path.is_dir() else path.stem
    return OpenedSource("stac", name, path, lambda: read_stac(path))


STAC = Reader("stac", _recognises, _open)
