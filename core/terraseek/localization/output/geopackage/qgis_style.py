"""Styles for QGIS (QML): regions and peaks coloured by the significance of their heat map."""

from collections.abc import Callable
from xml.etree import ElementTree

from terraseek.localization.output.colour.palette import LEVEL_COLOURS, UNKNOWN_COLOUR
from terraseek.significance.words import WORDS

__all__ = ["peaks_qml", "regions_qml"]

_FILL_ALPHA = 60
"""Opacity of regions, 0-255, so that the imagery below stays visible."""


def regions_qml() -> str:
    """Style of a polygon layer with a column `significance`."""
    return _qml("fill", "SimpleFill", _fill_options)


def peaks_qml() -> str:
    """Style of a point layer with a column `significance`."""
    return _qml("marker", "SimpleMarker", _marker_options)


def _fill_options(colour: str) -> dict[str, str]:
    return {
        "color": f"{colour},{_FILL_ALPHA}",
        "style": "solid",
        "outline_color": f"{colour},255",
        "outline_style": "solid",
        "outline_width": "0.6",
        "outline_width_unit": "MM",
    }


def _marker_options(colour: str) -> dict[str, str]:
    return {
        "name": "circle",
        "color": f"{colour},255",
        "size": "2.4",
        "size_unit": "MM",
        "outline_color": "255,255,255,255",
        "outline_width": "0.4",
        "outline_width_unit": "MM",
    }


def _qml(symbol_type: str, layer_class: str, options_of: Callable[[str], dict[str, str]]) -> str:
    """A categorized style: one symbol for each level, and one for an unknown one."""
    root = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr="significance", symbollevels="0",
        enableorderby="0", forceraster="0",
    )  # fmt: skip
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    known = [(level, WORDS[level], colour) for level, colour in LEVEL_COLOURS.items()]
    for number, (value, label, rgb) in enumerate([*known, ("", "not assessed", UNKNOWN_COLOUR)]):
        ElementTree.SubElement(
            categories, "category", value=value, label=label, symbol=str(number), render="true",
            type="string",
        )  # fmt: skip
        symbol = ElementTree.SubElement(
            symbols, "symbol", name=str(number), type=symbol_type, alpha="1", clip_to_extent="1",
            force_rhr="0",
        )  # fmt: skip
        layer = ElementTree.SubElement(
            symbol, "layer", {"class": layer_class}, enabled="1", locked="0"
        )
        layer.set("pass", "0")
        options = ElementTree.SubElement(layer, "Option", type="Map")
        for name, option in options_of(",".join(map(str, rgb))).items():
            ElementTree.SubElement(options, "Option", name=name, type="QString", value=option)
    return ElementTree.tostring(root, encoding="unicode")
