"""Names of images in RS5M's tables and shards, and their spellings."""

import re
from pathlib import Path

from terraseek.catalogue.records import IMAGE_SUFFIXES

__all__ = ["SUBSETS", "canonical_name", "is_image_name", "name_spellings", "subset_of"]

SUBSETS = (
    "laion2b",
    "laion400m",
    "laioncoco",
    "coyo700m",
    "coyo",
    "yfcc15m",
    "yfcc14m",
    "yfcc",
    "cc3m",
    "cc12m",
    "redcaps",
    "sbu",
    "wit",
    "vg",
    "fmow",
    "ben",
    "millionaid",
)
"""Prefixes of RS5M's image names, which name the subset: those of PUB11, then those of RS3."""
_RS5M_NAME = re.compile(
    r"(laion|coyo|yfcc|cc3m|cc12m|redcaps|sbu|wit|vg|fmow|ben|millionaid)\w*_\w+"
)
_RS3 = ("fmow", "ben", "millionaid")


def subset_of(name: str) -> str:
    """Subset of RS5M that an image name states (`fmow_port_1_rgb.jpg`); empty if it states none."""
    prefix = name.rsplit("/", 1)[-1].partition("_")[0].lower()
    return prefix if prefix in SUBSETS else ""


def is_image_name(text: str) -> bool:
    """Whether a text is the name of an image file, or a name of RS5M, which may lack a suffix."""
    has_suffix = Path(text).suffix.lower() in IMAGE_SUFFIXES
    return has_suffix or _RS5M_NAME.fullmatch(text) is not None


def name_spellings(name: str) -> tuple[str, ...]:
    """Names of an image in tables: with or without folder, suffix, and prefix of RS5M's subsets.

    RS5M's `ben_489390.jpg` is `489390` or `489390.jpg` in BigEarthNet's tables; PUB11 names have no
    suffix in its metadata and `.jpg` in that of YFCC.
    """
    file_name = name.rsplit("/", 1)[-1]
    if not file_name:
        return ()
    stem = file_name.rsplit(".", 1)[0]
    spellings = [name, file_name, stem, f"{stem}.jpg"]
    prefix, _, rest = file_name.partition("_")
    if prefix in _RS3 and rest:
        spellings += [rest, rest.rsplit(".", 1)[0]]
    return tuple(spellings)


def canonical_name(name: str) -> str:
    """One spelling of the names of `name_spellings`: without folder, suffix and prefix of RS3."""
    file_name = name.rsplit("/", 1)[-1]
    stem, dot, suffix = file_name.rpartition(".")
    plain = stem if dot and f".{suffix.lower()}" in IMAGE_SUFFIXES else file_name
    prefix, _, rest = plain.partition("_")
    return rest if prefix in _RS3 and rest else plain
