"""From a question in plain values to hits; the one place where Explore meets the search."""

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from terraseek.catalogue import Circle, Filter
from terraseek.geo import BBox
from terraseek.search import Hit, Query, Searcher
from terraseek.search.collapse import search_collapsed
from terraseek.search.duplicates import COLUMN as DUPLICATE_OF
from terraseek_app.pages.explore.areas import area_of
from terraseek_app.pages.explore.state import Ask
from terraseek_app.server import state
from terraseek_app.server.uploads import upload_path

__all__ = [
    "Answer",
    "count_matching",
    "filter_of",
    "find",
    "read_image",
    "sample_bounds",
    "sample_urls",
]

WORLDWIDE_DEGREES = 140
"""Samples that span more degrees of longitude are shown on the whole world."""
MANY_SAMPLES = 20_000
"""Located items beyond which the map draws density instead of every dot."""
SINGLE_DOTS = 3000
"""Samples in view up to which they are dots even then."""
IMAGE_SIDE = 1024
"""Longer side in pixels an uploaded query image is read at; no encoder sees more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the catalogue said."""

    hits: tuple[Hit, ...]
    """Best first."""
    matched: int
    """Items that pass the filters."""
    total: int
    """Items of the catalogue."""
    seconds: float
    """Time the search took, encoding of the query included."""
    unsearchable: int = 0
    """Of those that pass, items without a vector."""


def find(ask: Ask) -> Answer:
    """Rank the items that pass the filters.

    Raises:
        EmptyQueryError: neither words nor an image nor an item to go by.
        StoreNotFoundError: the catalogue is not embedded with the served model.
    """
    catalogue = state.catalogue()
    # the folder and count are part of the key, so that another catalogue is never answered for
    return _find(ask, str(catalogue.path), catalogue.count, state.encoder().encoder_id)


@st.cache_data(max_entries=256, show_spinner=False)
def _find(ask: Ask, path: str, count: int, encoder_id: str) -> Answer:
    started = time.perf_counter()
    collapse = ask.distinct and DUPLICATE_OF in state.catalogue().columns
    search = search_collapsed if collapse else Searcher.search
    result = search(state.searcher(), _query(ask), ask.k, filter_of(ask))
    seconds = time.perf_counter() - started
    return Answer(tuple(result.hits), result.matched, count, seconds, result.unsearchable)


def _query(ask: Ask) -> Query:
    return Query(
        text=ask.text or None,
        image=read_image(ask.image) if ask.image else None,
        item_id=ask.like,
        minus=(ask.minus,) if ask.minus else (),
        liked=ask.liked,
        disliked=ask.disliked,
        alpha=ask.captions / 100,
        ensemble=ask.ensemble,
    )


def filter_of(ask: Ask) -> Filter:
    """The filters of a question."""
    return Filter(
        bbox=BBox(*ask.box) if ask.box else None,
        polygon=area_of(ask.polygon) if ask.polygon else None,
        circle=Circle(*ask.circle) if ask.circle else None,
        sql=ask.where or None,
        sources=ask.sources,
        labels=ask.labels,
        precision=("exact", "point") if ask.placed else (),
        date_from=ask.date_from,
        date_to=ask.date_to,
    )


def count_matching(ask: Ask) -> tuple[int, int]:
    """Items that pass the filters, and all items; for a page without a query.

    Raises:
        FilterError: the condition on columns cannot be used.
    """
    catalogue = state.catalogue()
    if not (ask.filters or ask.has_area):
        return catalogue.count, catalogue.count
    return _count(ask, str(catalogue.path), catalogue.count), catalogue.count


@st.cache_data(max_entries=256, show_spinner=False)
def _count(ask: Ask, path: str, count: int) -> int:
    return int(state.catalogue().mask(filter_of(ask)).sum())


@st.cache_data(max_entries=8, show_spinner=False)
def sample_bounds(path: str, count: int) -> tuple[float, float, float, float] | None:
    """Where the catalogue's samples lie: (west, south, east, north) in degrees, with a margin.

    None when they lie all over the globe or nowhere, and the whole world is the best view.

    Args:
        path: folder of the catalogue, which tells cached answers apart.
        count: its items, for the same reason.
    """
    found = state.points()
    if not len(found.lon):
        return None
    west, east = np.percentile(found.lon, (0.5, 99.5))
    south, north = np.percentile(found.lat, (0.5, 99.5))
    if east - west > WORLDWIDE_DEGREES:
        return None
    wide = max(0.2, 0.15 * float(max(east - west, north - south)))
    return (
        max(-180.0, float(west) - wide),
        max(-85.0, float(south) - wide),
        min(180.0, float(east) + wide),
        min(85.0, float(north) + wide),
    )


def sample_urls() -> tuple[str, str | None]:
    """Addresses of the samples and, where they are too many to send, of their density.

    The number of samples is part of the tiles' address, so that no browser shows those of before.
    """
    count = len(state.points().row)
    if count <= MANY_SAMPLES:
        return "/api/points", None
    return f"/api/points?most={SINGLE_DOTS}", f"/tiles/density?n={count}"


def read_image(token: str) -> UInt8[np.ndarray, "h w 3"]:
    """An uploaded image of any kind a scene may have, made small.

    Raises:
        SceneError: it is gone or cannot be decoded.
    """
    from terraseek.scenes import Scene

    with Scene.open(upload_path(token, state.settings().uploads)) as scene:
        rgb: UInt8[np.ndarray, "h w 3"] = scene.thumbnail(IMAGE_SIDE)[0]
    return rgb
