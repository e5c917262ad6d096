"""Run the search of Explore: form values in, hits out."""

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from terraseek.catalogue import Circle, Filter
from terraseek.catalogue.filters.column_condition import ColumnCondition
from terraseek.geo import BBox
from terraseek.parameters import read_parameters
from terraseek.request import SearchRequest
from terraseek.search import Hit, Query
from terraseek.search.duplicates import COLUMN as DUPLICATE_OF
from terraseek.significance.model import Level
from terraseek_app.pages.explore.areas import polygons_area
from terraseek_app.pages.explore.hits.facts import HitFacts, hit_facts
from terraseek_app.pages.explore.query.parts import part_weights
from terraseek_app.pages.explore.state import WITH_COORDINATES, SearchForm
from terraseek_app.server import state
from terraseek_app.server.query_images import read_upload

__all__ = [
    "ResultList",
    "build_filter",
    "build_request",
    "count_matching",
    "filter_values",
    "model_names",
    "query_values",
    "run_search",
]


@dataclass(frozen=True, slots=True)
class ResultList:
    """Hits, with the counts and the time shown above them."""

    hits: tuple[Hit, ...]
    """Best first."""
    matched: int
    """Items that pass the filters."""
    total: int
    """Items of the catalogue."""
    seconds: float
    """Wall time of the search, encoding of the query included."""
    facts: dict[str, HitFacts] = field(default_factory=dict)
    """What is known about each hit, by item id."""
    n_not_embedded: int = 0
    """Items that pass the filters but have no embedding."""
    significance: Level | None = None
    """Whether there are images of what the sentence describes; None if unknown."""


def model_names() -> list[str]:
    """Models that the catalogue is embedded with."""
    from terraseek.embeddings.store import store_names

    return store_names(state.catalogue())


def run_search(form: SearchForm, model: str = "") -> ResultList:
    """Rank the items that pass the filters; repeated searches come from a cache.

    Args:
        form: what to search for.
        model: name of another model of the catalogue; blank for the served one.

    Raises:
        EmptyQueryError: the form has no text, image or item to rank by.
        FilterError: the filters cannot be used.
        StoreNotFoundError: the catalogue is not embedded with the served encoder.
    """
    catalogue = state.catalogue()
    encoder_id = model or state.encoder().encoder_id
    return _search(form, str(catalogue.path), catalogue.count, encoder_id, model)


@st.cache_data(max_entries=256, show_spinner=False)
def _search(form: SearchForm, path: str, count: int, encoder_id: str, model: str) -> ResultList:
    # path, count and encoder_id are part of the cache key only
    start = time.perf_counter()
    collapse = form.collapse_duplicates and DUPLICATE_OF in state.catalogue().columns
    result = state.searcher(model).search(
        _build_query(form), form.k, build_filter(form) or None, collapse_duplicates=collapse
    )
    seconds = time.perf_counter() - start
    facts = hit_facts(result.hits)
    hits = tuple(result.hits)
    return ResultList(
        hits,
        result.matched,
        count,
        seconds,
        facts,
        result.unsearchable,
        result.significance,
    )


def query_values(form: SearchForm) -> dict[str, Any]:
    """Fields of a `Query` as the form has them; images are uploaded and not among them."""
    return {
        "text": form.text or None,
        "plus": form.plus,
        "item_id": next(iter(form.likes), None),
        "plus_items": form.likes[1:],
        "minus": form.minus,
        "liked": form.liked,
        "disliked": form.disliked,
        "alpha": form.captions / 100,
        "ensemble": form.ensemble,
        **part_weights(form),
    }


def filter_values(form: SearchForm) -> dict[str, Any]:
    """Fields of a `Filter` as the form has them; the polygon is drawn and not among them."""
    values = {
        "bbox": BBox(*form.box) if form.box else None,
        "within": Circle(*form.circle) if form.circle else None,
        "sql": form.where or None,
        "sources": form.sources,
        "labels": form.labels,
        "date_from": form.date_from,
        "date_to": form.date_to,
        "columns": tuple(map(ColumnCondition.parse, form.columns)),
    }
    return values | ({"precision": WITH_COORDINATES} if form.with_coordinates else {})


def _build_query(form: SearchForm) -> Query:
    extra = read_parameters(Query, dict(form.extra))
    images = tuple(read_upload(token) for token in form.images)
    return Query(**extra | query_values(form), plus_images=images)


def build_request(form: SearchForm) -> SearchRequest:
    """The form as the library's request.

    Raises:
        TerraSeekError: the form cannot be searched for.
    """
    return SearchRequest(_build_query(form), build_filter(form), form.k, form.collapse_duplicates)


def build_filter(form: SearchForm) -> Filter:
    """The form's filters and area as the library's filter.

    Raises:
        FilterError: the area or the SQL condition cannot be used.
    """
    drawn = {"polygon": polygons_area(form.polygons) if form.polygons else None}
    return Filter(**read_parameters(Filter, dict(form.extra)) | filter_values(form) | drawn)


def count_matching(form: SearchForm) -> tuple[int, int]:
    """Number of items that pass the filters, and of all items.

    Raises:
        FilterError: the filters cannot be used.
    """
    catalogue = state.catalogue()
    if not (form.n_filters or form.has_area):
        return catalogue.count, catalogue.count
    return _count(form.filters, str(catalogue.path), catalogue.count), catalogue.count


@st.cache_data(max_entries=256, show_spinner=False)
def _count(form: SearchForm, path: str, count: int) -> int:
    return int(state.catalogue().mask(build_filter(form)).sum())
