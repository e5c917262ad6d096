"""The button "Copy link", which also keeps the map's view in the page's address."""

from terraseek_app.widgets.component import component

__all__ = ["page_link"]


def page_link(key: str, map_key: str | None = None) -> None:
    """Draw the button.

    Args:
        key: widget key.
        map_key: widget key of the map whose view belongs to the link; None without one.
    """
    mount = component("terraseek_link", ("copy.js", "page_link.js"), ("button.css",))
    mount(key=key, data={"map": map_key or ""}, width="content")
