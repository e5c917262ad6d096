"""The one server: Streamlit's pages, the map's tiles and the HTTP API on one port.

`streamlit run app/terraseek_app/server.py` and `terraseek serve` both end here.
"""

from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute

from terraseek_app import routes_api, routes_tiles
from terraseek_app.answers import EXCEPTION_HANDLERS

__all__ = ["app", "create_app", "routes"]


def routes() -> list[BaseRoute]:
    """Every route beside Streamlit's own."""
    return [*routes_api.ROUTES, *routes_tiles.ROUTES]


def create_app() -> st.App:
    """The ASGI application; nothing is loaded until something is asked for."""
    return st.App(
        Path(__file__).parent / "entry" / "main.py",
        routes=routes(),
        exception_handlers=EXCEPTION_HANDLERS,
    )


app = create_app()
