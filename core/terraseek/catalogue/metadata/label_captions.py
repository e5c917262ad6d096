"""Captions for images that came with a label or metadata sentence only."""

import re
from typing import Any

__all__ = ["compose_caption", "readable_label"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def readable_label(label: str) -> str:
    """A class name as words: `SeaLake` and `sea_lake` become `sea lake`."""
    return " ".join(re.sub(r"[_\-]+", " ", _CAMEL.sub(" ", label)).split()).lower()


def compose_caption(columns: dict[str, Any]) -> tuple[str, str]:
    """Caption and where it comes from: source, geometa, label, or nothing (both empty)."""
    for origin, column in (("source", "caption"), ("geometa", "geometa_cap")):
        text = " ".join(str(columns.get(column) or "").split())
        if text:
            return text, origin
    label = readable_label(str(columns.get("label") or ""))
    if label:
        return f"a satellite image of {label}", "label"
    return "", ""
