"""Choice of the bands that make the RGB image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from terraseek.scenes.bands.band_names import bands_by_name

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["RgbBands", "choose_rgb_bands"]

_MAX_PLAIN_BANDS = 4
"""Files with more bands get a note which of them are shown."""
_MAX_MICROMETRES = 50.0


@dataclass(frozen=True, slots=True)
class RgbBands:
    """Bands of a raster that make its RGB image, counted from 1."""

    rgb: tuple[int, ...]
    """Red, green and blue band, or a single band that is shown grey or through the palette; with
    `cmyk` the four inks."""
    palette: bool = False
    """Whether the single band contains palette indices."""
    cmyk: bool = False
    """Whether the bands are cyan, magenta, yellow and black ink."""
    inverted: bool = False
    """Whether the single 8-bit band has 0 for white, as scans do."""
    note: str | None = None
    """Which bands were taken and why, where another choice was possible."""


def choose_rgb_bands(dataset: "DatasetReader") -> RgbBands:
    """Choose red, green and blue by the metadata of the bands, else by their order.

    Colour interpretation is used first, then band descriptions (see `band_names`), then the first
    three bands (the order of NAIP and most RGB+NIR files). Files with one or two bands are shown
    grey, as are palette indices without a table. Alpha and near infrared are never used as a
    colour.
    """
    from rasterio.enums import ColorInterp

    interp = dict(zip(dataset.indexes, dataset.colorinterp, strict=True))
    first = dataset.indexes[0]
    if interp[first] == ColorInterp.palette:
        if _has_palette(dataset, first):
            return RgbBands((first,), palette=True)
        return RgbBands((first,), note="it has palette indices but no palette, and is shown grey")
    inks = (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)
    cmyk = _find(interp, inks)
    if cmyk and all(dataset.dtypes[i - 1] == "uint8" for i in cmyk):
        return RgbBands(cmyk, cmyk=True)
    colours = _find(interp, (ColorInterp.red, ColorInterp.green, ColorInterp.blue))
    if colours:
        return RgbBands(colours)
    texts = {
        i: text or _wavelength(dataset, i)
        for i, text in zip(dataset.indexes, dataset.descriptions, strict=True)
    }
    named = bands_by_name(texts, f"{Path(dataset.name).name} {' '.join(dataset.tags().values())}")
    if named is not None:
        return RgbBands(named.rgb, note=named.note)
    plain = [i for i in dataset.indexes if interp[i] != ColorInterp.alpha] or [first]
    if len(plain) < 3:
        note = None if len(plain) == 1 else f"its band {plain[0]} of {len(plain)} is shown grey"
        white = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
        inverted = white and dataset.dtypes[plain[0] - 1] == "uint8"
        return RgbBands((plain[0],), inverted=inverted, note=note)
    note = (
        f"red, green and blue are its first bands ({', '.join(map(str, plain[:3]))} of "
        f"{dataset.count}), because nothing names the colours"
    )
    unknown = any(texts[i].strip() for i in plain)
    return RgbBands(
        tuple(plain[:3]), note=note if unknown or len(plain) > _MAX_PLAIN_BANDS else None
    )


def _wavelength(dataset: "DatasetReader", band: int) -> str:
    """Centre wavelength in the metadata of a band, as text with its unit; else empty."""
    imagery = dataset.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    if imagery:
        return f"{imagery} um"
    tags = {name.lower(): value.strip() for name, value in dataset.tags(band).items()}
    value = tags.get("wavelength") or tags.get("wavelengths") or ""
    try:
        number = float(value)
    except ValueError:
        return value
    # ENVI and others write micrometres or nanometres, often without the unit
    return f"{number} um" if number < _MAX_MICROMETRES else f"{number} nm"


def _has_palette(dataset: "DatasetReader", band: int) -> bool:
    try:
        return bool(dataset.colormap(band))
    except ValueError:  # NULL color table
        return False


def _find(value_of: Mapping[int, object], wanted: tuple[object, ...]) -> tuple[int, ...] | None:
    """First band with each wanted value; None unless all values occur."""
    found = []
    for value in wanted:
        index = next((i for i, band_value in value_of.items() if band_value == value), None)
        if index is None:
            return None
        found.append(index)
    return tuple(found)
