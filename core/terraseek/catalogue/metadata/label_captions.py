"""Captions for images whose source gives only a label or a metadata sentence."""

import re
from typing import Any

from terraseek.catalogue.metadata.spacing import single_spaced

__all__ = ["compose_caption", "readable_label"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def readable_label(label: str) -> str:
    """Split a class name into words: `SeaLake` and `sea_lake` become `sea lake`."""
    return " ".join(re.sub(r"[_\-]+", " ", _CAMEL.sub(" ", label)).split()).lower()


def compose_caption(columns: dict[str, Any]) -> tuple[str, str]:
    """Compose the caption of an item, and name its origin: source, geometa or label.

    Both are empty text if the columns give nothing to make a caption of.
    """
    for origin, column in (("source", "caption"), ("geometa", "geometa_cap")):
        text = single_spaced(str(columns.get(column) or ""))
        if text:
            return text, origin
    label = readable_label(str(columns.get("label") or ""))
    if label and not label.replace(" ", "").isdigit():  # the number of a class says nothing
        return f"a satellite image of {label}", "label"
    return "", ""
