"""Write the HTML page of a heat map."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from terraseek.display import data_url, jpeg_bytes, png_bytes
from terraseek.files import output_errors, write_text
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colour.palette import css_colour_of_level
from terraseek.localization.output.colour.scale import LIKELY_AT, POSSIBLE_AT, ColourScale
from terraseek.localization.output.outlines import area_text
from terraseek.localization.output.regions import Region, lowest_score, regions
from terraseek.significance.words import WORDS, scene_text
from terraseek.version import __version__

if TYPE_CHECKING:
    from shapely import Polygon

__all__ = ["heat_html", "write_html"]

_FOLDER = Path(__file__).parent
_SIDE = 1536
"""Longest side in pixels of the images in the page."""
_BACKGROUND = (42, 47, 54)
"""RGB around the scene, and of its invalid pixels."""
_GRID = 24
"""Steps per axis of the grid from which the page interpolates longitude and latitude."""


def write_html(
    heat: HeatMap,
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> Path:
    """Write `heat_html`, completely or not at all; see there.

    Args:
        heat: the heat map.
        path: file to write.
        threshold: see `regions`.
        percentile: see `regions`.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        `path`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    page = heat_html(heat, threshold, percentile, stretch)
    with output_errors(path):
        write_text(path, page)
    return path


def heat_html(
    heat: HeatMap,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> str:
    """One page with the scene, the heat map over it, outlines and a table of regions.

    The scene is in its own pixels, which can be moved and zoomed; threshold and opacity change in
    the page. Under the cursor it shows the score, and longitude and latitude of a located scene
    (interpolated between 25 x 25 exact places). It loads nothing.

    Args:
        heat: the heat map; without the file of its scene the background is empty.
        threshold: see `regions`.
        percentile: see `regions`.
        stretch: see `HeatMap.colour_scale`.

    Raises:
        ConfigError: see `regions`.
        SceneError: the pixels cannot be decoded.
    """
    found = regions(heat, threshold, percentile)
    lowest = lowest_score(heat, threshold, percentile)
    level = heat.significance
    colour, scale = css_colour_of_level(level), heat.colour_scale(stretch)
    text = "Significance unknown." if level is None else scene_text(level, heat.probability)
    data = json.dumps(_data(heat, found, lowest, scale), ensure_ascii=True, allow_nan=False)
    return Template((_FOLDER / "map.html").read_text("utf-8")).substitute(
        title=html.escape(f"Where is {heat.question}? {heat.scene_name}"),
        question=html.escape(heat.question),
        level=html.escape(text),
        colour=colour,
        low=f"{scale.low:.3f} ({'no evidence' if scale.by_level else 'median'})",
        high=f"{scale.high:.3f}",
        marks=_ramp_marks(scale),
        note=scale.note,
        lowest=f"{lowest:.3f}",
        source=html.escape(_source(heat)),
        scene=_scene_url(heat),
        css=Template((_FOLDER / "map.css").read_text("utf-8")).substitute(colour=colour),
        data=data.replace("<", "\\u003c"),  # "</script" would end the script element
        script=(_FOLDER / "map.js").read_text("utf-8"),
    )


def _ramp_marks(scale: ColourScale) -> str:
    """The beginnings of the levels as marks along the ramp."""
    if not scale.by_level:
        return ""
    marks = ((POSSIBLE_AT, WORDS["possible"]), (LIKELY_AT, WORDS["likely"]))
    return "".join(f'<span style="left:{100 * at:g}%">{word}</span>' for at, word in marks)


def _source(heat: HeatMap) -> str:
    gsd = "" if heat.georef.gsd_m is None else f", {heat.georef.gsd_m:.3g} m per pixel"
    pixels = "" if heat.georef.located else ", no coordinates: places are columns and rows"
    return (
        f"{heat.scene_name}, {heat.width:,} x {heat.height:,} px{gsd}{pixels} · {heat.encoder_id} "
        f"· method {heat.method}, windows {', '.join(map(str, heat.scales))} px · TerraSeek "
        f"{__version__}"
    )


def _scene_url(heat: HeatMap) -> str:
    image = heat.scene_image(_SIDE)
    rgb = np.full((1, 1, 3), _BACKGROUND, np.uint8)
    if image is not None:
        rgb = np.where(image[1][..., None], image[0], np.array(_BACKGROUND, np.uint8))
    return data_url(jpeg_bytes(rgb), "image/jpeg")


def _data(
    heat: HeatMap, found: Sequence[Region], lowest: float, scale: ColourScale
) -> dict[str, Any]:
    factor = min(1.0, _SIDE / max(heat.width, heat.height))
    height, width = (max(1, round(side * factor)) for side in (heat.height, heat.width))
    rows = (np.arange(height) + 0.5) * (heat.height / height)
    cols = (np.arange(width) + 0.5) * (heat.width / width)
    score = heat.sample(rows, cols)
    values, valid = scale.values(score), np.isfinite(score) * np.uint8(255)
    return {
        "width": heat.width,
        "height": heat.height,
        "low": scale.low,
        "high": scale.high,
        "by_level": scale.by_level,
        "threshold": round(255 * scale.position(lowest)),
        "colours": scale.painted_table.tolist(),  # the page's slider takes a part of the opacity
        "heat": data_url(png_bytes(np.dstack([values, valid, values])), "image/png"),
        "lonlat": _lonlat_grid(heat),
        "regions": [_region(heat, region) for region in found],
    }


def _lonlat_grid(heat: HeatMap) -> list[list[list[float] | None]] | None:
    """[lon, lat] at the crossings of a regular grid over the scene, continuous across 180 degrees.

    None without a location; crossings that are not on the globe are None.
    """
    if not heat.georef.located:
        return None
    steps = np.linspace(0, 1, _GRID + 1)
    cols, rows = np.meshgrid(steps * heat.width, steps * heat.height)
    lon, lat = heat.georef.lonlat(cols, rows)
    middle = heat.georef.pixel_to_lonlat(heat.width / 2, heat.height / 2)
    if middle is not None:
        lon = lon - 360 * np.round((lon - middle[0]) / 360)
    return [
        [[round(x, 7), round(y, 7)] if np.isfinite(x) else None for x, y in zip(*line, strict=True)]
        for line in zip(lon.tolist(), lat.tolist(), strict=True)
    ]


def _region(heat: HeatMap, region: Region) -> dict[str, Any]:
    peak, area = region.peak, region.area_m2
    level = heat.level_at(peak.score)
    place = f"column {peak.col}, row {peak.row}"
    if peak.lat is not None and peak.lon is not None:
        place = f"{peak.lat:.5f}, {peak.lon:.5f}"
    size = f"{region.area_px:,.0f} px²" if area is None else area_text(area)
    col0, row0, col1, row1 = region.polygon.bounds
    around = max(col1 - col0, row1 - row0) / 2
    return {
        "score": f"{peak.score:.3f}",
        "colour": css_colour_of_level(level),
        "level": "" if level is None else WORDS[level],
        "place": place,
        "area": size,
        "path": _svg_path(region.polygon),
        "box": [col0 - around, row0 - around, col1 + around, row1 + around],
    }


def _svg_path(polygon: "Polygon") -> str:
    rings = (polygon.exterior, *polygon.interiors)
    return " ".join(
        "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in ring.coords[:-1]) + "Z" for ring in rings
    )
