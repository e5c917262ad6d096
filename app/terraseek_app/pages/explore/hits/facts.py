"""What is known about hits beside their scores: date, resolution, place by name, footprint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from terraseek.search import Hit
from terraseek.tiles.footprints import footprints_of
from terraseek_app.server import state
from terraseek_app.widgets.metadata import coordinates, has_value

__all__ = ["HitFacts", "hit_facts"]

_COLUMNS = ("captured_at", "gsd_m", "place", "country", "month")


@dataclass(frozen=True, slots=True)
class HitFacts:
    """Facts about one hit; blank where unknown."""

    date: str = ""
    """ISO 8601."""
    gsd_m: float | None = None
    """Metres per pixel."""
    place: str = ""
    """Name of the place and country, else coordinates."""
    country: str = ""
    month: int | None = None
    """1 to 12."""
    footprint: tuple[tuple[float, float], ...] | None = None
    """Four corners, (lon, lat) in degrees."""

    @property
    def short(self) -> str:
        """Date and resolution for the line below an image."""
        gsd = f"{self.gsd_m:.2g} m" if self.gsd_m else ""
        return " · ".join(filter(None, (self.date[:10], gsd)))


def hit_facts(hits: Sequence[Hit]) -> dict[str, HitFacts]:
    """Facts by item id."""
    catalogue = state.catalogue()
    rows = np.array([catalogue.row(hit.item_id) for hit in hits], np.int64)
    columns = [name for name in _COLUMNS if name in catalogue.columns]
    cells = catalogue.items_at(rows, columns).to_dict("records")
    corners = footprints_of(catalogue, rows)
    return {
        hit.item_id: _facts(hit, *known) for hit, *known in zip(hits, cells, corners, strict=True)
    }


def _facts(hit: Hit, cells: "dict[Any, Any]", corners: Float64[np.ndarray, "4 2"]) -> HitFacts:
    known = {str(name): value for name, value in cells.items() if has_value(value)}
    date = str(known.get("captured_at", ""))
    month = str(known.get("month", date[5:7]))
    names = dict.fromkeys(str(known[name]) for name in ("place", "country") if name in known)
    gsd = known.get("gsd_m")
    return HitFacts(
        date=date,
        gsd_m=float(gsd) if gsd is not None else None,
        place=", ".join(names) or coordinates(hit.lon, hit.lat, 2),
        country=str(known.get("country", "")),
        month=int(float(month)) if month.replace(".", "").isdecimal() else None,
        footprint=tuple(map(tuple, corners.round(7).tolist()))
        if np.isfinite(corners).all()
        else None,
    )
