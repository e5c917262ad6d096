"""The map: MapLibre GL as a Streamlit component that survives reruns."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from terraseek.geo import BBox
from terraseek_app.map.values import MapEvent, Overlay, PixelBox, overlay_json, parse_event

__all__ = ["EVENTS", "world_map"]

_HERE = Path(__file__).parent
EVENTS = ("select", "box", "area")
"""What reruns the app unless told otherwise; `click` (empty places), `view`, `shape` (a polygon can
be drawn) and `centre` (a circle can be placed) can be added."""


def world_map(
    key: str,
    *,
    points_url: str | None = None,
    density_url: str | None = None,
    hits: Sequence[Mapping[str, Any]] = (),
    selected: str | None = None,
    box: BBox | PixelBox | None = None,
    shape: Sequence[tuple[float, float]] | None = None,
    circle: tuple[float, float, float] | None = None,
    overlays: Sequence[Overlay] = (),
    regions: Mapping[str, Any] | None = None,
    peaks: Sequence[Mapping[str, Any]] = (),
    view: Mapping[str, Any] | None = None,
    pixels: tuple[int, int] | None = None,
    report: Sequence[str] = EVENTS,
    height: int | str = 560,
    on_event: Callable[[MapEvent], None] | None = None,
) -> MapEvent:
    """Show the map `key` and say what the user did on it.

    The map of a key lives as long as the browser tab: a rerun changes only what differs and leaves
    the view alone.

    Args:
        points_url: address of the samples, normally `/api/points`.
        density_url: address of density tiles, for samples too many to send; `points_url` is then
            asked for those in view, and tells with 204 that they are too many for single dots.
        hits: numbered markers, best first: item_id, score, lon, lat, caption and more.
        selected: item whose marker is emphasised.
        box: the search box to show.
        shape: corners (lon, lat) of a polygon to show; globe only.
        circle: (lon, lat, km) of a circle to show; globe only.
        overlays: heat maps and scenes, scenes below.
        regions: GeoJSON outlines in lon/lat, or in col/row in pixel space.
        peaks: {"x", "y", "label"}, lon/lat in degrees or col/row in pixel space.
        view: {"center": [lon, lat], "zoom": z} | {"bounds": [w, s, e, n]} |
            {"fit": "hits" | "overlays" | "box"}; followed once, and again when it changes, so add
            any further key to repeat a wish.
        pixels: (width, height) of an image without a place: the map shows its pixels instead of
            the globe, and all places are (col, row).
        report: which events rerun the app.
        height: pixels on the screen, or a CSS length such as `calc(100vh - 9rem)`.
        on_event: called with the event before the page runs again, to change session state.

    Returns:
        The event of this run; the empty event when nothing happened or without a browser.
    """
    data = {
        "key": key,
        "base": _base(),
        "version": _version(),
        "points_url": f"{_base()}{points_url}" if points_url else None,
        "density_url": f"{_base()}{density_url}" if density_url else None,
        "hits": [dict(hit) for hit in hits],
        "selected": selected,
        "box": list(box.as_tuple() if isinstance(box, BBox) else box) if box else None,
        "shape": [list(corner) for corner in shape] if shape else None,
        "circle": list(circle) if circle else None,
        "overlays": [overlay_json(overlay) for overlay in overlays],
        "regions": regions,
        "peaks": [dict(peak) for peak in peaks],
        "view": view,
        "pixels": list(pixels) if pixels else None,
        "report": list(report),
        "height": height,
    }

    def happened() -> None:
        if on_event is not None:
            raw = st.session_state[key].get("event")
            on_event(parse_event(raw, box, pixels is not None))

    frame = height if isinstance(height, int) else "content"
    result = _component()(key=key, data=data, height=frame, on_event_change=happened)
    return parse_event(result.get("event"), box, pixels is not None)


@lru_cache(maxsize=1)
def _component() -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    from terraseek_app.api.tile_routes import map_asset

    library = map_asset("maplibre-gl.css")
    assert library is not None
    # Streamlit takes a string without a line break near its start for a file name
    css = "\n" + library.read_text("utf-8") + (_HERE / "component.css").read_text("utf-8")
    return st.components.v2.component(
        "terraseek_map",
        html=(_HERE / "component.html").read_text("utf-8"),
        css=css,
        js="\n" + (_HERE / "component.js").read_text("utf-8"),
    )


def _base() -> str:
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


@lru_cache(maxsize=1)
def _version() -> str:
    """Changes with the JavaScript, so that no tab mixes old and new modules."""
    digest = hashlib.sha256()
    for path in sorted((_HERE / "static").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
