"""Scenes as thumbnails, as a Streamlit v2 component; a grey field stands for one that loads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from terraseek_app.address import base_path
from terraseek_app.widgets.component import component

__all__ = ["scene_gallery", "scene_tiles"]


def scene_tiles(
    sources: Mapping[str, str], scene_ids: Mapping[str, str | None], chosen: str | None
) -> list[dict[str, Any]]:
    """What the browser shows of each scene.

    Args:
        sources: value of the session key `localize_source` -> display name.
        scene_ids: the same value -> id of the scene on this server; None if it cannot be opened.
        chosen: the scene that is shown.
    """
    base = base_path()
    return [
        {
            "source": source,
            "name": name,
            "url": f"{base}/overlays/scene/{scene_ids[source]}/thumbnail.jpg"
            if scene_ids.get(source)
            else None,
            "on": source == chosen,
        }
        for source, name in sources.items()
    ]


def scene_gallery(
    key: str, tiles: Sequence[dict[str, Any]], *, on_choose: Callable[[str], None]
) -> None:
    """Draw the thumbnails.

    Args:
        key: widget key.
        tiles: see `scene_tiles`.
        on_choose: called with the source of a scene before the page is drawn again.
    """

    def report() -> None:
        chosen = st.session_state[key].get("chosen")
        if chosen:
            on_choose(str(chosen))

    mount = component("terraseek_scenes", ("scenes.js",), ("scenes.css",))
    mount(key=key, data={"tiles": list(tiles)}, on_chosen_change=report)
