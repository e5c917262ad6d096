"""Routes of the search: the hits of a query, the same as on the command line, as JSON."""

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.geo import BBox
from terraseek_app.api.query_params import lon_lat, number, whole_number
from terraseek_app.server import state

if TYPE_CHECKING:
    from terraseek.catalogue import Filter
    from terraseek.search import Query

__all__ = ["MAX_K", "ROUTES", "search_json"]

MAX_K = 1000
"""Most hits of one request."""


def search(request: Request) -> Response:
    """Hits of a query for words, an item, or both, among the items that pass the filter."""
    return JSONResponse(search_json(request))


def search_json(request: Request) -> dict[str, Any]:
    """Search as the query parameters say.

    Returns:
        `{"hits": [...], "matched": n}`; a hit has the keys of `terraseek search --json`, and
        `matched` is the number of items that pass the filter.

    Raises:
        InputError: a parameter is invalid.
    """
    from terraseek.search import hits_json

    k = whole_number(request, "k", 20, (1, MAX_K))
    collapse = request.query_params.get("distinct") == "1"
    result = state.searcher().search(
        _query(request), k, _filter(request), collapse_duplicates=collapse
    )
    return {"hits": hits_json(result.hits), "matched": result.matched}


def _query(request: Request) -> "Query":
    from terraseek.search import Query

    params = request.query_params
    return Query(
        text=params.get("q"),
        item_id=params.get("like"),
        plus=tuple(params.getlist("plus")),
        minus=tuple(params.getlist("minus")),
        liked=tuple(params.getlist("liked")),
        disliked=tuple(params.getlist("disliked")),
        near=lon_lat(request, "near"),
        alpha=number(request, "alpha") or 0.0,
        ensemble=params.get("ensemble") == "1",
    )


def _filter(request: Request) -> "Filter":
    from terraseek.catalogue import Area, Circle, Filter

    params = request.query_params
    return Filter(
        bbox=BBox.parse(params["bbox"]) if params.get("bbox") else None,
        sources=tuple(params.getlist("source")),
        labels=tuple(params.getlist("label")),
        precision=tuple(params.getlist("precision")),
        date_from=params.get("date_from") or None,
        date_to=params.get("date_to") or None,
        gsd_min=number(request, "gsd_min"),
        gsd_max=number(request, "gsd_max"),
        text=params.get("text") or None,
        polygon=Area.parse(params["polygon"]) if params.get("polygon") else None,
        circle=Circle.parse(params["within"]) if params.get("within") else None,
        sql=params.get("where") or None,
    )


ROUTES: list[BaseRoute] = [Route("/api/search", search, methods=["GET"])]
