"""STAC items: one JSON file an item, an item collection, or a folder of them (STAC 1.0, 1.1)."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from terraseek.catalogue.importing.lookup import OUTSIDE, inside
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Reading, Record
from terraseek.errors import SourceError

__all__ = ["is_stac", "read_stac"]

_ROLES = ("visual", "thumbnail", "overview", "data")
_OURS = {
    "title": "caption",
    "description": "caption",
    "datetime": "captured_at",
    "start_datetime": "captured_at",
    "gsd": "gsd_m",
    "eo:cloud_cover": "cloud_percent",
    "view:off_nadir": "off_nadir_deg",
    "view:azimuth": "azimuth_deg",
}
"""Properties that are columns of ours; of two for one column the first that is filled counts."""


def is_stac(path: Path) -> bool:
    """Whether a JSON file starts like STAC; only its beginning is read."""
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(1 << 16)
    return '"stac_version"' in start and '"Feature' in start


def read_stac(path: Path) -> Reading:
    """Every item; one whose image is only on the internet becomes an item without an image.

    Raises:
        SourceError: a single file that is no JSON.
    """
    root = path if path.is_dir() else path.parent
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    for file in files:
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            if file == path:
                raise SourceError(f"{path} is no JSON: {error}") from error
            yield Broken(file.name, f"no JSON: {error}")
            continue
        features = value.get("features") if isinstance(value, dict) else None
        if isinstance(features, list):
            for number, item in enumerate(features):
                yield _record(root, file, item, f"{file.name} features[{number}]")
        elif isinstance(value, dict) and value.get("type") == "Feature":
            yield _record(root, file, value, file.name)


def _record(root: Path, file: Path, item: object, name: str) -> Record | Broken:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        return Broken(name, "no STAC item with an id")
    columns: dict[str, Any] = {"img_name": item["id"], **_place(item)}
    if isinstance(item.get("collection"), str):
        columns["collection"] = item["collection"]
    properties = item.get("properties")
    for key, value in (properties if isinstance(properties, dict) else {}).items():
        if value is None or isinstance(value, (dict, list)):
            continue
        columns.setdefault(_OURS.get(key, key.replace(":", "_")), value)
    image, href, outside = _image(root, file.parent, item)
    if image is None and href is None:
        return Broken(name, "no asset of it is a picture")
    if image is None and outside:
        return Broken(name, f"its picture {href} {OUTSIDE}")
    if image is None and not urlsplit(str(href)).netloc:
        return Broken(name, f"its picture {href} is not there")
    if href is not None:
        columns["asset_href"] = href
    return Record(item["id"], image, columns)


def _place(item: dict[str, Any]) -> dict[str, Any]:
    """Centre and outline; a box across the antimeridian has its west east of its east."""
    bbox, geometry = item.get("bbox"), item.get("geometry")
    columns: dict[str, Any] = {}
    if isinstance(geometry, dict) and geometry.get("type") == "Polygon":
        rings = geometry.get("coordinates")
        if isinstance(rings, list) and rings:
            columns["footprint"] = json.dumps(rings[0])
    if isinstance(bbox, list) and len(bbox) in (4, 6) and all(map(_is_number, bbox)):
        west, south, east, north = bbox[0], bbox[1], bbox[len(bbox) // 2], bbox[len(bbox) // 2 + 1]
        middle = (west + east + (360 if west > east else 0)) / 2
        columns |= {"lon": (middle + 180) % 360 - 180, "lat": (south + north) / 2}
    return columns


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _image(
    root: Path, folder: Path, item: dict[str, Any]
) -> tuple[ImageRef | None, str | None, bool]:
    """The best asset that is a file here, and else the address of the best one.

    The last value says that a file was named that lies outside of the source.
    """
    outside = False
    assets = item.get("assets")
    named = assets.items() if isinstance(assets, dict) else ()
    ranked = sorted(
        (_rank(key, asset), number, str(asset["href"]))
        for number, (key, asset) in enumerate(named)
        if isinstance(asset, dict) and _is_image(asset)
    )
    for _, _, href in ranked:
        parts = urlsplit(href)
        if not parts.netloc and parts.scheme in ("", "file"):
            path = folder / unquote(parts.path)
            if path.is_file() and inside(path, root):
                return ImageRef(path.resolve()), href, False
            outside = outside or path.is_file()
    return None, ranked[0][2] if ranked else None, outside


def _is_image(asset: dict[str, Any]) -> bool:
    href = asset.get("href")
    if not isinstance(href, str):
        return False
    ending = Path(urlsplit(href).path).suffix.lower()
    return ending in IMAGE_SUFFIXES or str(asset.get("type", "")).startswith("image/")


def _rank(key: str, asset: dict[str, Any]) -> int:
    roles = asset.get("roles")
    told = {key, *(map(str, roles) if isinstance(roles, list) else ())}
    return next((n for n, role in enumerate(_ROLES) if role in told), len(_ROLES))
