"""Hits on their way to the eye: tiles of the gallery, markers of the map, files to take home."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import streamlit as st

from terraseek.search import Hit
from terraseek.search.export.files import EXPORTS, export_bytes
from terraseek_app.pages.explore.answer import Answer
from terraseek_app.server import state
from terraseek_app.widgets.facts import coordinates
from terraseek_app.widgets.gallery import Picture
from terraseek_app.widgets.score_text import SELDOM, Reading, beaten

__all__ = ["export", "images", "map_hits", "result_line", "thumbnail_url"]

_MIME = {
    ".geojson": "application/geo+json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".tar": "application/x-tar",
}
THUMBNAIL = 256
"""Longer side in pixels of the tiles' images."""


def thumbnail_url(item_id: str, size: int = THUMBNAIL) -> str:
    """Address of an item's small image on this server."""
    return f"/api/thumbnails/{quote(item_id, safe='')}?size={size}"


def images(
    hits: Sequence[Hit], readings: Sequence[Reading], liked: Sequence[str] = ()
) -> list[Picture]:
    """Tiles of the gallery; `liked` are items the user said were meant."""
    return [
        Picture(
            item_id=hit.item_id,
            rank=hit.rank,
            thumbnail=thumbnail_url(hit.item_id),
            caption=hit.caption or "",
            place=_place(hit),
            score=reading.text,
            strength=reading.strength,
            liked=hit.item_id in liked,
            weak=reading.weak,
        )
        for hit, reading in zip(hits, readings, strict=True)
    ]


def _place(hit: Hit) -> str:
    where = coordinates(hit.lon, hit.lat, 2)
    return where or "place unknown"


def map_hits(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Markers of the map; hits without a place have none."""
    return [
        {
            "item_id": hit.item_id,
            "rank": hit.rank,
            "score": float(hit.score),
            "lon": hit.lon,
            "lat": hit.lat,
            "caption": hit.caption or "",
            "thumbnail": thumbnail_url(hit.item_id),
            "precision": hit.location_precision,
        }
        for hit in hits
        if coordinates(hit.lon, hit.lat)
    ]


def result_line(answer: Answer, readings: Sequence[Reading]) -> None:
    """How many of how many, how fast, and whether anything convinces."""
    shown, matched, total = len(answer.hits), answer.matched, answer.total
    scope = (
        f"of <b>{matched:,}</b> that match the filter ({total:,} in all)"
        if matched != total
        else f"of <b>{total:,}</b> pictures"
    )
    st.html(
        f'<span class="ts-quiet"><b>{shown}</b> closest {scope} in '
        f"{answer.seconds * 1000:.0f} ms{_unsearchable(answer)}</span>"
    )
    if not answer.hits:
        st.info(
            "Nothing passes the filters. Drop one of them above, or draw a larger box.",
            icon=":material/filter_alt_off:",
        )
    elif readings and all(reading.weak for reading in readings):
        _doubt(answer)


def _doubt(answer: Answer) -> None:
    """In two degrees, as the Localize page has them."""
    share = max((hit.percentile or 0) for hit in answer.hits) / 100
    if share >= SELDOM:
        st.info(
            f"Not certain: the best of these beats {beaten(share)} of unrelated pairs of picture "
            f"and sentence, but among {answer.matched:,} pictures some are that close by chance.",
            icon=":material/help:",
        )
    else:
        st.warning(
            "No convincing match: these are the closest pictures, yet no closer than pictures that "
            "have nothing to do with the query.",
            icon=":material/help:",
        )


def _unsearchable(answer: Answer) -> str:
    if not answer.unsearchable:
        return ""
    return f"; {answer.unsearchable:,} have no vector yet (run <code>terraseek embed</code>)"


def export(hits: Sequence[Hit]) -> None:
    """A drawer of buttons that hand out the hits as files."""
    if not hits:
        return
    with st.popover("Download", icon=":material/download:", type="tertiary", key="explore_export"):
        for ending, (what, _) in EXPORTS.items():
            st.download_button(
                what,
                partial(_file, ending, tuple(hits)),
                file_name=f"terraseek-hits{ending}",
                mime=_MIME.get(ending, "application/json"),
                on_click="ignore",
                width="stretch",
                key=f"explore_{ending.strip('.').replace('.', '_')}",
            )


def _file(ending: str, hits: tuple[Hit, ...]) -> bytes:
    return export_bytes(ending, hits, state.catalogue())
