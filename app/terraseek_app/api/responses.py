"""Responses of the routes: caching, and the JSON that exceptions become."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from terraseek import errors
from terraseek_app.server import state
from terraseek_app.server.client_text import client_text
from terraseek_app.server.failures import FOREIGN_ERRORS, explain

__all__ = ["EXCEPTION_HANDLERS", "cached"]

_log = logging.getLogger(__name__)
_MAX_ADDRESS = 200
"""Characters of an unknown address that are repeated in the response."""


def _error(request: Request, error: Exception) -> Response:
    """An error that can be explained, or a fault of the program, which only the log explains."""
    failure = explain(error)
    if failure is None:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        what = "the server failed; its log has the details"
        return JSONResponse({"error": "Unexpected", "what": what}, 500)
    if not isinstance(error, errors.TerraSeekError):
        _log.warning("%s %s", request.method, request.url.path, exc_info=error)
    retry = failure.retry_after_s
    headers = {} if retry is None else {"Retry-After": str(retry)}
    what = client_text(failure.text, state.settings())
    return JSONResponse({"error": failure.name, "what": what}, failure.status, headers=headers)


def _http_error(request: Request, error: Exception) -> Response:
    """Unknown addresses and methods that an address does not have."""
    assert isinstance(error, HTTPException)
    address = request.url.path
    address = address if len(address) <= _MAX_ADDRESS else f"{address[:_MAX_ADDRESS]}…"
    return JSONResponse(
        {"error": error.detail, "what": f"{request.method} {address} is not served here"},
        error.status_code,
        headers=dict(error.headers or {}),
    )


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    errors.TerraSeekError: _error,
    **dict.fromkeys(FOREIGN_ERRORS, _error),
    HTTPException: _http_error,
    Exception: _error,
}
"""Starlette's exception handlers: every error is answered in JSON."""


def cached(request: Request, body: bytes, media_type: str, max_age_s: int = 0) -> Response:
    """Respond with bytes and an ETag; 304 without a body if the browser has the same bytes.

    Args:
        request: the request.
        body: content of the response.
        media_type: media type of the content.
        max_age_s: seconds the browser may use the content without asking again.
    """
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": f"max-age={max_age_s}" if max_age_s else "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
