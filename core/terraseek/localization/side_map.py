"""The map of the windows of one side, out of a heat map of several sides."""

from dataclasses import replace

from terraseek.errors import ConfigError
from terraseek.localization.heatmap import HeatMap

__all__ = ["side_map"]


def side_map(heat: HeatMap, side: int | None) -> HeatMap:
    """A heat map with the scores of one window side, on the colour scale of the whole map.

    Significance, levels by score and warnings are those of the whole map; no place has a higher
    level than its best one. A map of a single side is its own.

    Args:
        heat: the heat map.
        side: one of `HeatMap.scales`; None gives the heat map itself.

    Raises:
        ConfigError: the map has no such side, or its method does not keep them.
    """
    if side is None or heat.scales == (side,):
        return heat
    if side not in heat.layers:
        known = ", ".join(map(str, heat.layers)) or "none, as published methods have no such layers"
        raise ConfigError(f"the heat map has no windows of {side} px by themselves; sides: {known}")
    windows, sides = heat.windows, heat.window_sides
    if windows is not None and sides is not None:
        windows, sides = windows[sides == side], sides[sides == side]
    found = replace(
        heat,
        field=heat.layers[side],
        layers={},
        windows=windows,
        window_sides=sides,
        n_windows=heat.n_windows if windows is None else len(windows),
        window_px=side,
        scales=(side,),
        parameters={**heat.parameters, "side": str(side)},
    )
    levels = heat.level_scale
    if levels is None:
        return found
    below = max(heat.peak.score - found.peak.score, 0.0)
    return replace(found, level_scale=replace(levels, best=levels.best - levels.per_score * below))
