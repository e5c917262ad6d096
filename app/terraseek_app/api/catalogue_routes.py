"""Routes of the catalogue: items, thumbnails, and the positions of all items.

Ids in addresses are opaque; no address contains a file path.
"""

import io
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError, ItemNotFoundError
from terraseek.geo import BBox
from terraseek_app.api.query_params import whole_number
from terraseek_app.api.responses import cached
from terraseek_app.server import state
from terraseek_app.server.client_text import client_values
from terraseek_app.server.query_images import read_upload
from terraseek_app.server.uploads import is_token

__all__ = ["MAX_POINTS", "ROUTES", "item_response", "thumbnail_bytes"]

MAX_POINTS = 20_000
"""Most positions listed for an area; larger catalogues are drawn as density tiles."""
THUMBNAIL_SIDES = (32, 1024)
"""Smallest and largest side of a thumbnail in pixels."""


def item(request: Request) -> Response:
    """All columns of an item."""
    return item_response(request.path_params["id"])


def item_response(item_id: str) -> Response:
    """All columns of an item, without folders of the server."""
    return JSONResponse(client_values(state.catalogue().item(item_id)))


def item_by_row(request: Request) -> Response:
    """All columns of the item in a row of the items table.

    `/api/points` gives rows instead of ids, because ids of millions of items are too large.
    """
    catalogue = state.catalogue()
    text = request.path_params["row"]
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"the row is {text!r}; it must be a whole number from 0 up")
    row = int(text) if len(text) < 12 else catalogue.row_count
    if row >= catalogue.row_count:
        raise ItemNotFoundError(
            f"row {text} does not exist; the catalogue has {catalogue.count} items"
        )
    return item_response(catalogue.item_ids[row].decode())


def thumbnail(request: Request) -> Response:
    """JPEG thumbnail of an item; `size` is its longer side in pixels."""
    size = whole_number(request, "size", 256, THUMBNAIL_SIDES)
    body = thumbnail_bytes(str(state.settings().catalogue), request.path_params["id"], size)
    return cached(request, body, "image/jpeg", 3600)


@lru_cache(maxsize=4096)
def thumbnail_bytes(catalogue: str, item_id: str, size: int) -> bytes:
    """JPEG of an item; small images are enlarged by bicubic resampling.

    Args:
        catalogue: folder of the catalogue; part of the cache key only.
        item_id: the item.
        size: longer side in pixels.

    Raises:
        ItemNotFoundError: the catalogue has no such item.
        SceneError: its image cannot be read.
    """
    return _jpeg(state.catalogue().read_image(item_id, size), size)


def upload_thumbnail(request: Request) -> Response:
    """JPEG thumbnail of an uploaded query image; `size` is its longer side in pixels."""
    size = whole_number(request, "size", 256, THUMBNAIL_SIDES)
    token = request.path_params["id"]
    if not is_token(token):
        raise InputError(f"the upload is {token!r}; give the token of an uploaded image")
    body = _upload_bytes(str(state.settings().uploads), token, size)
    return cached(request, body, "image/jpeg", 3600)


@lru_cache(maxsize=256)
def _upload_bytes(uploads: str, token: str, size: int) -> bytes:
    # the folder is part of the cache key only
    return _jpeg(read_upload(token), size)


def _jpeg(pixels: UInt8[np.ndarray, "h w 3"], size: int) -> bytes:
    image = Image.fromarray(pixels)
    scale = size / max(image.size)
    side = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    out = io.BytesIO()
    image.resize(side, Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


def points(request: Request) -> Response:
    """Positions of items as little-endian columns, one after the other.

    The columns are uint32 n, uint32 row [n], float32 lon [n], float32 lat [n] in degrees, uint8
    precision [n] (0 exact, 1 point, 2 utm_zone, 3 place_name). Items without a position are left
    out. With the parameter `bbox`, only items inside it; 204 if there are more than `most`.
    """
    bbox = request.query_params.get("bbox")
    if not bbox:
        body = state.shared().load_once("points", lambda: _pack_points(slice(None)))
        return cached(request, body, "application/octet-stream")
    limit = whole_number(request, "most", MAX_POINTS, (1, MAX_POINTS))
    selection = state.density().within(BBox.parse(bbox), limit)
    if selection is None:
        return Response(status_code=204)
    return cached(request, _pack_points(selection), "application/octet-stream")


def _pack_points(selection: "slice | np.ndarray") -> bytes:
    points = state.points()
    columns = (
        np.array([len(points.row[selection])], "<u4"),
        points.row[selection].astype("<u4"),
        points.lon[selection].astype("<f4"),
        points.lat[selection].astype("<f4"),
        points.precision[selection].astype("u1"),
    )
    return b"".join(column.tobytes() for column in columns)


ROUTES: list[BaseRoute] = [
    Route("/api/rows/{row}", item_by_row, methods=["GET"]),
    Route("/api/items/{id}", item, methods=["GET"]),
    Route("/api/thumbnails/{id}", thumbnail, methods=["GET"]),
    Route("/api/uploads/{id}", upload_thumbnail, methods=["GET"]),
    Route("/api/points", points, methods=["GET"]),
]
