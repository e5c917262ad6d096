"""What a heat map answers, as JSON values for every file that is made from it."""

from typing import Any

from terraseek.localization.heatmap import HeatMap

__all__ = ["provenance"]


def provenance(
    heat: HeatMap,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> dict[str, Any]:
    """Query, subtracted sentences, method, window sides, model and request of a heat map.

    Args:
        heat: the heat map.
        threshold: lowest cosine of a region, if one was given.
        percentile: the same as a percentile of the scene's scores, if one was given.
        stretch: whether colours are stretched to the scene.
    """
    limits = {"threshold": threshold, "percentile": percentile}
    given = {name: repr(float(value)) for name, value in limits.items() if value is not None}
    given |= {"stretch": "1"} if stretch else {}
    return {
        "query": heat.query,
        "minus": list(heat.minus),
        "method": heat.method,
        "scales": list(heat.scales),
        "encoder": heat.encoder_id,
        "scene": heat.scene_name,
        "parameters": {name: value for name, value in heat.parameters.items() if value} | given,
    }
