"""The one server: Streamlit's pages, the map's tiles and the HTTP API on one port.

`streamlit run app/terraseek_app/server.py` and `terraseek serve` both end here.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from terraseek_app.api import localize_routes, search_routes, tile_routes
from terraseek_app.api.responses import EXCEPTION_HANDLERS

__all__ = ["app", "create_app", "routes"]


def routes() -> list[BaseRoute]:
    """Every route beside Streamlit's own."""
    first = Route("/explore", _explore, methods=["GET"])
    return [first, *search_routes.ROUTES, *localize_routes.ROUTES, *tile_routes.ROUTES]


def _explore(request: Request) -> RedirectResponse:
    """Streamlit knows its first page as `/` only and would say that `/explore` does not exist."""
    base = request.scope.get("root_path", "")
    return RedirectResponse(str(request.url.replace(path=f"{base}/")), 307)


def create_app() -> st.App:
    """The ASGI application; nothing is loaded until something is asked for."""
    return st.App(
        Path(__file__).parents[1] / "entry" / "main.py",
        routes=routes(),
        exception_handlers=EXCEPTION_HANDLERS,
    )


app = create_app()
