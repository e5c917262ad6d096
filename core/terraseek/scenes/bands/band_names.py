"""Red, green and blue by the descriptions of the bands: colours, wavelengths, sensor names."""

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["NamedBands", "bands_by_name"]

_COLOURS = ("red", "green", "blue")
_OTHER_BANDS = frozenset(
    {"edge", "infra", "infrared", "nir", "swir", "coastal", "i", "deep", "pan"}
)
"""Words beside a colour that mean another band: red edge, near infra-red, coastal blue, green I."""
_CENTRES_NM = {"red": (620, 690), "green": (520, 600), "blue": (440, 515)}
_WAVELENGTH = re.compile(r"(\d{3,4}(?:\.\d+)?)\s*(?:nm|nanomet)|(\d\.\d+)\s*(?:um|µm|μm|micromet)")
_NUMBERED = re.compile(r"(?:sr_|toa_)?b(?:and)?[ _-]?0*(\d{1,2})(?![\da-z])")
_SENSORS = (
    (re.compile(r"sur_refl_b0?(\d{1,2})"), (1, 4, 3)),  # MODIS
    (re.compile(r"vnir_(?:band|b)?0?(\d)"), (2, 1, 1)),  # ASTER, without blue
    (re.compile(r"xs(\d)"), (2, 1, 1)),  # SPOT, without blue
)
"""Names of bands that only one sensor uses, and its numbers of those shown as red, green, blue;
green is shown as blue, too, where there is none."""
_TM = re.compile(r"landsat[ _-]?[4-7](?!\d)|\bL[TE]0[4-7]", re.IGNORECASE)
_OLI_OR_MSI = re.compile(
    r"landsat[ _-]?[89](?!\d)|\bL[CO]0[89]|sentinel-?_?2|\bS2[AB]", re.IGNORECASE
)


class NamedBands(NamedTuple):
    """Bands found by their names."""

    rgb: tuple[int, int, int]
    """Red, green and blue band, counted from 1."""
    note: str
    """Which bands were taken."""


def bands_by_name(descriptions: Mapping[int, str], about: str) -> NamedBands | None:
    """Find red, green and blue by band descriptions; None unless all three are found.

    Colour words come first, then centre wavelengths, then the numbers of Sentinel-2, Landsat 8 and
    9 (4, 3, 2) or Landsat 4 to 7 (3, 2, 1).

    Args:
        descriptions: band number to its description.
        about: file name and metadata, in which the name of the satellite is looked for.
    """
    texts = {band: text.strip().lower() for band, text in descriptions.items()}
    for found in (_by_colour(texts), _by_wavelength(texts)):
        if found is not None:
            return NamedBands(found, _note(found, descriptions))
    return _by_number(texts, descriptions, about) or _by_sensor(texts, descriptions)


def _by_colour(texts: Mapping[int, str]) -> tuple[int, int, int] | None:
    words = {band: set(re.findall(r"[a-z]+", text)) for band, text in texts.items()}
    return _first_of_each(
        {
            colour: [b for b, w in words.items() if colour in w and not w & _OTHER_BANDS]
            for colour in _COLOURS
        }
    )


def _by_wavelength(texts: Mapping[int, str]) -> tuple[int, int, int] | None:
    found: dict[str, list[tuple[float, int]]] = {colour: [] for colour in _COLOURS}
    for band, text in texts.items():
        match = _WAVELENGTH.search(text)
        if match is None:
            continue
        nm = float(match[1]) if match[1] else 1000 * float(match[2])
        for colour, (low, high) in _CENTRES_NM.items():
            if low <= nm <= high:
                found[colour].append((abs(nm - (low + high) / 2), band))
    return _first_of_each({c: [band for _, band in sorted(bands)] for c, bands in found.items()})


def _by_number(
    texts: Mapping[int, str], descriptions: Mapping[int, str], about: str
) -> NamedBands | None:
    matches = {band: _NUMBERED.match(text) for band, text in texts.items()}
    band_of = {int(m[1]): band for band, m in reversed(list(matches.items())) if m is not None}
    # the thermal band 6 of Landsat 4 to 7 is not in products of surface reflectance
    is_tm = {1, 2, 3, 4, 5, 7} <= set(band_of) and 6 not in band_of and not {8, 9} & set(band_of)
    is_tm = bool(_TM.search(about)) or (is_tm and not _OLI_OR_MSI.search(about))
    numbers = (3, 2, 1) if is_tm else (4, 3, 2)
    found = _first_of_each(
        {c: [band_of[n]] if n in band_of else [] for c, n in zip(_COLOURS, numbers, strict=True)}
    )
    if found is None:
        return None
    note = _note(found, descriptions)
    ambiguous = not is_tm and not _OLI_OR_MSI.search(about) and set(band_of) == set(range(1, 8))
    if ambiguous and "sr_" not in " ".join(texts.values()):
        note += (
            ", as for Landsat 8 and 9; for Landsat 4 to 7 describe the bands as red, green, blue"
        )
    return NamedBands(found, note)


def _by_sensor(texts: Mapping[int, str], descriptions: Mapping[int, str]) -> NamedBands | None:
    for name, numbers in _SENSORS:
        matches = {band: name.match(text) for band, text in texts.items()}
        band_of = {int(m[1]): band for band, m in reversed(list(matches.items())) if m is not None}
        if set(numbers) <= set(band_of):
            red, green, blue = (band_of[number] for number in numbers)
            return NamedBands((red, green, blue), _note((red, green, blue), descriptions))
    return None


def _first_of_each(bands: Mapping[str, list[int]]) -> tuple[int, int, int] | None:
    if not all(bands[colour] for colour in _COLOURS):
        return None
    red, green, blue = (bands[colour][0] for colour in _COLOURS)
    return red, green, blue


def _note(rgb: tuple[int, int, int], descriptions: Mapping[int, str]) -> str:
    names = ", ".join(f"{descriptions[band].strip()!r}" for band in rgb)
    return f"red, green and blue are its bands {', '.join(map(str, rgb))} ({names})"
