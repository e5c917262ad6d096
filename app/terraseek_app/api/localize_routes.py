"""Routes of the localization: the scenes of the server, and heat maps of queries in them."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import EmptySceneError, InputError, SceneTooLargeError
from terraseek.progress import Progress, silent
from terraseek_app.api.query_params import all_values
from terraseek_app.api.responses import cached
from terraseek_app.api.tile_routes import tile_zxy
from terraseek_app.server import state
from terraseek_app.server.clients import client_of
from terraseek_app.server.image_heads import HEAD_BYTES, check_image_head
from terraseek_app.server.query_images import item_image
from terraseek_app.server.work_queue import LOCALIZATIONS

if TYPE_CHECKING:
    from terraseek.localization import Comparison, HeatMap
    from terraseek.request import LocalizeRequest

__all__ = ["BUNDLE_NAME", "MAX_IMAGE_BYTES", "MAX_QUERIES", "ROUTES", "localize_json"]

MAX_QUERIES = 8
"""Most sentences and images of one request."""
MAX_IMAGE_BYTES = 50 << 20
"""Largest query image in bytes."""
BUNDLE_NAME = "all.zip"
"""Name of the ZIP of all files of a heat map."""


def scenes(request: Request) -> Response:
    """The example scenes, by name."""
    examples = state.example_scenes()
    return JSONResponse({"scenes": [{"id": key, "name": name} for key, name in examples.items()]})


async def localize(request: Request) -> Response:
    """Peaks and regions of sentences or items in a scene; the first request encodes the scene."""
    async with LOCALIZATIONS.admit(client_of(request.scope)) as place:
        found = await place.run(request, partial(localize_json, request, None))
    return JSONResponse(found)


async def localize_image(request: Request) -> Response:
    """The same for an image in the request's body, next to the sentences and items."""
    _check_body_size(request)
    async with LOCALIZATIONS.admit(client_of(request.scope)) as place:
        # before the body, which is not read for an unknown scene
        await run_in_threadpool(state.scene_path, request.path_params["id"])
        with tempfile.TemporaryDirectory(prefix="terraseek-body-") as folder:
            image = Path(folder) / "image"
            await _receive_image(request, image)
            found = await place.run(request, partial(localize_json, request, image))
    return JSONResponse(found)


async def _receive_image(request: Request, path: Path) -> None:
    """Write the image in the body to a file; stops at the first bytes if it is no image.

    Raises:
        EmptySceneError: the body is empty.
        NotAnImageError: it does not start like an image.
        SceneTooLargeError: it is larger than the server accepts.
    """
    head, size = b"", 0
    with path.open("wb") as out:
        async for chunk in request.stream():
            size += len(chunk)
            _check_size(size)
            if len(head) < HEAD_BYTES:
                head += chunk[: HEAD_BYTES - len(head)]
                if len(head) == HEAD_BYTES:
                    check_image_head(head, "the body")
            out.write(chunk)
    if size == 0:
        raise EmptySceneError("the body has no bytes; send an image")
    check_image_head(head, "the body")


def _check_body_size(request: Request) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        _check_size(int(declared))


def _check_size(size: int) -> None:
    max_bytes = min(MAX_IMAGE_BYTES, state.settings().max_upload_bytes)
    if size > max_bytes:
        raise SceneTooLargeError(
            f"the image is larger than {max_bytes >> 20} MB, the most this server accepts; reduce "
            "its size"
        )


def localize_json(
    request: Request, image: Path | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Localize as the query parameters say.

    Args:
        request: the request.
        image: file of a query image.
        progress: progress callback.

    Returns:
        `{"maps": [...]}` with the numbers of each query's heat map, and its id under `heat`; for
        several queries also `comparison`, see `Comparison.to_json`.

    Raises:
        InputError: a parameter is invalid.
    """
    from terraseek.localization import localize_many, map_numbers
    from terraseek.localization.query import ImageQuery
    from terraseek.localization.side_map import side_map
    from terraseek.request import LocalizeRequest
    from terraseek.scenes import Scene

    path = state.scene_path(request.path_params["id"])
    wanted = LocalizeRequest.from_params(all_values(request))
    if len(wanted.sentences) + len(wanted.items) + (image is not None) > MAX_QUERIES:
        raise InputError(
            f"a request may have at most {MAX_QUERIES} queries; send the others in another request"
        )
    name = request.query_params.get("name") or "sent"
    queries = wanted.queries(item_image, ImageQuery.read(image, name) if image else None)
    with Scene.open(path) as scene:
        found = localize_many(scene, queries, state.encoder(), wanted.options, progress)
    heat_maps = [side_map(heat, wanted.side) for heat in found]
    maps = [
        map_numbers(heat, wanted.threshold, wanted.percentile) | {"heat": state.add_heat(heat)}
        for heat in heat_maps
    ]
    if len(heat_maps) == 1:
        return {"maps": maps}
    return {"maps": maps, "comparison": _compared(heat_maps, wanted).to_json()}


def _compared(heats: "Sequence[HeatMap]", wanted: "LocalizeRequest") -> "Comparison":
    from terraseek.localization import compare

    limits = None if wanted.threshold is None else [wanted.threshold] * len(heats)
    return compare(heats, limits, wanted.percentile)


def heat_tile(request: Request) -> Response:
    """A tile of a heat map, to be coloured by the browser; 204 outside the heat map."""
    from terraseek import tiles

    z, x, y = tile_zxy(request)
    body = tiles.heat_tile(state.heat(request.path_params["id"]), z, x, y)
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 3600)


def heat_cog(request: Request) -> Response:
    """A heat map as the file that `terraseek localize --out` writes."""
    heat = state.heat(request.path_params["id"])
    from terraseek.localization import write_cog

    with tempfile.TemporaryDirectory() as folder:
        body = write_cog(heat, Path(folder) / "heat.tif").read_bytes()
    return cached(request, body, "image/tiff", 3600)


def heat_file(request: Request) -> Response:
    """One of the files of a heat map, or the ZIP of all of them."""
    whole, name = state.heat(request.path_params["id"]), request.path_params["name"]
    from terraseek.localization import HEAT_FILES, write_bundle, write_heat_file
    from terraseek.localization.side_map import side_map
    from terraseek.request import LocalizeRequest

    wanted = LocalizeRequest.from_params(all_values(request))
    heat, limits = side_map(whole, wanted.side), (wanted.threshold, wanted.percentile)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        if name == BUNDLE_NAME:
            write_bundle(heat, path, *limits, stretch=wanted.stretch)
        else:
            write_heat_file(name, heat, path, *limits, stretch=wanted.stretch)
        body = path.read_bytes()
    media_type = "application/zip" if name == BUNDLE_NAME else HEAT_FILES[name].media_type
    return _download(request, body, media_type, Path(name).name)


def winner_file(request: Request) -> Response:
    """Which of several heat maps of one scene wins where: `winner.tif`, or its style."""
    from terraseek.localization.output.winner_map import write_winner, write_winner_style
    from terraseek.localization.side_map import side_map
    from terraseek.request import LocalizeRequest

    writers = {
        "winner.tif": (write_winner, "image/tiff"),
        "winner.qml": (write_winner_style, "application/xml"),
    }
    name = request.path_params["name"]
    if name not in writers:
        raise InputError(f"a comparison has no file {name!r}; it has {', '.join(writers)}")
    values = all_values(request)
    ids, wanted = values.get("heat", ()), LocalizeRequest.from_params(values)
    if not 0 < len(ids) <= MAX_QUERIES:
        raise InputError(f"give 1 to {MAX_QUERIES} heat maps of one scene as heat=ID")
    heats = [side_map(state.heat(heat_id), wanted.side) for heat_id in ids]
    write, media_type = writers[name]
    with tempfile.TemporaryDirectory() as folder:
        body = write(_compared(heats, wanted), Path(folder) / name).read_bytes()
    return _download(request, body, media_type, name)


def _download(request: Request, body: bytes, media_type: str, name: str) -> Response:
    """A cached response that browsers save as a file."""
    response = cached(request, body, media_type, 3600)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


ROUTES: list[BaseRoute] = [
    Route("/api/scenes", scenes, methods=["GET"]),
    Route("/api/winner/{name}", winner_file, methods=["GET"]),
    Route("/api/localize/{id}", localize, methods=["GET"]),
    Route("/api/localize/{id}", localize_image, methods=["POST"]),
    Route("/api/heat/{id}", heat_cog, methods=["GET"]),
    Route("/api/heat/{id}/{name}", heat_file, methods=["GET"]),
    Route("/tiles/heat/{id}/{z}/{x}/{y}", heat_tile, methods=["GET"]),
]
