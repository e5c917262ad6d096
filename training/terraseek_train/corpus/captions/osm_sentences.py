"""Sentences from OpenStreetMap tags, as SkyScript and RSTeller make captions of them.

SkyScript (arXiv 2312.12856) joins keys and values to short captions, of one object and of several;
RSTeller (arXiv 2408.14744) lets a language model tell the same facts. Here the words are templates.
"""

import json
from collections.abc import Mapping

__all__ = ["osm_sentences", "read_tags"]

_MAIN = (
    "aeroway", "amenity", "building", "bridge", "craft", "historic", "landuse", "leisure",
    "man_made", "military", "natural", "office", "power", "railway", "shop", "sport", "tourism",
    "waterway", "highway",
)  # fmt: skip
"""Keys that say what an object is, the most telling first."""
_VALUE_IS_NAME = {"amenity", "landuse", "leisure", "man_made", "natural", "tourism", "historic"}
"""Keys whose value alone names the object: a parking, a forest."""
_DETAILS = {
    "surface": "with a surface of {}",
    "sport": "for {}",
    "crop": "with {}",
    "material": "made of {}",
    "roof:shape": "with a {} roof",
    "roof:material": "with a roof of {}",
    "building:levels": "with {} levels",
    "lanes": "with {} lanes",
    "leaf_type": "with {} trees",
}


def read_tags(value: object) -> dict[str, str]:
    """Tags of a cell: a JSON object, or text such as `landuse=forest; leaf_type=broadleaved`."""
    if isinstance(value, Mapping):
        return {str(key): str(tag) for key, tag in value.items()}
    text = str(value or "").strip()
    if text.startswith("{"):
        try:
            return read_tags(json.loads(text))
        except ValueError:
            return {}
    pairs = (part.partition("=") for part in text.split(";"))
    return {key.strip(): tag.strip() for key, sign, tag in pairs if sign and tag.strip()}


def osm_sentences(tags: Mapping[str, str]) -> list[str]:
    """Captions of the object, shortest first; empty if no key says what it is."""
    key = next((key for key in _MAIN if tags.get(key) not in (None, "", "no")), None)
    if key is None:
        return []
    noun = _noun(key, tags[key])
    details = [
        words.format(_words(tags[name]))
        for name, words in _DETAILS.items()
        if name != key and tags.get(name)
    ]
    sentences = [f"a satellite image of {noun}"]
    if details:
        sentences.append(f"a satellite image of {noun} {details[0]}")
    if len(details) > 1:
        sentences.append(f"an overhead view of {noun} {', '.join(details)}")
    return sentences


def _noun(key: str, value: str) -> str:
    if value in ("yes", "1", "true"):
        return _words(key)
    if key in _VALUE_IS_NAME:
        return _words(value)
    return f"{_words(value)} {_words(key)}"


def _words(text: str) -> str:
    return " ".join(text.replace("_", " ").replace(";", " and ").split()).lower()
