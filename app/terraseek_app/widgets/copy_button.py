"""A button that copies text to the clipboard in the browser, without a rerun."""

from terraseek_app.widgets.component import component

__all__ = ["copy_button"]


def copy_button(text: str, label: str, *, key: str) -> None:
    """Draw the button.

    Args:
        text: the text to copy.
        label: label of the button.
        key: widget key.
    """
    mount = component("terraseek_copy", ("copy.js", "copy_button.js"), ("button.css",))
    mount(key=key, data={"text": text, "label": label}, width="content")
