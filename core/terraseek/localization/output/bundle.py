"""One ZIP with every file of a heat map and the request that gives it again."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from terraseek.encoders import get_card
from terraseek.errors import UnknownModelError
from terraseek.files import atomic_path, output_errors, write_json
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.files import HEAT_FILES
from terraseek.localization.output.provenance import provenance
from terraseek.localization.output.regions import lowest_score
from terraseek.version import __version__

__all__ = ["request_json", "write_bundle", "zip_files"]

_COMPRESSED = (".tif", ".png", ".pdf")
"""Suffixes of files that are compressed already."""


def request_json(
    heat: HeatMap,
    threshold: float | None = None,
    percentile: float | None = None,
    scene_param: str = "",
    stretch: bool = False,
) -> dict[str, Any]:
    """Everything that is needed to get a heat map again.

    Args:
        heat: the heat map.
        threshold: see `regions`.
        percentile: see `regions`.
        scene_param: the scene as in links to the Localize page of a server, if it has one.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        `provenance` with the question as text, threshold, significance, the model with the hash of
        its weights, the link below the address of a server, and the version of TerraSeek.
    """
    found = provenance(heat, threshold, percentile, stretch)
    params = ({"scene": scene_param} if scene_param else {}) | found["parameters"]
    return found | {
        "question": heat.question,
        "lowest_score": lowest_score(heat, threshold, percentile),
        "significance": heat.significance,
        "probability": heat.probability,
        "space": "EPSG:4326" if heat.georef.located else "pixel",
        "model": {"encoder": heat.encoder_id, "weights_sha256": _weights_sha256(heat)},
        "link": f"/localize?{urlencode(params, doseq=True)}",
        "terraseek": __version__,
    }


def _weights_sha256(heat: HeatMap) -> str | None:
    """Hash of the model's weights by its card; None where the card has none."""
    try:
        return get_card(heat.encoder_id.partition("@")[0]).weights.sha256
    except UnknownModelError:
        return None


def write_bundle(
    heat: HeatMap,
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
    scene_param: str = "",
    stretch: bool = False,
) -> Path:
    """Write a ZIP of all `HEAT_FILES` and `request.json`, completely or not at all.

    Args:
        heat: the heat map.
        path: file to write.
        threshold: see `regions`.
        percentile: see `regions`.
        scene_param: see `request_json`.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        `path`.

    Raises:
        ConfigError: see `regions`.
        SceneError: the pixels of the scene cannot be decoded.
        OutputError: the disk is full or the folder cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix="terraseek-zip-") as folder:
        made = []
        for name, kind in HEAT_FILES.items():
            made.append(Path(folder) / name)
            kind.write(heat, made[-1], threshold, percentile, stretch)
        made.append(Path(folder) / "request.json")
        write_json(made[-1], request_json(heat, threshold, percentile, scene_param, stretch))
        zip_files(path, made)
    return path


def zip_files(path: Path, files: list[Path], below: Path | None = None) -> None:
    """Write files into a ZIP, completely or not at all.

    Args:
        path: file to write.
        files: its members.
        below: folder to which the members' names are relative; default: names without folders.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    with (
        output_errors(path),
        atomic_path(path) as part,
        zipfile.ZipFile(part, "w") as target,
    ):
        for file in files:
            stored = file.suffix in _COMPRESSED
            name = file.name if below is None else file.relative_to(below).as_posix()
            kind = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            target.write(file, name, kind)
