"""Route of a batch: many sentences in many scenes of the server, as one ZIP."""

import json
from functools import partial
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError, SceneTooLargeError
from terraseek.request import LocalizeRequest
from terraseek_app.api.query_params import all_values
from terraseek_app.server.clients import client_of
from terraseek_app.server.work_queue import LOCALIZATIONS

if TYPE_CHECKING:
    from terraseek_app.server.scene_batches import BatchZip

__all__ = ["MAX_BODY_BYTES", "ROUTES"]

MAX_BODY_BYTES = 1 << 20
"""Largest list of sentences and scenes in bytes."""


async def localize_batch(request: Request) -> Response:
    """Localize every sentence of the body in every scene of it; see `rows_of_json`."""
    from terraseek_app.server.scene_batches import rows_of_json, run_batch

    async with LOCALIZATIONS.admit(client_of(request.scope)) as place:
        rows = rows_of_json(await _json_body(request))
        wanted = LocalizeRequest.from_params(all_values(request))
        work = partial(
            run_batch, rows, wanted.options, threshold=wanted.threshold,
            percentile=wanted.percentile, stretch=wanted.stretch,
        )  # fmt: skip
        made = await place.run(request, work)
    return FileResponse(
        made.path,
        media_type="application/zip",
        filename="batch.zip",
        background=BackgroundTask(_keep_until_sent, made),
    )


def _keep_until_sent(made: "BatchZip") -> None:
    """Hold the files, which are removed with their object, until the response was sent."""


async def _json_body(request: Request) -> object:
    """The body as JSON values.

    Raises:
        InputError: it is no JSON.
        SceneTooLargeError: it is larger than the server accepts.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SceneTooLargeError(
                f"the body is larger than {MAX_BODY_BYTES >> 20} MB; send several requests"
            )
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the body is no JSON; send sentences and scenes") from error
    return found


ROUTES: list[BaseRoute] = [
    Route("/api/localize/batch", localize_batch, methods=["POST"]),
]
