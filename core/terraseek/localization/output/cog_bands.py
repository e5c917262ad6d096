"""Bands of a heat map's COG: scores, number of windows, spread between window sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.windows.fields import Field, count_of_windows

__all__ = ["Band", "heat_bands"]

ReadRows = Callable[[int, int], Float32[np.ndarray, "rows width"]]
"""Function that gives the values of the rows from the first up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band of the file."""

    description: str
    """Name in the layer list of a viewer."""
    read_rows: ReadRows
    meaning: str
    """What a value means, for the tag `TERRASEEK_MEANING`."""
    unit: str
    """Unit of the values."""
    value_range: str
    """Lowest and highest possible value, for the tag `TERRASEEK_RANGE`."""
    levels: tuple[float, float] | None = None
    """Values from which places are possible and likely, for tags of these names."""


def heat_bands(heats: Sequence[HeatMap], layers: bool = False) -> list[Band]:
    """Bands of one heat map, or of several of one scene.

    One has its scores, the number of windows at each pixel and the spread between window sides (if
    there are several sides); several have the scores of each and the number of the best one.

    Args:
        heats: at least one.
        layers: add the scores of each window side to those of a single heat map.
    """
    if len(heats) > 1:
        return [*(_score(heat, heat.question) for heat in heats), _best_band(heats)]
    [heat] = heats
    bands = [_score(heat, f"score: {heat.question}")]
    if heat.windows is not None:
        bands.append(_count_band(heat))
    if len(heat.layers) > 1:
        bands.append(_spread_band(heat))
        bands += [_layer_band(heat, side) for side in heat.layers] if layers else []
    return bands


def _score(heat: HeatMap, description: str) -> Band:
    meaning = f"cosine of windows and the query {heat.question!r}"
    scale = heat.colour_scale()
    known = None
    if scale.possible_from is not None and scale.likely_from is not None:
        known = scale.possible_from, scale.likely_from
    return Band(description, heat.read_rows, meaning, "cosine", _cosines(heat), known)


def _cosines(heat: HeatMap) -> str:
    """Range of a cosine, or of the difference of two."""
    return "-2,2" if heat.minus else "-1,1"


def _count_band(heat: HeatMap) -> Band:
    assert heat.windows is not None
    field = count_of_windows(heat.windows, heat.height, heat.width)
    return Band(
        "number of windows",
        _rows_of(heat, field),
        "number of windows of all sides that cover the pixel",
        "windows",
        f"0,{heat.n_windows}",
    )


def _spread_band(heat: HeatMap) -> Band:
    def read(row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
        layers = [heat.read_rows(row0, row1, layer) for layer in heat.layers.values()]
        return np.asarray(np.std(layers, axis=0), np.float32)

    sides = ", ".join(map(str, heat.layers))
    meaning = f"standard deviation of the scores of window sides {sides} px at the pixel"
    highest = _cosines(heat).partition(",")[2]
    return Band("spread between window sides", read, meaning, "cosine", f"0,{highest}")


def _layer_band(heat: HeatMap, side: int) -> Band:
    return Band(
        f"score of {side} px windows",
        _rows_of(heat, heat.layers[side]),
        f"cosine of windows of {side} px and the query {heat.question!r}",
        "cosine",
        _cosines(heat),
    )


def _rows_of(heat: HeatMap, field: Field) -> ReadRows:
    return lambda row0, row1: heat.read_rows(row0, row1, field)


def _best_band(heats: Sequence[HeatMap]) -> Band:
    def read(row0: int, row1: int) -> Float32[np.ndarray, "rows width"]:
        scores = np.stack([heat.read_rows(row0, row1) for heat in heats])
        valid = np.all(np.isfinite(scores), axis=0)
        best = np.argmax(np.nan_to_num(scores, nan=-np.inf), axis=0).astype(np.float32)
        return np.where(valid, best, np.float32(np.nan))

    queries = "; ".join(f"{number} = {heat.question}" for number, heat in enumerate(heats))
    return Band(
        "best query (number of the band, from 0)",
        read,
        f"number of the query with the highest score: {queries}",
        "number",
        f"0,{len(heats) - 1}",
    )
