"""The map as a Streamlit component: MapLibre GL, kept across reruns."""

import hashlib
import html
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from terraseek.geo import BBox
from terraseek_app.address import base_path
from terraseek_app.map.assets import maplibre_folder
from terraseek_app.map.events import MapEvent, PixelBox, parse_event
from terraseek_app.map.overlays import Overlay, overlay_json
from terraseek_app.map.second import SecondMap, second_map_json
from terraseek_app.server import state

__all__ = ["EVENTS", "Side", "world_map"]

Side = Literal["top", "left", "right", "corner"]
"""Side of the map that a panel covers; `corner` is the lower right one."""

_HERE = Path(__file__).parent
EVENTS = ("select", "box", "area")
"""Events reported by default. Others: `click` (on an empty place), `view` (map moved), `shape`
(polygons drawn or edited), `centre` (circle placed), `choose` (hits chosen with a box),
`threshold` (of the heat map set), `stretch` (colours by level, or of the scene), `region` (outline
clicked), `truth` (outlines of the truth drawn)."""


def world_map(
    key: str,
    *,
    points_url: str | None = None,
    density_url: str | None = None,
    items_url: str | None = None,
    hits: Sequence[Mapping[str, Any]] = (),
    selected: str | None = None,
    chosen: Sequence[str] = (),
    box: BBox | PixelBox | None = None,
    shapes: Sequence[Sequence[tuple[float, float]]] = (),
    circle: tuple[float, float, float] | None = None,
    overlays: Sequence[Overlay] = (),
    regions: Mapping[str, Any] | None = None,
    peaks: Sequence[Mapping[str, Any]] = (),
    threshold: float | None = None,
    stretch: bool = False,
    truth: Sequence[Sequence[tuple[float, float]]] = (),
    view: Mapping[str, Any] | None = None,
    second: SecondMap | None = None,
    pixels: tuple[int, int] | None = None,
    report: Sequence[str] = EVENTS,
    panels: Mapping[str, Side] | None = None,
    height: int | str = 560,
    on_event: Callable[[MapEvent], None] | None = None,
) -> MapEvent:
    """Draw the map, and return what the user did on it.

    The map of a key is kept as long as the browser tab: a rerun changes only what differs, and does
    not move the view.

    Args:
        key: widget key.
        points_url: URL of the samples, normally `/api/points`.
        density_url: URL of density tiles, for catalogues with too many samples to send; then only
            the samples in view are requested from `points_url`, which answers 204 if there are too
            many.
        items_url: URL of the tiles of the items' images, normally `/tiles/items`; drawn from the
            zoom at which footprints are large enough.
        hits: marks, best first: item_id, score, lon, lat, caption, and if known the precision of
            the place, a footprint of four corners, and the URL of a thumbnail.
        selected: id of the item whose marker is highlighted.
        chosen: ids of hits that are marked as chosen.
        box: the search box to draw.
        shapes: corners (lon, lat) of polygons to draw and edit; not in pixel space.
        circle: (lon, lat, radius in km) of a circle to draw; not in pixel space.
        overlays: scenes and heat maps; scenes are drawn below heat maps.
        regions: GeoJSON polygons in lon/lat, or in col/row in pixel space.
        peaks: {"x", "y", "label"} with lon/lat in degrees, or col/row in pixel space.
        threshold: where the heat map's colours begin, 0-1 of its display range; None leaves it.
        stretch: whether heat maps with levels have colours stretched to the scene.
        truth: outlines of where the sentence is true: corners as (lon, lat), or (col, row).
        view: {"center": [lon, lat], "zoom": z} | {"bounds": [w, s, e, n]} |
            {"fit": "hits" | "overlays" | "box"}, with "return" to keep the view before, to which
            {"back": n} goes; the map moves whenever this value changes, so a
            further key with a new value repeats the same view.
        second: hits to compare with, on a second map with the same view.
        pixels: (width, height) of an image without a CRS: the map shows its pixel space instead of
            the globe, and all positions are (col, row).
        report: kinds of events that rerun the page.
        panels: keys of containers of the page that float over the map, and the side of it that each
            covers; controls and the places that the map moves to stay clear of them.
        height: CSS pixels, or a CSS length such as `calc(100vh - 9rem)` or `var(--name)`.
        on_event: called with the event before the page runs again, to change the session state.

    Returns:
        The event of this run; kind `none` when nothing happened, or without a browser.
    """
    base = base_path()
    data = {
        "key": key,
        "base": base,
        "version": _version(),
        "basemap": _operator_basemap(),
        "points_url": f"{base}{points_url}" if points_url else None,
        "density_url": f"{base}{density_url}" if density_url else None,
        "items_url": f"{base}{items_url}" if items_url else None,
        "hits": [dict(hit) for hit in hits],
        "selected": selected,
        "chosen": list(chosen),
        "box": list(box.as_tuple() if isinstance(box, BBox) else box) if box else None,
        "shapes": [[list(corner) for corner in ring] for ring in shapes],
        "circle": list(circle) if circle else None,
        "overlays": [overlay_json(overlay) for overlay in overlays],
        "regions": regions,
        "peaks": [dict(peak) for peak in peaks],
        "threshold": threshold,
        "stretch": stretch,
        "truth": [[list(corner) for corner in ring] for ring in truth],
        "view": view,
        "second": second_map_json(second),
        "pixels": list(pixels) if pixels else None,
        "report": list(report),
        "panels": dict(panels or {}),
        "height": height,
    }

    def report_event() -> None:
        if on_event is not None:
            raw = st.session_state[key].get("event")
            on_event(parse_event(raw, box, pixels is not None))

    component_height = height if isinstance(height, int) else "content"
    result = _component()(key=key, data=data, height=component_height, on_event_change=report_event)
    return parse_event(result.get("event"), box, pixels is not None)


@lru_cache(maxsize=1)
def _component() -> Any:  # noqa: ANN401 - Streamlit gives a callable without a public type
    maplibre_folder()  # fails on the page instead of in the browser
    # the leading line break tells Streamlit that the string is the content, not a file name
    return st.components.v2.component(
        "terraseek_map",
        html=(_HERE / "component.html").read_text("utf-8"),
        js="\n" + (_HERE / "component.js").read_text("utf-8"),
    )


def _operator_basemap() -> dict[str, Any] | None:
    """The basemap that the operator configured, for `style.js`; None for the Blue Marble."""
    settings = state.settings()
    if not settings.basemap:
        return None
    attribution = {"attribution": html.escape(settings.basemap_attribution)}
    archive = settings.basemap_archive
    if archive is None:
        return {"url": settings.basemap} | attribution
    from terraseek.tiles.pmtiles import file_stamp

    return _archive_source(archive, *file_stamp(archive)) | attribution


@lru_cache(maxsize=4)
def _archive_source(path: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    """An archive as a source of tiles; the address changes with the file."""
    from terraseek.tiles.pmtiles import PMTiles

    archive = PMTiles.open(path)
    return {
        "url": f"/tiles/archive/{{z}}/{{x}}/{{y}}?v={mtime_ns}-{size}",
        "tile_size": archive.tile_size(),
        "minzoom": archive.min_zoom,
        "maxzoom": archive.max_zoom,
        "bounds": list(archive.bounds),
    }


@lru_cache(maxsize=1)
def _version() -> str:
    """Hash of JavaScript and styles; part of their URLs, so that no tab mixes old and new files."""
    digest = hashlib.sha256()
    for path in sorted((_HERE / "static").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
