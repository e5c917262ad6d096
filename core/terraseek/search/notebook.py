"""Hits in a notebook: a grid of thumbnails, and an interactive map."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.catalogue.catalogue import Catalogue
from terraseek.display import data_url, jpeg_bytes, shortened
from terraseek.errors import CatalogueError, SceneError
from terraseek.search.hits import Hit

__all__ = ["hits_html", "hits_map"]

_THUMBNAIL_SIDE = 160
"""Longer side in pixels of the images."""
_MOST_SHOWN = 60
"""Most hits of one grid; a notebook stores their images."""
_CAPTION_LENGTH = 120
_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Ramp from the lowest to the highest score: viridis (Smith and van der Walt)."""
_LAYER = "hits"
"""Name of layer and source."""
_FIT = {"padding": 60, "maxZoom": 12, "animate": False}

_GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:12px"
_FRAME = "height:160px;display:flex;align-items:center;justify-content:center;background:#8882"


def hits_html(hits: Sequence[Hit], catalogue: Catalogue | None, title: str) -> str:
    """Show hits as a grid of thumbnails with rank, score and caption.

    Args:
        hits: best first; the first 60 are shown.
        catalogue: source of the images; without it, and for unreadable images, frames are empty.
        title: text above the grid.
    """
    cards = "".join(_card(hit, catalogue) for hit in hits[:_MOST_SHOWN])
    n_more = len(hits) - _MOST_SHOWN
    more = f"<div>and {n_more} more hits</div>" if n_more > 0 else ""
    heading = f"<div>{html.escape(title)}</div>"
    return f'<div>{heading}<div style="{_GRID}">{cards}</div>{more}</div>'


def hits_map(hits: Sequence[Hit], catalogue: Catalogue | None, height: str) -> Any:  # noqa: ANN401
    """Show hits as points of a leafmap map; see `SearchResult.explore`.

    Raises:
        MissingExtraError: leafmap or the basemap is not installed.
    """
    from terraseek.tiles.notebook_map import offline_map

    shown = offline_map(height)
    located = [hit for hit in hits if hit.lon is not None and hit.lat is not None]
    colours = _colours([hit.score for hit in located])
    features = [
        _feature(hit, colour, catalogue) for hit, colour in zip(located, colours, strict=True)
    ]
    # the best are drawn last, above the others
    collection = {"type": "FeatureCollection", "features": features[::-1]}
    shown.add_source(_LAYER, {"type": "geojson", "data": collection})
    shown.add_layer(
        {
            "id": _LAYER,
            "type": "circle",
            "source": _LAYER,
            "paint": {
                "circle-radius": 7,
                "circle-color": ["get", "colour"],
                "circle-stroke-color": "#ffffff",
                "circle-stroke-width": 1.5,
            },
        }
    )
    shown.add_popup(_LAYER, "popup")
    if located:
        shown.fit_bounds(_bounds(located), dict(_FIT))
    return shown


def _card(hit: Hit, catalogue: Catalogue | None) -> str:
    caption = html.escape(shortened(hit.caption, _CAPTION_LENGTH))
    return (
        f'<div style="font-size:12px"><div style="{_FRAME}">{_image(hit, catalogue)}</div>'
        f"<b>{hit.rank}</b> &nbsp;{hit.score:.4f}<br>{caption}</div>"
    )


def _popup(hit: Hit, catalogue: Catalogue | None) -> str:
    caption = html.escape(shortened(hit.caption, _CAPTION_LENGTH))
    return (
        f'<div style="color:#111;max-width:{_THUMBNAIL_SIDE}px">{_image(hit, catalogue)}'
        f"<br><b>{hit.rank}</b> &nbsp;{hit.score:.4f}<br>{caption}"
        f"<br><small>{html.escape(hit.item_id)} · {html.escape(hit.source)}</small></div>"
    )


def _image(hit: Hit, catalogue: Catalogue | None) -> str:
    pixels = _thumbnail(hit, catalogue)
    if pixels is None:
        return "<span>no image</span>"
    url = data_url(jpeg_bytes(pixels), "image/jpeg")
    height, width = pixels.shape[:2]
    return f'<img src="{url}" width="{width}" height="{height}" alt="{html.escape(hit.item_id)}">'


def _thumbnail(hit: Hit, catalogue: Catalogue | None) -> UInt8[np.ndarray, "h w 3"] | None:
    """RGB thumbnail; None if the image is missing or unreadable."""
    if catalogue is None:
        return None
    try:
        return catalogue.read_image(hit.item_id, _THUMBNAIL_SIDE)
    except (CatalogueError, SceneError, OSError):
        return None


def _feature(hit: Hit, colour: str, catalogue: Catalogue | None) -> dict[str, Any]:
    properties = {
        "item_id": hit.item_id,
        "rank": hit.rank,
        "score": hit.score,
        "colour": colour,
        "popup": _popup(hit, catalogue),
    }
    geometry = {"type": "Point", "coordinates": [hit.lon, hit.lat]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _colours(scores: Sequence[float]) -> list[str]:
    """Hexadecimal colour of each score between the lowest and the highest."""
    if not scores:
        return []
    low, high = min(scores), max(scores)
    steps = np.arange(len(_COLOURS))
    ramp = np.array([[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in _COLOURS], float)
    at = [(score - low) / (high - low) if high > low else 1.0 for score in scores]
    rgb = np.stack([np.interp(np.multiply(at, steps[-1]), steps, ramp[:, i]) for i in range(3)], 1)
    return ["#" + "".join(f"{value:02x}" for value in row) for row in rgb.round().astype(int)]


def _bounds(hits: Sequence[Hit]) -> list[list[float]]:
    """[[west, south], [east, north]] of the narrowest box; `east` exceeds 180 across that line."""
    lons = sorted(float(hit.lon) % 360 for hit in hits if hit.lon is not None)
    lats = [float(hit.lat) for hit in hits if hit.lat is not None]
    gaps = [after - before for before, after in zip(lons, [*lons[1:], lons[0] + 360], strict=True)]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    west = lons[(widest + 1) % len(lons)]
    east = west + 360 - gaps[widest]
    turns = 360 if west >= 180 else 0
    return [[west - turns, min(lats)], [east - turns, max(lats)]]
