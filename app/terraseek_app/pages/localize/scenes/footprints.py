"""Scenes on a small map: their footprints, with a mark that lights with its thumbnail."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from terraseek_app.map import MapEvent, world_map

__all__ = ["scene_marks", "scenes_map"]

_HEIGHT_PX = 240


def scene_marks(
    tiles: Sequence[Mapping[str, Any]],
    outlines: Mapping[str, Sequence[tuple[float, float]]],
) -> list[dict[str, Any]]:
    """Marks of the scenes that have a place.

    Args:
        tiles: see `scene_tiles`.
        outlines: source of a scene -> its four corners, (lon, lat) in degrees.
    """
    marks: list[dict[str, Any]] = []
    for tile in tiles:
        corners = outlines.get(tile["source"])
        if corners is None:
            continue
        marks.append(
            {
                "item_id": tile["source"],
                "rank": len(marks) + 1,
                "score": 1.0,
                "lon": sum(lon for lon, _ in corners) / len(corners),
                "lat": sum(lat for _, lat in corners) / len(corners),
                "caption": tile["name"],
                "footprint": [list(corner) for corner in corners],
                "popup": False,
            }
        )
    return marks


def scenes_map(
    key: str,
    tiles: Sequence[Mapping[str, Any]],
    outlines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    on_choose: Callable[[str], None],
) -> None:
    """Draw the map.

    Args:
        key: widget key.
        tiles: see `scene_tiles`.
        outlines: source of a scene -> its four corners, (lon, lat) in degrees.
        on_choose: called with the source of a scene before the page is drawn again.
    """

    def report(event: MapEvent) -> None:
        if event.clicked:
            on_choose(event.clicked)

    marks = scene_marks(tiles, outlines)
    world_map(
        key,
        hits=marks,
        report=("select",),
        view={"fit": "hits", "of": [mark["item_id"] for mark in marks]},
        height=_HEIGHT_PX,
        on_event=report,
    )
