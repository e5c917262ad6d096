"""How routes answer: exceptions become JSON with the right status, in one table."""

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
}
"""First match along the class's ancestry wins; what is not listed is the server's fault."""


def status_of(error: errors.TerraSeekError) -> int:
    """HTTP status for an error raised on purpose."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 500


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.TerraSeekError)
    return JSONResponse(
        {"error": type(error).__name__, "what": str(error)}, status_code=status_of(error)
    )


def _unknown(request: Request, error: Exception) -> Response:
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse(
        {"error": "Unexpected", "what": "the server failed; its log has the details"}, 500
    )


def _http(request: Request, error: Exception) -> Response:
    """No such address, or another method than GET: said in JSON like everything else."""
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": error.detail, "what": f"{request.method} {request.url.path} is not served here"},
        error.status_code,
        headers=dict(error.headers or {}),
    )


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    errors.TerraSeekError: _known,
    HTTPException: _http,
    Exception: _unknown,
}


def cached(request: Request, body: bytes, media_type: str, seconds: int = 0) -> Response:
    """Bytes with an ETag: 304 when the browser already holds them.

    Args:
        seconds: how long the browser may use them without asking again.
    """
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": f"max-age={seconds}" if seconds else "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
