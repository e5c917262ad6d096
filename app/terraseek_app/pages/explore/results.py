"""The results of Explore: gallery tiles, map markers, the summary line, downloads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from terraseek.search import Hit
from terraseek.search.export.files import EXPORTS, export_bytes
from terraseek.search.export.provenance import Provenance
from terraseek.significance.model import Level
from terraseek.significance.words import summary_text
from terraseek_app.pages.explore.hits.cut import Cut, read_cut
from terraseek_app.pages.explore.hits.facts import HitFacts
from terraseek_app.pages.explore.link import IMAGE
from terraseek_app.pages.explore.search import ResultList, build_request
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state
from terraseek_app.server.client_text import file_name
from terraseek_app.widgets.gallery import GalleryTile
from terraseek_app.widgets.metadata import coordinates
from terraseek_app.widgets.score_text import ScoreText
from terraseek_app.widgets.thumbnails import thumbnail_url

__all__ = ["download_menu", "gallery_tiles", "map_markers", "result_summary"]

_MIME = {
    ".geojson": "application/geo+json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".tar": "application/x-tar",
}


def gallery_tiles(
    hits: Sequence[Hit],
    scores: Sequence[ScoreText],
    liked: Sequence[str] = (),
    facts: Mapping[str, HitFacts] | None = None,
) -> list[GalleryTile]:
    """Tiles of the gallery.

    Args:
        hits: best first.
        scores: text of each hit's score.
        liked: ids of items voted as relevant.
        facts: date, resolution and place by item id.
    """
    known = facts or {}
    return [
        GalleryTile(
            item_id=hit.item_id,
            rank=hit.rank,
            thumbnail=thumbnail_url(hit.item_id),
            caption=hit.caption or "",
            place=known.get(hit.item_id, HitFacts()).place
            or coordinates(hit.lon, hit.lat, 2)
            or "place unknown",
            facts=known.get(hit.item_id, HitFacts()).short,
            score=score.short,
            strength=score.bar_length,
            liked=hit.item_id in liked,
            level=hit.significance or "",
        )
        for hit, score in zip(hits, scores, strict=True)
    ]


def map_markers(hits: Sequence[Hit], facts: Mapping[str, HitFacts]) -> list[dict[str, Any]]:
    """Markers of the map; hits without coordinates have none.

    Args:
        hits: best first.
        facts: of each hit, by item id.
    """
    return [
        {
            "item_id": hit.item_id,
            "rank": hit.rank,
            "score": float(hit.score),
            "level": hit.significance,
            "lon": hit.lon,
            "lat": hit.lat,
            "caption": hit.caption or "",
            "thumbnail": thumbnail_url(hit.item_id),
            "precision": hit.location_precision,
            "footprint": facts[hit.item_id].footprint,
        }
        for hit in hits
        if coordinates(hit.lon, hit.lat)
    ]


def result_summary(results: ResultList) -> None:
    """Draw the counts and the search time, and what the significance of the hits is."""
    shown, matched, total = len(results.hits), results.matched, results.total
    scope = (
        f"of <b>{matched:,}</b> that match the filter ({total:,} in all)"
        if matched != total
        else f"of <b>{total:,}</b> pictures"
    )
    st.html(
        f'<span class="ts-quiet" title="in {results.seconds * 1000:.0f} ms"><b>{shown}</b> closest '
        f"{scope}{_not_embedded_note(results)}</span>"
    )
    if not results.hits:
        st.info(
            "Nothing passes the filters. Remove one of them above, or draw a larger box.",
            icon=":material/filter_alt_off:",
        )
    elif results.significance is not None:
        _significance_note(results, results.significance)


def _significance_note(results: ResultList, level: Level) -> None:
    """State the level of the result, and the number of hits that are expected to be right."""
    known = [hit.probability for hit in results.hits if hit.probability is not None]
    text = summary_text(level, len(results.hits), sum(known) if known else None)
    if level == "likely":
        st.html(f'<span class="ts-quiet">{text}</span>')
    elif level == "possible":
        st.info(text, icon=":material/help:")
    else:
        st.warning(text, icon=":material/help:")


def _not_embedded_note(results: ResultList) -> str:
    if not results.n_not_embedded:
        return ""
    return f"; {results.n_not_embedded:,} are not embedded yet (run <code>terraseek embed</code>)"


def download_menu(hits: Sequence[Hit], form: SearchForm, key: str = "explore_export") -> None:
    """Draw a menu of the file formats the hits can be downloaded in, with the query in each.

    Args:
        hits: what the files contain.
        form: the form values.
        key: of the menu; the buttons' keys begin like it.
    """
    if not hits:
        return
    with st.popover("Download", icon=":material/download:", type="tertiary", key=key):
        for suffix, (label, _) in EXPORTS.items():
            st.download_button(
                label,
                partial(_file_bytes, suffix, tuple(hits), form, read_cut()),
                file_name=f"terraseek-hits{suffix}",
                mime=_MIME.get(suffix, "application/json"),
                on_click="ignore",
                width="stretch",
                key=f"{key.removesuffix('export')}{suffix.strip('.').replace('.', '_')}",
            )


def _file_bytes(suffix: str, hits: tuple[Hit, ...], form: SearchForm, cut: Cut) -> bytes:
    further: dict[str, str | list[str]] = {IMAGE: list(form.images)} if form.images else {}
    further |= cut.to_params()
    provenance = Provenance(build_request(form), state.encoder().encoder_id, further)
    named = [replace(hit, image=file_name(hit.image)) for hit in hits]
    return export_bytes(suffix, named, state.catalogue(), provenance)
