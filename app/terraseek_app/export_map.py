"""Export of hits as one HTML file with a map, the images and the basemap; needs no server."""

import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from PIL import Image

from terraseek.display import data_url
from terraseek.files import write_text
from terraseek_app.map.assets import read_asset

if TYPE_CHECKING:
    from terraseek.catalogue import Catalogue
    from terraseek.search import Hit
    from terraseek.search.export.provenance import Provenance

__all__ = ["map_html", "write_map"]

_FOLDER = Path(__file__).parent / "map"
_THUMBNAIL_SIDE = 240
"""Longer side in pixels of the images."""
_BASEMAP_ZOOM = 2
"""Zoom of the tiles of the background image, which is 2048 pixels wide."""


def write_map(
    path: Path,
    query: str,
    hits: "Sequence[Hit]",
    catalogue: "Catalogue",
    provenance: "Provenance | None" = None,
) -> None:
    """Write the map of a search; an interrupted call leaves no partial file.

    Args:
        path: the HTML file.
        query: the query, for the title.
        hits: best first; hits without coordinates are only in the list beside the map.
        catalogue: the catalogue of the hits, for their images.
        provenance: the request that the page then shows below the title.

    Raises:
        MissingExtraError: the map's JavaScript is not installed.
    """
    write_text(path, map_html(query, hits, catalogue, provenance))


def map_html(
    query: str,
    hits: "Sequence[Hit]",
    catalogue: "Catalogue",
    provenance: "Provenance | None" = None,
) -> str:
    """The HTML page; see `write_map`."""
    from terraseek.tiles.basemap import basemap_image
    from terraseek.tiles.borders import borders_geojson

    data = {
        "request": None if provenance is None else provenance.to_json(),
        "hits": [_hit_json(hit, catalogue) for hit in hits],
        "world": data_url(basemap_image(_BASEMAP_ZOOM), "image/jpeg"),
        "borders": json.loads(borders_geojson()),
    }
    template = Template((_FOLDER / "export.html").read_text("utf-8"))
    return template.substitute(
        title=html.escape(query),
        count=len(hits),
        request=_request_html(provenance),
        css=read_asset("maplibre-gl.css") + read_asset("component.css"),
        library=read_asset("maplibre-gl.js").replace("</script", "<\\/script"),
        # escaped, because "</script" would end the script element
        data=json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
        script=(_FOLDER / "export.js").read_text("utf-8"),
    )


def _request_html(provenance: "Provenance | None") -> str:
    """Filter, model and link of the search, one line each."""
    if provenance is None:
        return ""
    lines = [f"{name}: {text}" for name, text in provenance.row().items() if text]
    return "<br>".join(map(html.escape, lines))


def _hit_json(hit: "Hit", catalogue: "Catalogue") -> dict[str, Any]:
    image = Image.fromarray(catalogue.read_image(hit.item_id))
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return {
        "item_id": hit.item_id,
        "rank": hit.rank,
        "score": hit.score,
        "lon": hit.lon,
        "lat": hit.lat,
        "caption": hit.caption,
        "source": hit.source,
        "picture": data_url(out.getvalue(), "image/jpeg"),
    }
