"""Metadata of published sources as columns of items: FMoW, BigEarthNet and YFCC."""

import ast
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from terraseek.catalogue.metadata.dates import iso_date

__all__ = [
    "bigearthnet_columns",
    "fmow_columns",
    "read_metadata",
    "relative_location",
    "yfcc_columns",
]

_BLOCKS = (
    "Top-left",
    "Top-center",
    "Top-right",
    "Center-left",
    "Center",
    "Center-right",
    "Bottom-left",
    "Bottom-center",
    "Bottom-right",
)
_POINT = re.compile(r"\(\(\s*(-?[\d.]+)\s+(-?[\d.]+)")
_ZONE = re.compile(r"UTM zone (\d{1,2})([NS])")


def fmow_columns(value: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of one FMoW ground-truth JSON.

    The position is the first vertex of the scene's outline, a corner. Class and box are those of
    the second bounding box; the first is the whole scene.
    """
    boxes = value.get("bounding_boxes") or []
    outline = _POINT.search(str(boxes[0].get("raw_location", ""))) if boxes else None
    target = boxes[1] if len(boxes) > 1 else {}
    columns: dict[str, Any] = {
        "country": str(value.get("country_code") or ""),
        "utm": str(value.get("utm") or ""),
        "utm_kind": "latitude_band",
        "captured_at": iso_date(value.get("timestamp")),
        "gsd_m": value.get("gsd") or value.get("multi_resolution_dbl"),
        "cloud_cover": value.get("cloud_cover"),
        "scan_direction": str(value.get("scan_direction") or "").lower(),
        "target_azimuth": value.get("target_azimuth_dbl"),
        "off_nadir": value.get("off_nadir_angle_dbl"),
        "label": str(target.get("category") or "").lower(),
    }
    if outline:
        columns |= {
            "lon": float(outline[1]),
            "lat": float(outline[2]),
            "location_precision": "point",
        }
    size = (value.get("img_width"), value.get("img_height"))
    if target.get("box") and all(size):
        columns["relative_location"] = relative_location(target["box"], size)  # type: ignore[arg-type]
    return {key: found for key, found in columns.items() if found not in (None, "")}


def relative_location(
    box: Sequence[float], size: tuple[float, float], as_published: bool = False
) -> str:
    """Where a box lies in a grid of 3 x 3 blocks: `center and top-left blocks`.

    The two blocks with the largest overlap are named. A box inside one block gives that block
    alone; as published, the first block without overlap is named as well.

    Args:
        box: x, y, width, height in pixels.
        size: width and height of the image in pixels.
        as_published: name a second block even if the box does not touch it.
    """
    width, height = size
    areas = []
    for n in range(9):
        left, top = n % 3 * width / 3, n // 3 * height / 3
        across = min(box[0] + box[2], left + width / 3) - max(box[0], left)
        down = min(box[1] + box[3], top + height / 3) - max(box[1], top)
        areas.append(max(0.0, across) * max(0.0, down))
    order = sorted(range(9), key=lambda n: (-areas[n], n))
    first, second = (_BLOCKS[n].lower() for n in order[:2])
    if areas[order[1]] <= 0 and not as_published:
        return f"{first} block"
    return f"{first} and {second} blocks"


def bigearthnet_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a row of BigEarthNet's table: labels, projection and time.

    The letter of its UTM zone is a hemisphere, so `utm_kind` says so.
    """
    labels = row.get("labels") or ""
    if isinstance(labels, str):
        try:
            labels = ast.literal_eval(labels)
        except (ValueError, SyntaxError):
            labels = [labels]
    zone = _ZONE.search(str(row.get("projection") or ""))
    columns = {
        "label": ", ".join(str(label).lower().replace("_", "-") for label in labels),
        "captured_at": iso_date(row.get("acquisition_time") or row.get("timestamp")),
        "utm": f"{int(zone[1])}{zone[2]}" if zone else "",
        "utm_kind": "hemisphere" if zone else "",
    }
    return {key: found for key, found in columns.items() if found}


def yfcc_columns(line: str) -> dict[str, Any]:
    """Columns of a line of YFCC100M's metadata: 23 fields separated by tabs, from photo id on."""
    fields = line.rstrip("\n").split("\t")
    if len(fields) < 15:
        return {}
    columns: dict[str, Any] = {
        "key": fields[0],
        "url": fields[14],
        "captured_at": iso_date(fields[3].partition(".")[0]),
        "caption": unquote_plus(fields[6]),
        "tags": unquote_plus(fields[8]),
    }
    if fields[10] and fields[11]:
        columns |= {
            "lon": float(fields[10]),
            "lat": float(fields[11]),
            "location_precision": "point",
        }
    return {key: found for key, found in columns.items() if found not in ("", None)}


def read_metadata(path: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and columns of each entry of a metadata file or folder.

    Args:
        path: folder of FMoW's JSON files, BigEarthNet's CSV, or a file of YFCC lines.
        kind: `fmow`, `bigearthnet` or `yfcc`.
    """
    if kind == "fmow":
        for file in sorted(Path(path).rglob("*.json")):
            yield file.stem, fmow_columns(json.loads(file.read_text(encoding="utf-8")))
        return
    with Path(path).open(encoding="utf-8", newline="") as lines:
        if kind == "yfcc":
            for line in lines:
                columns = yfcc_columns(line)
                if columns:
                    yield str(columns.pop("key")), columns
            return
        for row in csv.reader(lines):
            named = {"labels": row[2], "projection": row[-2], "timestamp": row[-1]}
            yield row[1], bigearthnet_columns(named)
