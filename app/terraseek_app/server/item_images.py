"""Items' images as queries to a scene, the same for pages and addresses."""

from typing import TYPE_CHECKING

from terraseek_app.server import state

if TYPE_CHECKING:
    from terraseek.localization.query import Picture

__all__ = ["item_image"]


def item_image(item_id: str) -> "Picture":
    """The image of an item of the served catalogue, called after it.

    Raises:
        ItemNotFoundError: no such item. SceneError: its image cannot be read.
    """
    from terraseek.localization.query import IMAGE_SIDE, Picture

    return Picture(state.catalogue().read_image(item_id, IMAGE_SIDE), f"of item {item_id}")
