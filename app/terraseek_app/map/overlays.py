"""Overlays of the map: scenes and heat maps, as images or tiles."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from terraseek.localization.output.colour.scale import LIKELY_AT, POSSIBLE_AT, ColourScale

__all__ = ["Corners", "Overlay", "heat_overlay", "level_positions", "overlay_json", "scene_overlay"]

Corners = Sequence[Sequence[float]]
"""[lon, lat] in degrees of an image's upper left, upper right, lower right, lower left corner."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """An image or a tile source drawn over the basemap."""

    id: str
    """Identifies the overlay; one with the same id and kind is not loaded again."""
    kind: Literal["heat", "scene"]
    """A heat map is coloured in the browser; a scene is drawn as it is."""
    url: str
    """URL on this server, or a data URL; with `{z}/{x}/{y}` it is a tile source."""
    corners: Corners | None = None
    """Position on the globe; None in pixel space, where the overlay covers the whole image."""
    low: float | None = None
    """Score at which the threshold of a heat map begins, and its stretched colours."""
    high: float | None = None
    """Score at which they end."""
    value_range: tuple[float, float] | None = None
    """Scores of the codes 0 and 65535 of the image; None: `low` and `high`."""
    levels: dict[str, float] | None = None
    """Scores `low` and `high` of the ends of the colours by level, and where on it (0-1) places are
    `possible` and `likely`; None where levels are unknown, and colours are stretched."""
    label: str = ""
    """Title of the legend."""
    colour: str = ""
    """`#rrggbb` of one of several heat maps; a single one is coloured by a ramp."""
    level: str = ""
    """Significance of a heat map in words."""
    candidate: bool = True
    """Whether a heat map can win among several; see `terraseek.localization.compare`."""
    window: float = 0.0
    """Side of the smallest window of a heat map, as a fraction of the root of the scene's area."""


def heat_overlay(
    heat_id: str,
    corners: Corners | None,
    low: float,
    high: float,
    label: str,
    **more: Any,  # noqa: ANN401 - fields of `Overlay`
) -> Overlay:
    """Overlay of a heat map.

    Args:
        heat_id: id from `state.add_heat`.
        corners: position on the globe; None in pixel space.
        low: see `Overlay`.
        high: see `Overlay`.
        label: title of the legend.
        more: further fields of `Overlay`.
    """
    url = f"/overlays/heat/{heat_id}.png"
    return Overlay(heat_id, "heat", url, corners, low, high, label=label, **more)


def level_positions(scale: ColourScale) -> dict[str, float] | None:
    """A colour scale as `Overlay.levels`."""
    if not scale.by_level:
        return None
    ends = {"low": scale.low, "high": scale.high}
    return ends | {"possible": POSSIBLE_AT, "likely": LIKELY_AT}


def scene_overlay(scene_id: str, footprint: Corners | None) -> Overlay:
    """Overlay of a scene: tiles if it has a position, else one image.

    Args:
        scene_id: id from `state.add_scene`.
        footprint: corners on the globe; None in pixel space.
    """
    if footprint is None:
        return Overlay(scene_id, "scene", f"/overlays/scene/{scene_id}.png")
    tiles = f"/tiles/scene/{scene_id}/{{z}}/{{x}}/{{y}}"
    return Overlay(scene_id, "scene", tiles, [list(corner) for corner in footprint])


def overlay_json(overlay: Overlay) -> dict[str, Any]:
    """The overlay as the browser expects it."""
    return asdict(overlay)
