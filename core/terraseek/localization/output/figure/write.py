"""Draw the figure of a heat map, and write it as PNG or PDF."""

from pathlib import Path

from PIL import Image, ImageDraw

from terraseek.errors import ConfigError
from terraseek.files import atomic_path, output_errors
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colour.palette import colour_of_level
from terraseek.localization.output.figure.legend import (
    DARK,
    GREY,
    SMALL,
    draw_legend,
    draw_north,
    draw_scale_bar,
)
from terraseek.localization.output.figure.map_image import draw_map
from terraseek.localization.output.figure.map_scale import north_direction, scale_bar
from terraseek.localization.output.figure.text import (
    CODES_NOTE,
    draw_lines,
    fit_text,
    font,
    readable,
    wrap,
)
from terraseek.localization.output.regions import lowest_score, regions
from terraseek.significance.words import scene_text
from terraseek.version import __version__

__all__ = ["DPI", "draw_figure", "write_figure"]

DPI = 200
"""Pixels per inch of the canvas."""
_WIDTH, _HEIGHT = 2339, 1654
"""A4 across."""
_MARGIN = 70
_LEGEND_WIDTH = 540
_BELOW_MAP = 190
"""Rows below the map for scale bar, arrow and source."""
_TITLE, _LEVEL = 52, 34


def draw_figure(
    heat: HeatMap,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> Image.Image:
    """A page at 200 dpi: question, significance, map, legend, scale bar and north arrow.

    It is as wide as A4 across and at most as high.

    The arrow and the bar are measured on the scene's grid, so they are also right where it is
    rotated. A scene that is not located has a bar in pixels and no arrow.

    Args:
        heat: the heat map.
        threshold: see `regions`.
        percentile: see `regions`.
        stretch: see `HeatMap.colour_scale`.

    Raises:
        ConfigError: see `regions`.
        SceneError: the pixels cannot be decoded.
    """
    found = regions(heat, threshold, percentile)
    lowest = lowest_score(heat, threshold, percentile)
    canvas = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    top = _draw_title(ImageDraw.Draw(canvas), heat)
    room = (_WIDTH - 3 * _MARGIN - _LEGEND_WIDTH, _HEIGHT - top - _BELOW_MAP)
    factor = min(room[0] / heat.width, room[1] / heat.height)
    size = max(1, round(heat.height * factor)), max(1, round(heat.width * factor))
    canvas.paste(Image.fromarray(draw_map(heat, found, size, stretch=stretch)), (_MARGIN, top))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle(
        [_MARGIN - 2, top - 2, _MARGIN + size[1] + 1, top + size[0] + 1], outline=DARK, width=2
    )
    legend = (_WIDTH - _MARGIN - _LEGEND_WIDTH, top)
    scale = heat.colour_scale(stretch)
    legend_end = draw_legend(canvas, legend, _LEGEND_WIDTH, heat, found, lowest, scale)
    end = _draw_below(draw, heat, top + size[0] + 28, factor)
    return canvas.crop((0, 0, _WIDTH, max(end, legend_end) + _MARGIN // 2))


def _draw_below(draw: ImageDraw.ImageDraw, heat: HeatMap, top: int, factor: float) -> int:
    """Scale bar, north arrow and source; returns the row below them.

    Args:
        draw: of the page.
        heat: the heat map.
        top: row at which to begin.
        factor: page pixels per pixel of the scene.
    """
    bar = scale_bar(heat.georef, min(heat.width, 900 / factor) / 2)
    draw_scale_bar(draw, (_MARGIN, top), bar, factor)
    text_width = _WIDTH - 3 * _MARGIN - _LEGEND_WIDTH - 150
    north = north_direction(heat.georef)
    if north is not None:
        draw_north(draw, (_MARGIN + text_width + 100, top + 76), north)
    text = readable(_source(heat))
    if readable(heat.question) != heat.question or text != _source(heat):
        text = f"{text} · {CODES_NOTE}"
    source = wrap(text, font(SMALL, text), text_width)
    end = draw_lines(draw, (_MARGIN, top + 44), source, font(SMALL, text), SMALL, GREY)
    return max(round(end), top + 160)


def _draw_title(draw: ImageDraw.ImageDraw, heat: HeatMap) -> int:
    """Question and significance; returns the row at which the map begins."""
    width = _WIDTH - 2 * _MARGIN
    lines, letters, size = fit_text(readable(f"“{heat.question}”"), _TITLE, width, 3)
    top = draw_lines(draw, (_MARGIN, _MARGIN - 14), lines, letters, size, DARK)
    text = "Significance unknown: this model or query has no calibration."
    if heat.significance is not None:
        text = scene_text(heat.significance, heat.probability)
    draw.rectangle([_MARGIN, top + 14, _MARGIN + 26, top + 40], colour_of_level(heat.significance))
    lines = wrap(text, font(_LEVEL), width - 44)
    top = draw_lines(draw, (_MARGIN + 44, top + 6), lines, font(_LEVEL), _LEVEL, DARK)
    return round(top + 26)


def _source(heat: HeatMap) -> str:
    """Scene, its grid, model and method in one sentence."""
    gsd, crs = heat.georef.gsd_m, heat.crs
    place = "no coordinates: positions are in pixels"
    if heat.georef.located and crs is not None:
        epsg = crs.to_epsg()
        place = f"EPSG:{epsg}" if epsg else "custom CRS"
    parts = [
        f"{heat.scene_name}, {heat.width:,} x {heat.height:,} px",
        *([f"{gsd:.3g} m per pixel"] if gsd else []),
        place,
        f"model {heat.encoder_id}",
        f"method {heat.method}, windows {', '.join(map(str, heat.scales))} px",
        f"TerraSeek {__version__}",
    ]
    return " · ".join(parts)


def write_figure(
    heat: HeatMap,
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> Path:
    """Write `draw_figure` as PNG or PDF, completely or not at all.

    Args:
        heat: the heat map.
        path: file ending in `.png` or `.pdf`.
        threshold: see `regions`.
        percentile: see `regions`.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        `path`.

    Raises:
        ConfigError: the file ends with neither, or see `regions`.
        SceneError: the pixels cannot be decoded.
        OutputError: the disk is full or the folder cannot be written to.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf"):
        raise ConfigError(f"{path.name!r} must end with .png or .pdf, the formats of figures")
    canvas = draw_figure(heat, threshold, percentile, stretch)
    with output_errors(path), atomic_path(path) as part:
        if kind == "png":
            canvas.save(part, "PNG", dpi=(DPI, DPI))
        else:
            canvas.save(
                part, "PDF", resolution=DPI, quality=92, title=heat.question,
                subject=heat.scene_name, producer=f"TerraSeek {__version__}",
            )  # fmt: skip
    return path
