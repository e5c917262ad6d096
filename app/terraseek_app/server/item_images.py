"""Items' pictures as queries to a scene, the same for pages and addresses."""

from typing import TYPE_CHECKING

from terraseek_app.server import state

if TYPE_CHECKING:
    from terraseek.localization.query import Picture

__all__ = ["item_picture"]


def item_picture(item_id: str) -> "Picture":
    """The picture of an item of the served catalogue, called after it.

    Raises:
        ItemNotFoundError: no such item. SceneError: its picture cannot be read.
    """
    from terraseek.localization.query import PICTURE_SIDE, Picture

    return Picture(state.catalogue().read_image(item_id, PICTURE_SIDE), f"of item {item_id}")
