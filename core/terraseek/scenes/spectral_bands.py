"""Choice of the bands that make the RGB image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["RgbBands", "choose_rgb_bands"]

# band names in Sentinel-2, Landsat 8/9 and Planet products
_BY_DESCRIPTION = (("red", "green", "blue"), ("b04", "b03", "b02"), ("b4", "b3", "b2"))


@dataclass(frozen=True, slots=True)
class RgbBands:
    """Bands of a raster that make its RGB image, counted from 1."""

    rgb: tuple[int, ...]
    """Red, green and blue band, or a single band that is shown grey or through the palette."""
    palette: bool = False
    """Whether the single band contains palette indices."""


def choose_rgb_bands(dataset: "DatasetReader") -> RgbBands:
    """Choose red, green and blue by the metadata of the bands, else by their order.

    Colour interpretation is used first, then band descriptions ("red", "B04"), then the first three
    bands (the order of NAIP and most RGB+NIR files). Files with one or two bands are shown grey.
    Alpha and near infrared are never used as a colour.
    """
    from rasterio.enums import ColorInterp

    interp = dict(zip(dataset.indexes, dataset.colorinterp, strict=True))
    first = dataset.indexes[0]
    if interp[first] == ColorInterp.palette:
        return RgbBands((first,), palette=True)
    colours = _find(interp, (ColorInterp.red, ColorInterp.green, ColorInterp.blue))
    if colours:
        return RgbBands(colours)
    texts = {i: (text or "").strip().lower() for i, text in _descriptions(dataset)}
    for names in _BY_DESCRIPTION:
        named = _find(texts, names)
        if named:
            return RgbBands(named)
    plain = [i for i in dataset.indexes if interp[i] != ColorInterp.alpha] or [first]
    return RgbBands(tuple(plain[:3]) if len(plain) >= 3 else (plain[0],))


def _descriptions(dataset: "DatasetReader") -> list[tuple[int, str | None]]:
    return list(zip(dataset.indexes, dataset.descriptions, strict=True))


def _find(value_of: Mapping[int, object], wanted: tuple[object, ...]) -> tuple[int, ...] | None:
    """First band with each wanted value; None unless all values occur."""
    found = []
    for value in wanted:
        index = next((i for i, band_value in value_of.items() if band_value == value), None)
        if index is None:
            return None
        found.append(index)
    return tuple(found)
