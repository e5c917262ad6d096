"""Style of a heat map's COG for QGIS: the colours of pages and figures, at the same scores."""

from pathlib import Path
from xml.etree import ElementTree

from terraseek.files import output_errors, write_text
from terraseek.localization.heatmap import HeatMap

__all__ = ["heat_qml", "write_style"]

_STOPS = (0, 32, 63, 74, 96, 127, 160, 192, 224, 255)
"""Values 0-255 whose colours are in the file; 63 and 74 are both sides of the level possible."""


def heat_qml(heat: HeatMap, stretch: bool = False) -> str:
    """A pseudocolour style of the first band; QGIS takes it from `X.qml` beside `X.tif`.

    Args:
        heat: the heat map.
        stretch: see `HeatMap.colour_scale`.
    """
    scale = heat.colour_scale(stretch)
    root = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(
        ElementTree.SubElement(root, "pipe"), "rasterrenderer", type="singlebandpseudocolor",
        band="1", opacity="1", alphaBand="-1", nodataColor="", classificationMin=repr(scale.low),
        classificationMax=repr(scale.high),
    )  # fmt: skip
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"), "colorrampshader",
        colorRampType="INTERPOLATED", classificationMode="1", clip="0",
        minimumValue=repr(scale.low), maximumValue=repr(scale.high),
    )  # fmt: skip
    colours = scale.painted_table.tolist()
    for stop in _STOPS:
        red, green, blue, alpha = colours[stop]
        score = scale.low + stop / 255 * (scale.high - scale.low)
        ElementTree.SubElement(
            shader, "item", value=repr(score), label=f"{score:.3f}",
            color=f"#{red:02x}{green:02x}{blue:02x}", alpha=str(alpha if stop else 0),
        )  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def write_style(heat: HeatMap, path: Path, stretch: bool = False) -> Path:
    """Write `heat_qml`, completely or not at all.

    Args:
        heat: the heat map.
        path: file to write; QGIS finds it if it has the name of the COG.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        `path`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    with output_errors(path):
        write_text(path, heat_qml(heat, stretch))
    return path
