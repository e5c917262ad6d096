"""Keywords by which RS5M selects remote-sensing pairs from general data sets.

Zhang et al., RS5M and GeoRSCLIP (arXiv 2306.11300), appendix B2: stems that are searched as
substrings, case ignored ("aerial imag" finds image, images and imagery).
"""

__all__ = ["APPLICATIONS", "KEYWORDS", "NOUNS", "caption_keywords"]

_AERIAL = ("imag", "photo", "map", "pic", "view", "scan", "satellite")
_SATELLITE = ("imag", "photo", "map", "pic", "view", "scan", "data", "surveillance")
_SPACES = ("space", "spaceborne", "space-borne")
NOUNS = (
    "remote sensing",
    "earth observ",
    *(f"aerial {word}" for word in _AERIAL),
    *(f"satellite {word}" for word in _SATELLITE),
    *(f"{space} {word}" for word in ("photo", "imag", "view") for space in _SPACES),
    "space surveillance",
)
"""First group: names of such images."""
APPLICATIONS = (
    "google earth",
    "freesound",  # as published
    "sentinel-1",
    "sentinel-2",
    "gaofen",
    "usgs",
    "naip",
    "modis",
    "eosdis",
    "worldview",
    "planet dove",
    "arcgis",
    "maxar",
    "landsat",
    "geographic information system",
    "sentinel 1",
    "sentinel 2",
)
"""Second group: applications, companies and sensors; the last two as in the paper's figure 3."""
KEYWORDS = (*NOUNS, *APPLICATIONS)
"""Both groups: a pair is kept if its text contains any of them."""


def caption_keywords(caption: str) -> list[str]:
    """Keywords that a caption contains."""
    text = caption.lower()
    return [keyword for keyword in KEYWORDS if keyword in text]
