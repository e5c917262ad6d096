"""The catalogue's samples on the map: where they are, and how the map fetches them."""

import numpy as np
import streamlit as st

from terraseek_app.server import state

__all__ = ["MANY_SAMPLES", "items_url", "sample_bounds", "sample_urls"]

WORLDWIDE_DEGREES = 140
"""Samples that span more degrees of longitude are shown on the whole globe."""
MANY_SAMPLES = 20_000
"""Items with a location above which the map draws their density instead of single points."""
MAX_POINTS_IN_VIEW = 3000
"""Samples in view up to which single points are drawn even then."""


@st.cache_data(max_entries=8, show_spinner=False)
def sample_bounds(path: str, count: int) -> tuple[float, float, float, float] | None:
    """Bounds of the samples with a margin: (west, south, east, north) in degrees.

    The bounds leave out the outer 0.5 percent on each side. None when the samples are spread over
    the globe or have no locations, so that the whole globe is the best view.

    Args:
        path: folder of the catalogue; part of the cache key.
        count: number of its items; part of the cache key.
    """
    points = state.points()
    if not len(points.lon):
        return None
    west, east = np.percentile(points.lon, (0.5, 99.5))
    south, north = np.percentile(points.lat, (0.5, 99.5))
    if east - west > WORLDWIDE_DEGREES:
        return None
    margin = max(0.2, 0.15 * float(max(east - west, north - south)))
    return (
        max(-180.0, float(west) - margin),
        max(-85.0, float(south) - margin),
        min(180.0, float(east) + margin),
        min(85.0, float(north) + margin),
    )


def sample_urls() -> tuple[str, str | None]:
    """URLs of the samples and, when there are too many to send, of their density tiles.

    The tile URL contains the number of samples, so that browsers do not reuse outdated tiles.
    """
    count = len(state.points().row)
    if count <= MANY_SAMPLES:
        return "/api/points", None
    return f"/api/points?most={MAX_POINTS_IN_VIEW}", f"/tiles/density?n={count}"


def items_url() -> str:
    """URL of the tiles of the items' images; it contains the version of the catalogue's rows."""
    catalogue = state.catalogue()
    return f"/tiles/items?n={catalogue.row_count}-{catalogue.count}"
