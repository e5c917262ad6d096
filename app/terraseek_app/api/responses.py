"""Responses of the routes: caching, and the JSON that exceptions become."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from terraseek import errors

__all__ = ["EXCEPTION_HANDLERS", "cached", "status_of"]

_log = logging.getLogger(__name__)

_STATUS: Mapping[type[errors.TerraSeekError], int] = {
    errors.ItemNotFoundError: 404,
    errors.SceneTooLargeError: 413,
    errors.InputError: 400,
    errors.CatalogueError: 503,
    errors.StoreError: 503,
    errors.ModelError: 503,
    errors.MissingExtraError: 503,
    errors.ServerBusyError: 503,
    errors.Cancelled: 499,
}
"""HTTP status of an error class and its subclasses; other errors are 500. A client that caused
`Cancelled` is gone, so that 499 is only logged."""


def status_of(error: errors.TerraSeekError) -> int:
    """HTTP status of an error: that of its nearest base class in the table."""
    for cls in type(error).__mro__:
        if cls in _STATUS:
            return _STATUS[cls]
    return 500


def _terraseek_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.TerraSeekError)
    headers = {}
    if isinstance(error, errors.ServerBusyError):
        headers["Retry-After"] = str(error.retry_after_s)
    body = {"error": type(error).__name__, "what": str(error)}
    return JSONResponse(body, status_code=status_of(error), headers=headers)


def _unexpected_error(request: Request, error: Exception) -> Response:
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse(
        {"error": "Unexpected", "what": "the server failed; its log has the details"}, 500
    )


def _http_error(request: Request, error: Exception) -> Response:
    """Unknown addresses and methods that an address does not have."""
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": error.detail, "what": f"{request.method} {request.url.path} is not served here"},
        error.status_code,
        headers=dict(error.headers or {}),
    )


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    errors.TerraSeekError: _terraseek_error,
    HTTPException: _http_error,
    Exception: _unexpected_error,
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
