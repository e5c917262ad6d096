"""Routes of the search: the hits of a query, the same as on the command line, as JSON."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError
from terraseek_app.api.query_params import all_values
from terraseek_app.server import state
from terraseek_app.server.client_text import client_values

__all__ = ["MAX_K", "ROUTES", "search_json"]

MAX_K = 1000
"""Most hits of one request."""


def search(request: Request) -> Response:
    """Hits of a query for words, an item, or both, among the items that pass the filter."""
    return JSONResponse(search_json(request))


def search_json(request: Request) -> dict[str, Any]:
    """Search as the query parameters say.

    Returns:
        `{"hits": [...], "matched": n, "request": {...}}`; a hit has the keys of
        `terraseek search --json`, and `matched` is the number of items that pass the filter.

    Raises:
        InputError: a parameter is invalid.
    """
    from terraseek.request import SearchRequest
    from terraseek.search import hits_json
    from terraseek.search.export.provenance import Provenance

    wanted = SearchRequest.from_params(all_values(request))
    if wanted.k > MAX_K:
        raise InputError(f"k is {wanted.k}; give a whole number between 1 and {MAX_K}")
    result = state.searcher().run(wanted)
    asked = Provenance(wanted, result.encoder_id).to_json()
    return {
        "hits": list(map(client_values, hits_json(result.hits))),
        "matched": result.matched,
        "request": asked,
    }


ROUTES: list[BaseRoute] = [Route("/api/search", search, methods=["GET"])]
