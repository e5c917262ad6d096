"""Hits as one HTML file: map, images and basemap inside, so that it opens without any server."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from PIL import Image

from terraseek.errors import MissingExtraError
from terraseek.files import write_text
from terraseek_app.api.tile_routes import map_asset

if TYPE_CHECKING:
    from terraseek.catalogue import Catalogue
    from terraseek.search import Hit

__all__ = ["map_html", "write_map"]

_FOLDER = Path(__file__).parent / "map"
_THUMBNAIL_SIDE = 240
_WORLD_ZOOM = 2


def write_map(path: Path, query: str, hits: "Sequence[Hit]", catalogue: "Catalogue") -> None:
    """Write the map of a search, whole or not at all.

    Args:
        path: the HTML file.
        query: what was asked, for the title.
        hits: best first; those without a place are listed beside the map only.
        catalogue: where their images are.
    """
    write_text(path, map_html(query, hits, catalogue))


def map_html(query: str, hits: "Sequence[Hit]", catalogue: "Catalogue") -> str:
    """The page as text; everything it shows is inside."""
    from terraseek.tiles.borders import borders_geojson

    data = {
        "hits": [_hit_json(hit, catalogue) for hit in hits],
        "world": _data_url(_world_jpeg(), "image/jpeg"),
        "borders": json.loads(borders_geojson()),
    }
    template = Template((_FOLDER / "export.html").read_text("utf-8"))
    return template.substitute(
        title=html.escape(query),
        count=len(hits),
        css=_asset("maplibre-gl.css") + (_FOLDER / "component.css").read_text("utf-8"),
        library=_asset("maplibre-gl.js").replace("</script", "<\\/script"),
        # inside a script element only "<" could end the element early
        data=json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
        script=(_FOLDER / "export.js").read_text("utf-8"),
    )


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
        "picture": _data_url(out.getvalue(), "image/jpeg"),
    }


def _world_jpeg() -> bytes:
    """The Blue Marble in Web Mercator, the whole square, 2048 pixels wide."""
    from terraseek.tiles.basemap import TILE_SIZE, basemap_tile

    side = 1 << _WORLD_ZOOM
    world = Image.new("RGB", (side * TILE_SIZE, side * TILE_SIZE))
    for x in range(side):
        for y in range(side):
            tile = Image.open(io.BytesIO(basemap_tile(_WORLD_ZOOM, x, y)))
            world.paste(tile, (x * TILE_SIZE, y * TILE_SIZE))
    out = io.BytesIO()
    world.save(out, "JPEG", quality=80)
    return out.getvalue()


def _data_url(content: bytes, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def _asset(name: str) -> str:
    path = map_asset(name)
    if path is None or not path.is_file():
        raise MissingExtraError(f"{name} is not installed; run: pip install 'terraseek[app]'")
    return path.read_text("utf-8")
