"""The one server: Streamlit's pages, the map's tiles and the HTTP API on one port.

`streamlit run app/terraseek_app/server.py` and `terraseek serve` both end here.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from terraseek_app import routes_api, routes_localize, routes_tiles
from terraseek_app.answers import EXCEPTION_HANDLERS

__all__ = ["app", "create_app", "routes"]


def routes() -> list[BaseRoute]:
    """Every route beside Streamlit's own."""
    first = Route("/explore", _explore, methods=["GET"])
    return [first, *routes_api.ROUTES, *routes_localize.ROUTES, *routes_tiles.ROUTES]


def _explore(request: Request) -> RedirectResponse:
    """Streamlit knows its first page as `/` only and would say that `/explore` does not exist."""
    base = request.scope.get("root_path", "")
    return RedirectResponse(str(request.url.replace(path=f"{base}/")), 307)


def create_app() -> st.App:
    """The ASGI application; nothing is loaded until something is asked for."""
    return st.App(
        Path(__file__).parent / "entry" / "main.py",
        routes=routes(),
        exception_handlers=EXCEPTION_HANDLERS,
    )


app = create_app()
