"""The ASGI application: Streamlit's pages, the map's tiles and the HTTP API on one port.

`terraseek serve` runs it (`launch.py`); any ASGI server can run `terraseek_app.asgi:app`.
"""

from pathlib import Path

import rasterio  # noqa: F401 - two requests that import a package first, at once, get half of it
import shapely  # noqa: F401 - as rasterio
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from terraseek_app.api import (
    batch_routes,
    catalogue_routes,
    item_tile_routes,
    localize_routes,
    search_routes,
    service_routes,
    tile_routes,
)
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.server import state
from terraseek_app.server.middleware.client_share import ClientShare
from terraseek_app.server.middleware.request_guard import RequestGuard
from terraseek_app.server.middleware.request_rate import RequestRate
from terraseek_app.server.middleware.slow_clients import BodyTimeout
from terraseek_app.server.middleware.streamlit_uploads import StreamlitUploads

__all__ = ["app", "create_app", "middleware", "routes"]


def routes() -> list[BaseRoute]:
    """All routes except Streamlit's own."""
    return [
        Route("/explore", _redirect_to_root, methods=["GET"]),
        *service_routes.ROUTES,
        *search_routes.ROUTES,
        *catalogue_routes.ROUTES,
        *batch_routes.ROUTES,  # before the routes of a scene with any id
        *localize_routes.ROUTES,
        *tile_routes.ROUTES,
        *item_tile_routes.ROUTES,
    ]


def middleware() -> list[Middleware]:
    """Checks around all routes, Streamlit's included; the outermost first."""
    return [
        Middleware(
            RequestGuard,
            allowed_hosts=lambda: state.settings().allowed_hosts,
            allowed_origins=lambda: state.settings().allowed_origins,
            basemap=lambda: state.settings().basemap,
        ),
        Middleware(RequestRate, per_minute=lambda: state.settings().requests_per_minute),
        Middleware(ClientShare),
        Middleware(StreamlitUploads, max_upload_bytes=lambda: state.settings().max_upload_bytes),
        Middleware(BodyTimeout),
    ]


def _redirect_to_root(request: Request) -> RedirectResponse:
    """Redirect `/explore`: Streamlit serves its default page at `/` only, and 404s elsewhere."""
    base = request.scope.get("root_path", "")
    return RedirectResponse(str(request.url.replace(path=f"{base}/")), 307)


def create_app() -> st.App:
    """Build the ASGI application; catalogue and encoder are loaded by the first request."""
    return st.App(
        Path(__file__).parent / "entry" / "main.py",
        routes=routes(),
        middleware=middleware(),
        exception_handlers=EXCEPTION_HANDLERS,
    )


app = create_app()
