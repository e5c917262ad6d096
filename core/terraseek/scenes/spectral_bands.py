"""Which bands make the image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["Bands", "choose_bands"]

# names met in Sentinel-2, Landsat 8/9 and Planet products
_BY_DESCRIPTION = (("red", "green", "blue"), ("b04", "b03", "b02"), ("b4", "b3", "b2"))


@dataclass(frozen=True, slots=True)
class Bands:
    """The 1-based bands of a raster that are shown."""

    rgb: tuple[int, ...]
    """Three bands, red first, or one that is shown grey (or looked up in the palette)."""
    palette: bool = False
    """Whether the one band holds numbers of palette entries."""


def choose_bands(dataset: "DatasetReader") -> Bands:
    """Red, green, blue by what the file says of its bands, else by order.

    Colour interpretation comes first, then band descriptions ("red", "B04"), then the first three
    bands (NAIP and most RGB+NIR files are written so). One or two bands are shown grey. Alpha and
    near infrared are never taken for a colour.
    """
    from rasterio.enums import ColorInterp

    interp = dict(zip(dataset.indexes, dataset.colorinterp, strict=True))
    first = dataset.indexes[0]
    if interp[first] == ColorInterp.palette:
        return Bands((first,), palette=True)
    colours = _find(interp, (ColorInterp.red, ColorInterp.green, ColorInterp.blue))
    if colours:
        return Bands(colours)
    texts = {i: (text or "").strip().lower() for i, text in _descriptions(dataset)}
    for names in _BY_DESCRIPTION:
        named = _find(texts, names)
        if named:
            return Bands(named)
    plain = [i for i in dataset.indexes if interp[i] != ColorInterp.alpha] or [first]
    return Bands(tuple(plain[:3]) if len(plain) >= 3 else (plain[0],))


def _descriptions(dataset: "DatasetReader") -> list[tuple[int, str | None]]:
    return list(zip(dataset.indexes, dataset.descriptions, strict=True))


def _find(where: Mapping[int, object], wanted: tuple[object, ...]) -> tuple[int, ...] | None:
    """The first band for each wanted value, or None unless all are there."""
    found = []
    for value in wanted:
        index = next((i for i, has in where.items() if has == value), None)
        if index is None:
            return None
        found.append(index)
    return tuple(found)
