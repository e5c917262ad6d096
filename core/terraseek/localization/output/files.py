"""The files that can be made from one heat map, by name: what pages, HTTP API and ZIP offer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from terraseek.errors import ConfigError
from terraseek.files import write_text
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.cog import write_cog
from terraseek.localization.output.colour.qgis_style import write_style
from terraseek.localization.output.figure.write import write_figure
from terraseek.localization.output.geojson import write_regions
from terraseek.localization.output.geopackage.write import write_geopackage
from terraseek.localization.output.html_map.write import write_html
from terraseek.localization.output.numbers import map_numbers

__all__ = ["HEAT_FILES", "HeatFile", "write_heat_file"]

WriteFile = Callable[[HeatMap, Path, float | None, float | None, bool], object]
"""Writes a file; the numbers are threshold and percentile, see `regions`, and the last value is the
`stretch` of `HeatMap.colour_scale`."""


@dataclass(frozen=True, slots=True)
class HeatFile:
    """A file made from a heat map."""

    title: str
    """What it is, for a button."""
    media_type: str
    write: WriteFile


def _without_colours(
    write: Callable[[HeatMap, Path, float | None, float | None], object],
) -> WriteFile:
    """A writer for files that have no colours of scores."""
    return lambda heat, path, threshold, percentile, _: write(heat, path, threshold, percentile)


def _write_cog(
    heat: HeatMap, path: Path, threshold: float | None, percentile: float | None
) -> None:
    write_cog(heat, path, threshold=threshold, percentile=percentile)


def _write_numbers(
    heat: HeatMap, path: Path, threshold: float | None, percentile: float | None
) -> None:
    numbers = map_numbers(heat, threshold, percentile)
    write_text(path, json.dumps(numbers, ensure_ascii=False, allow_nan=False, indent=2))


def _write_style(
    heat: HeatMap, path: Path, threshold: float | None, percentile: float | None, stretch: bool
) -> None:
    write_style(heat, path, stretch)


HEAT_FILES = {
    "heat.tif": HeatFile("Heat map (COG)", "image/tiff", _without_colours(_write_cog)),
    "heat.qml": HeatFile("Style of the COG (QGIS)", "application/xml", _write_style),
    "regions.geojson": HeatFile(
        "Regions (GeoJSON)", "application/geo+json", _without_colours(write_regions)
    ),
    "regions.gpkg": HeatFile(
        "Regions (GeoPackage)", "application/geopackage+sqlite3", _without_colours(write_geopackage)
    ),
    "figure.png": HeatFile("Figure (PNG)", "image/png", write_figure),
    "figure.pdf": HeatFile("Figure (PDF)", "application/pdf", write_figure),
    "map.html": HeatFile("Map (HTML)", "text/html", write_html),
    "numbers.json": HeatFile(
        "Numbers (JSON)", "application/json", _without_colours(_write_numbers)
    ),
}
"""Files by name."""


def write_heat_file(
    name: str,
    heat: HeatMap,
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> None:
    """Write one of `HEAT_FILES`, completely or not at all.

    Args:
        name: its name in `HEAT_FILES`.
        heat: the heat map.
        path: file to write, with the suffix of `name`.
        threshold: see `regions`.
        percentile: see `regions`.
        stretch: see `HeatMap.colour_scale`.

    Raises:
        ConfigError: there is no such file, or see `regions`.
        OutputError: the disk is full or the folder cannot be written to.
    """
    if name not in HEAT_FILES:
        known = ", ".join(HEAT_FILES)
        raise ConfigError(f"a heat map has no file {name!r}; it has {known}")
    HEAT_FILES[name].write(heat, path, threshold, percentile, stretch)
