"""Routes of the localization: the scenes of the server, and heat maps of queries in them."""

import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError, SceneTooLargeError
from terraseek_app.api.query_params import all_values
from terraseek_app.api.responses import cached
from terraseek_app.api.tile_routes import tile_zxy
from terraseek_app.server import state
from terraseek_app.server.query_images import item_image, uploaded_image
from terraseek_app.server.uploads import keep_upload

__all__ = ["MAX_IMAGE_BYTES", "MAX_QUERIES", "ROUTES", "localize_json"]

MAX_QUERIES = 8
"""Most sentences and images of one request."""
MAX_IMAGE_BYTES = 50 << 20
"""Largest query image in bytes."""


def scenes(request: Request) -> Response:
    """The example scenes, by name."""
    examples = state.example_scenes()
    return JSONResponse({"scenes": [{"id": key, "name": name} for key, name in examples.items()]})


def localize(request: Request) -> Response:
    """Peaks and regions of sentences or items in a scene; the first request encodes the scene."""
    return JSONResponse(localize_json(request))


async def localize_image(request: Request) -> Response:
    """The same for an image in the request's body, next to the sentences and items."""
    token = await _store_body(request)
    return JSONResponse(await run_in_threadpool(localize_json, request, token))


async def _store_body(request: Request) -> str:
    """Store the image in the body as an upload, without holding it in memory; returns its token.

    Raises:
        EmptySceneError: the body is empty.
        SceneTooLargeError: the body is larger than the server accepts.
    """
    settings = state.settings()
    max_bytes = min(MAX_IMAGE_BYTES, settings.max_upload_bytes)
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as body:
        async for chunk in request.stream():
            body.write(chunk)
            if body.tell() > max_bytes:
                raise SceneTooLargeError(
                    f"the image is larger than {max_bytes >> 20} MB, the most this server "
                    "accepts; reduce its size"
                )
        return await run_in_threadpool(
            keep_upload, cast(BinaryIO, body), "the body", settings.uploads, max_bytes
        )


def localize_json(request: Request, image: str = "") -> dict[str, Any]:
    """Localize as the query parameters say.

    Args:
        request: the request.
        image: token of an uploaded query image; blank without one.

    Returns:
        `{"maps": [...]}` with the numbers of each query's heat map, and its id under `heat`.

    Raises:
        InputError: a parameter is invalid.
    """
    from terraseek.localization import localize_many, map_numbers
    from terraseek.request import LocalizeRequest
    from terraseek.scenes import Scene

    path = state.scene_path(request.path_params["id"])
    wanted = LocalizeRequest.from_params(all_values(request))
    if len(wanted.sentences) + len(wanted.items) + bool(image) > MAX_QUERIES:
        raise InputError(
            f"a request may have at most {MAX_QUERIES} queries; send the others in another request"
        )
    name = request.query_params.get("name") or "sent"
    queries = wanted.queries(item_image, uploaded_image(image, name) if image else None)
    with Scene.open(path) as scene:
        heat_maps = localize_many(scene, queries, state.encoder(), wanted.options)
    return {
        "maps": [
            map_numbers(heat, wanted.threshold, wanted.percentile) | {"heat": state.add_heat(heat)}
            for heat in heat_maps
        ]
    }


def heat_tile(request: Request) -> Response:
    """A tile of a heat map, to be coloured by the browser; 204 outside the heat map."""
    from terraseek import tiles

    z, x, y = tile_zxy(request)
    body = tiles.heat_tile(state.heat(request.path_params["id"]), z, x, y)
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 3600)


def heat_cog(request: Request) -> Response:
    """A heat map as the file that `terraseek localize --out` writes."""
    from terraseek.localization import write_cog

    heat = state.heat(request.path_params["id"])
    with tempfile.TemporaryDirectory() as folder:
        body = write_cog(heat, Path(folder) / "heat.tif").read_bytes()
    return cached(request, body, "image/tiff", 3600)


ROUTES: list[BaseRoute] = [
    Route("/api/scenes", scenes, methods=["GET"]),
    Route("/api/localize/{id}", localize, methods=["GET"]),
    Route("/api/localize/{id}", localize_image, methods=["POST"]),
    Route("/api/heat/{id}", heat_cog, methods=["GET"]),
    Route("/tiles/heat/{id}/{z}/{x}/{y}", heat_tile, methods=["GET"]),
]
