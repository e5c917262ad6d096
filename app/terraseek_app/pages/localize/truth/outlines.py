"""Outlines of the truth by scene and sentence, in pixels of the scene."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import streamlit as st

from terraseek.errors import AnnotationError
from terraseek.localization import HeatMap, SeLoScore
from terraseek.localization.annotations import (
    Annotation,
    annotation_json,
    measure_map,
    parse_annotations,
)
from terraseek.scenes import Georef
from terraseek_app.server import state

__all__ = [
    "Rings",
    "annotations_bytes",
    "from_map",
    "import_annotations",
    "measures",
    "of_sentence",
    "set_outlines",
    "to_map",
]

Rings = tuple[tuple[tuple[float, float], ...], ...]
"""Outlines with corners (x, y), not closed."""


def of_sentence(source: str, sentence: str) -> Rings:
    """Outlines of a sentence in a scene, in pixels; empty without any."""
    kept = st.session_state.localize_truth.get(source, {}).get(sentence, [])
    return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in kept)


def set_outlines(source: str, sentence: str, rings: Rings) -> None:
    """Keep the outlines of a sentence in a scene; without any, the sentence is removed."""
    truth = dict(st.session_state.localize_truth)
    own = {key: value for key, value in truth.get(source, {}).items() if key != sentence}
    if rings:
        own[sentence] = [[list(corner) for corner in ring] for ring in rings]
    truth[source] = own
    st.session_state.localize_truth = truth


def to_map(rings: Rings, georef: Georef) -> Rings:
    """Pixels to the coordinates of the map: (lon, lat), or pixels without a place on the globe."""
    if not georef.located:
        return rings
    places = (tuple(georef.pixel_to_lonlat(x, y) for x, y in ring) for ring in rings)
    return tuple(tuple(p for p in ring if p is not None) for ring in places)


def from_map(rings: Rings, georef: Georef) -> Rings:
    """Coordinates of the map to pixels of the scene; corners beside the globe are left out."""
    if not georef.located:
        return rings
    pixels = (tuple(georef.lonlat_to_pixel(x, y) for x, y in ring) for ring in rings)
    return tuple(tuple(p for p in ring if p is not None) for ring in pixels)


@lru_cache(maxsize=32)
def measures(heat_id: str, rings: Rings) -> SeLoScore:
    """SeLo's measures of a heat map against outlines in pixels.

    Raises:
        AnnotationError: an outline covers no pixel of the scene or shrinks to a point.
        SceneError: the heat map is no longer kept.
    """
    return measure_map(state.heat(heat_id), rings)


def annotations_bytes(source: str, scene_name: str) -> bytes:
    """All outlines of a scene as `anno.json`."""
    truth: dict[str, Any] = st.session_state.localize_truth.get(source, {})
    entries = [
        annotation_json(Annotation(scene_name, sentence, of_sentence(source, sentence)))
        for sentence in truth
    ]
    return json.dumps(entries, ensure_ascii=False, indent=1).encode()


def import_annotations(content: bytes, source: str, heats: Sequence[HeatMap]) -> list[str]:
    """Take the outlines of a scene from the bytes of an `anno.json`.

    Args:
        content: the file.
        source: the scene, as in the session key `localize_source`.
        heats: the heat maps shown, of which the scene's name is known.

    Returns:
        The sentences whose outlines were taken.

    Raises:
        AnnotationError: the file has another layout, or nothing about this scene.
    """
    try:
        entries = json.loads(content)
    except ValueError as error:
        raise AnnotationError(f"the file is not JSON ({error}); give an anno.json") from error
    name = heats[0].scene_name
    own = [one for one in parse_annotations(entries, "the file") if one.image == name]
    if not own:
        raise AnnotationError(f"the file has no annotation of {name} (its jpg_name)")
    for annotation in own:
        set_outlines(source, annotation.caption, annotation.regions)
    return [annotation.caption for annotation in own]
