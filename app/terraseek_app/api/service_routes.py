"""Routes about the service itself: its health, and the description of its API."""

import asyncio
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import terraseek
from terraseek_app.api.openapi import DESCRIPTION
from terraseek_app.server import state
from terraseek_app.server.client_text import client_text
from terraseek_app.server.failures import EXPLAINED_ERRORS, explain

__all__ = ["ROUTES"]

_start_time = time.time()
# threads of its own: those of the other routes may all be taken
_health_threads = ThreadPoolExecutor(2, thread_name_prefix="terraseek-health")


async def health(request: Request) -> Response:
    """Whether catalogue, embeddings and encoder can be used; 503 with the reason if not."""
    return await asyncio.get_running_loop().run_in_executor(_health_threads, _health)


def _health() -> Response:
    body: dict[str, Any] = {
        "version": terraseek.__version__,
        "python": platform.python_version(),
        "model": state.settings().model,
        "uptime_s": round(time.time() - _start_time, 1),
    }
    try:
        catalogue = state.catalogue()
        body |= {"catalogue": catalogue.name, "items": catalogue.count}
        body |= {"encoder_id": state.encoder().encoder_id}
        state.searcher()
    except EXPLAINED_ERRORS as error:
        failure = explain(error)
        what = client_text(failure.text if failure else str(error), state.settings())
        body |= {"status": "broken", "error": type(error).__name__, "what": what}
        return JSONResponse(body, status_code=503)
    return JSONResponse({"status": "ok", **body})


def openapi(request: Request) -> Response:
    """The OpenAPI description."""
    return JSONResponse(DESCRIPTION)


ROUTES: list[BaseRoute] = [
    Route("/api/health", health, methods=["GET"]),
    Route("/openapi.json", openapi, methods=["GET"]),
]
