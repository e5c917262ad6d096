"""Localization over HTTP: the scenes the server shows, and where in one a sentence is true."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import EmptyQueryError, InputError, SceneTooLargeError
from terraseek_app.api.responses import cached
from terraseek_app.api.tile_routes import zxy
from terraseek_app.server import state
from terraseek_app.server.query_images import item_image
from terraseek_app.server.uploads import keep_upload, upload_path

if TYPE_CHECKING:
    from terraseek.localization import LocalizeOptions
    from terraseek.localization.query import LocalizeQuery

__all__ = ["MOST_IMAGE_BYTES", "MOST_QUERIES", "ROUTES", "localize_json"]

MOST_QUERIES = 8
"""Most sentences and images one request asks of a scene."""
MOST_IMAGE_BYTES = 50 << 20
"""Largest image taken as a question."""


def scenes(request: Request) -> Response:
    """The example scenes, by name."""
    found = state.example_scenes()
    return JSONResponse({"scenes": [{"id": key, "name": name} for key, name in found.items()]})


def localize(request: Request) -> Response:
    """Peaks and regions of sentences or items in a scene; the first question encodes the scene."""
    return JSONResponse(localize_json(request))


async def localize_image(request: Request) -> Response:
    """The same for an image sent as the body; words and items may be asked beside it."""
    token = await _kept_body(request)
    return JSONResponse(await run_in_threadpool(localize_json, request, token))


async def _kept_body(request: Request) -> str:
    """Token of the image in the body, which is written to disk as it comes.

    Raises:
        EmptySceneError: there is no body. SceneTooLargeError: it is larger than this server takes.
    """
    limits = state.settings()
    most = min(MOST_IMAGE_BYTES, limits.max_upload_bytes)
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as kept:
        async for chunk in request.stream():
            kept.write(chunk)
            if kept.tell() > most:
                raise SceneTooLargeError(
                    f"the picture is larger than {most >> 20} MB, the most that is taken; shrink it"
                )
        return await run_in_threadpool(
            keep_upload, cast(BinaryIO, kept), "the body", limits.uploads, most
        )


def localize_json(request: Request, image: str = "") -> dict[str, Any]:
    """`{"maps": [...]}`: what `terraseek localize --json` gives of each query, and more.

    Args:
        request: its query parameters are the question.
        image: token of an uploaded image to look for, too.

    Raises:
        InputError: something asked for cannot be used.
    """
    from terraseek.localization import localize_many, map_numbers
    from terraseek.scenes import Scene

    path = state.scene_path(request.path_params["id"])
    options, queries = _options(request), _queries(request, image)
    threshold, percentile = _number(request, "threshold"), _number(request, "percentile")
    with Scene.open(path) as scene:
        heats = localize_many(scene, queries, state.encoder(), options)
    return {
        "maps": [
            map_numbers(heat, threshold, percentile) | {"heat": state.add_heat(heat)}
            for heat in heats
        ]
    }


def _queries(request: Request, image: str) -> "list[LocalizeQuery]":
    """Sentences `q`, then images of the items `like`, then the image that was sent."""
    from terraseek.localization.query import ImageQuery

    params = request.query_params
    likes = params.getlist("like")
    queries: list[LocalizeQuery] = list(params.getlist("q"))
    if not (queries or likes or image):
        raise EmptyQueryError("say what to look for: q=WORDS or like=ITEM, both may repeat")
    if len(queries) + len(likes) + bool(image) > MOST_QUERIES:
        raise InputError(f"one request asks at most {MOST_QUERIES} things of a scene; ask again")
    queries += [item_image(item_id) for item_id in likes]
    if image:
        name = request.query_params.get("name") or "sent"
        queries.append(ImageQuery.read(upload_path(image, state.settings().uploads), name))
    return queries


def _options(request: Request) -> "LocalizeOptions":
    from terraseek.localization import LocalizeOptions

    params = request.query_params
    sides, metres = _numbers(request, "scales"), _numbers(request, "scales_m")
    if sides is not None and not all(side.is_integer() for side in sides):
        raise InputError(f"scales is {params['scales']!r}; window sides are whole pixels")
    return LocalizeOptions(
        method=params.get("method") or "terraseek",
        scales=None if sides is None else tuple(int(side) for side in sides),
        scales_m=metres,
        minus=tuple(params.getlist("minus")),
    )


def _numbers(request: Request, name: str) -> tuple[float, ...] | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{name} is {text!r}; give numbers like 96,192,384") from error


def _number(request: Request, name: str) -> float | None:
    found = _numbers(request, name)
    if found is None:
        return None
    if len(found) != 1:
        raise InputError(f"{name} is {request.query_params[name]!r}; give one number")
    return found[0]


def heat_tile(request: Request) -> Response:
    """One tile of a kept heat map for a browser to colour; 204 where it does not reach."""
    from terraseek import tiles

    z, x, y = zxy(request)
    body = tiles.heat_tile(state.heat(request.path_params["id"]), z, x, y)
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 3600)


def heat_cog(request: Request) -> Response:
    """A kept heat map as the file `terraseek localize --out` writes."""
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
