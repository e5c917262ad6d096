"""Write which of several sentences wins where: a COG of class codes, and its style for QGIS."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import UInt8

from terraseek.files import output_errors, write_text
from terraseek.localization.comparison import Comparison
from terraseek.localization.output.cog import new_cog, row_windows
from terraseek.localization.output.colour.palette import sentence_colour

__all__ = ["NO_DATA", "NO_WINNER", "winner_qml", "write_winner", "write_winner_style"]

NO_WINNER, NO_DATA = 0, 255
"""Codes of places where no sentence wins, and of invalid pixels; sentence n of the comparison,
from 1, has code n."""
_NO_WINNER_NAME = "none of them"


def write_winner(found: Comparison, path: Path) -> Path:
    """Write class codes as a uint8 COG on the scene's grid, completely or not at all.

    The file has a colour table; the sentences are the tags `TERRASEEK_CLASS_1` and so on of the
    band. Each pixel is compared in full resolution.

    Args:
        found: the comparison.
        path: file to write; its folder is created.

    Returns:
        `path`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    heat = found.heats[0]
    codes = {"dtype": "uint8", "nodata": NO_DATA, "photometric": "palette"}
    with new_cog(path, heat, 1, "NEAREST", **codes) as target:
        target.write_colormap(1, _colour_table(found))
        target.set_band_description(1, "best sentence")
        target.update_tags(1, **_class_tags(found))
        for row0, row1, window in row_windows(heat):
            target.write(_codes(found, row0, row1), 1, window=window)
    return path


def _codes(found: Comparison, row0: int, row1: int) -> UInt8[np.ndarray, "rows width"]:
    scores = [heat.read_rows(row0, row1) for heat in found.heats]
    codes = (found.winner_of(scores) + 1).astype(np.uint8)
    valid = np.logical_or.reduce([np.isfinite(score) for score in scores])
    return np.where(valid, codes, np.uint8(NO_DATA))


def _colour_table(found: Comparison) -> dict[int, tuple[int, int, int, int]]:
    table = {NO_WINNER: (0, 0, 0, 0), NO_DATA: (0, 0, 0, 0)}
    return table | {n: (*sentence_colour(n - 1), 255) for n in range(1, len(found.heats) + 1)}


def _class_tags(found: Comparison) -> dict[str, str]:
    tags = {f"TERRASEEK_CLASS_{NO_WINNER}": _NO_WINNER_NAME}
    for number, (heat, lowest) in enumerate(zip(found.heats, found.thresholds, strict=True), 1):
        tags[f"TERRASEEK_CLASS_{number}"] = heat.question
        tags[f"TERRASEEK_THRESHOLD_{number}"] = repr(lowest)
        tags[f"TERRASEEK_SIGNIFICANCE_{number}"] = heat.significance or ""
    return tags


def winner_qml(found: Comparison) -> str:
    """A paletted style with the sentences as labels; QGIS takes it from `X.qml` beside `X.tif`."""
    root = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(
        ElementTree.SubElement(root, "pipe"), "rasterrenderer", type="paletted", band="1",
        opacity="0.7", alphaBand="-1", nodataColor="",
    )  # fmt: skip
    palette = ElementTree.SubElement(renderer, "colorPalette")
    names = [_NO_WINNER_NAME, *(heat.question for heat in found.heats)]
    table = _colour_table(found)
    for code, name in enumerate(names):
        red, green, blue, alpha = table[code]
        ElementTree.SubElement(
            palette, "paletteEntry", value=str(code), label=name,
            color=f"#{red:02x}{green:02x}{blue:02x}", alpha=str(alpha),
        )  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def write_winner_style(found: Comparison, path: Path) -> Path:
    """Write `winner_qml`, completely or not at all.

    Args:
        found: the comparison.
        path: file to write.

    Returns:
        `path`.

    Raises:
        OutputError: the disk is full or the folder cannot be written to.
    """
    with output_errors(path):
        write_text(path, winner_qml(found))
    return path
