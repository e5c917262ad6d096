"""Images used as queries: uploaded by the user, or taken from the served catalogue."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import SceneError
from terraseek_app.server import state, uploads
from terraseek_app.server.uploads import named_error, upload_path

if TYPE_CHECKING:
    from terraseek.localization.query import ImageQuery

__all__ = ["UPLOAD_SIDE", "is_kept", "item_image", "read_upload", "uploaded_image"]

UPLOAD_SIDE = 1024
"""Longer side in pixels an uploaded image is read at by `read_upload`; no encoder uses more."""


def item_image(item_id: str) -> "ImageQuery":
    """The image of an item of the served catalogue, as a query to a scene.

    Raises:
        ItemNotFoundError: the catalogue has no such item.
        SceneError: its image cannot be read.
    """
    from terraseek.localization.query import IMAGE_SIDE, ImageQuery

    return ImageQuery(state.catalogue().read_image(item_id, IMAGE_SIDE), f"of item {item_id}")


def uploaded_image(token: str, name: str) -> "ImageQuery":
    """An uploaded image, as a query to a scene.

    Args:
        token: token of the upload.
        name: display name.

    Raises:
        SceneError: the upload was removed, or cannot be decoded.
    """
    from terraseek.localization.query import ImageQuery

    try:
        return ImageQuery.read(upload_path(token, state.settings().uploads), name)
    except SceneError as error:
        raise named_error(error, token, name) from error


def is_kept(token: str) -> bool:
    """Whether an uploaded image is still kept on this server."""
    return uploads.is_kept(token, state.settings().uploads)


def read_upload(token: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an uploaded image in any format a scene may have, reduced to `UPLOAD_SIDE`.

    Raises:
        SceneError: the upload was removed, or cannot be decoded.
    """
    from terraseek.scenes import Scene

    with Scene.open(upload_path(token, state.settings().uploads)) as scene:
        rgb: UInt8[np.ndarray, "h w 3"] = scene.preview(UPLOAD_SIDE)[0]
    return rgb
