"""A search result as a sequence, as a table, and in a notebook."""

import base64
import io
import re
import sys

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import MissingExtraError
from terraseek.geo import BBox
from terraseek.search import Hit, Query, Searcher, SearchResult
from terraseek.search.hits import HIT_COLUMNS
from terraseek.tiles.notebook_map import offline_style

COLOURS = {"a": (200, 40, 40), "b": (40, 160, 60), "c": (30, 60, 190), "d": (90, 90, 90)}
PLACES = {"a": ("179.5", "10"), "b": ("-178", "-4.25"), "c": ("", ""), "d": ("176", "2")}
NASTY = '<script>alert("x")</script> & a roof'


@pytest.fixture(scope="module")
def searcher(tmp_path_factory) -> Searcher:
    """Four plain images around the antimeridian, one without a place, one unreadable."""
    folder = tmp_path_factory.mktemp("result")
    lines = ["filename,caption,lon,lat"]
    for name, colour in COLOURS.items():
        Image.new("RGB", (320, 240), colour).save(folder / f"{name}.png")
        caption = f'"{NASTY.replace(chr(34), chr(34) * 2)}"' if name == "a" else f"chip {name}"
        lines.append(f"{name}.png,{caption},{','.join(PLACES[name])}")
    (folder / "items.csv").write_text("\n".join(lines))
    import_source(folder / "items.csv", folder / "cat", check=False)
    catalogue = Catalogue.open(folder / "cat")
    embed_catalogue(catalogue, FakeEncoder())
    (folder / "d.png").write_bytes(b"junk")
    return Searcher(catalogue, FakeEncoder())


@pytest.fixture(scope="module")
def result(searcher) -> SearchResult:
    return searcher.search(Query(text="a red roof"), k=4)


@pytest.fixture(scope="module")
def explored(result):
    return result.explore()


def images_in(html: str) -> list[np.ndarray]:
    urls = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(url)), formats=["JPEG"])) for url in urls
    ]


def called(leafmap_map, method: str) -> list[tuple]:
    return [tuple(arguments) for name, arguments in leafmap_map.calls if name == method]


def name_of(hit: Hit) -> str:
    return hit.image.rpartition("/")[2].removesuffix(".png")


def test_a_result_is_a_sequence_of_its_hits(searcher, result):
    assert len(result) == 4
    assert list(result) == result.hits
    assert result[0] is result.hits[0]
    assert result[-1].rank == 4
    assert result.hits[2] in result
    assert [hit.rank for hit in reversed(result)] == [4, 3, 2, 1]
    best = result[:2]
    assert isinstance(best, SearchResult)
    assert best.hits == result.hits[:2]
    assert best.catalogue is searcher.catalogue
    with pytest.raises(IndexError):
        _ = result[4]


def test_every_kind_of_search_knows_its_catalogue(searcher, result):
    nearest = searcher.search(Query(near=(0.0, 0.0)), k=2)
    assert result.catalogue is nearest.catalogue is searcher.catalogue


def test_the_table_has_points_and_every_column(result):
    table = result.to_geodataframe()
    assert table.crs.to_epsg() == 4326
    assert list(table.columns) == [*HIT_COLUMNS, "geometry"]
    assert table.index.tolist() == [1, 2, 3, 4]
    for hit in result:
        row = table.loc[hit.rank]
        lon, lat = PLACES[name_of(hit)]
        assert (row["item_id"], row["score"], row["caption"]) == (
            hit.item_id,
            hit.score,
            hit.caption,
        )
        if lon:
            assert (row.geometry.x, row.geometry.y) == (float(lon), float(lat))
            assert (row["lon"], row["lat"]) == (float(lon), float(lat))
        else:
            assert row.geometry is None
            assert np.isnan(row["lon"])


def test_an_empty_table_has_the_same_columns(result):
    table = result[:0].to_geodataframe()
    assert list(table.columns) == [*HIT_COLUMNS, "geometry"]
    assert len(table) == 0
    assert table.crs.to_epsg() == 4326


def test_a_notebook_shows_the_images_in_order(result):
    html = result._repr_html_()
    shown = images_in(html)
    expected = [COLOURS[name_of(hit)] for hit in result if name_of(hit) != "d"]
    assert [image.shape for image in shown] == [(120, 160, 3)] * 3
    for image, colour in zip(shown, expected, strict=True):
        assert np.abs(image.astype(int) - colour).max() <= 3
    assert html.count("no image") == 1
    for hit in result:
        assert f"{hit.score:.4f}" in html


def test_captions_are_escaped(result, explored):
    html = result._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; a roof" in html
    (source,) = called(explored, "addSource")
    popups = {f["properties"]["item_id"]: f["properties"] for f in source[1]["data"]["features"]}
    (nasty,) = [hit for hit in result if name_of(hit) == "a"]
    assert "<script" not in popups[nasty.item_id]["popup"]
    assert "&lt;script&gt;alert" in popups[nasty.item_id]["popup"]


def test_a_long_result_says_how_many_hits_it_leaves_out(result):
    many = SearchResult(result.hits[:1] * 65, 65, result.query)
    html = many._repr_html_()
    assert html.count("no image") == 60  # without a catalogue
    assert "and 5 more hits" in html


def test_the_map_shows_the_hits_and_fits_them_across_the_antimeridian(result, explored):
    (source,) = called(explored, "addSource")
    features = source[1]["data"]["features"][::-1]
    located = [hit for hit in result if hit.lon is not None]
    assert [f["properties"]["rank"] for f in features] == [hit.rank for hit in located]
    for feature, hit in zip(features, located, strict=True):
        assert feature["geometry"] == {"type": "Point", "coordinates": [hit.lon, hit.lat]}
        assert f"{hit.score:.4f}" in feature["properties"]["popup"]
        shown = images_in(feature["properties"]["popup"])
        assert len(shown) == (name_of(hit) != "d")
        for image in shown:
            assert np.abs(image.astype(int) - COLOURS[name_of(hit)]).max() <= 3
    colours = [f["properties"]["colour"] for f in features]
    assert (colours[0], colours[-1]) == ("#fde725", "#440154")
    (layer,) = called(explored, "addLayer")
    assert layer[0]["source"] == source[0]
    # leafmap sets visibility and opacity by its own name of the layer, which must be MapLibre's
    for method in ("setLayoutProperty", "setPaintProperty"):
        assert {call[0] for call in called(explored, method)} == {layer[0]["id"]}
    assert layer[0]["paint"]["circle-color"] == ["get", "colour"]
    assert called(explored, "addPopup") == [(layer[0]["id"], "popup", None)]
    (fit,) = called(explored, "fitBounds")
    assert fit[0] == [[176, -4.25], [182, 10]]


def test_without_hits_the_map_shows_the_world_and_needs_no_address(result):
    empty = result[:0].explore()
    assert called(empty, "fitBounds") == []
    style = empty.map_options["style"]
    assert style == offline_style()
    addresses = [source.get("url", "data:") for source in style["sources"].values()]
    assert all(address.startswith("data:") for address in addresses)
    assert all(isinstance(source, dict) for source in style["sources"].values())
    assert "glyphs" not in style
    assert "sprite" not in style


def test_without_leafmap_the_message_has_the_command(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "leafmap.maplibregl", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'terraseek\[notebook\]'"):
        result.explore()


def test_descriptions_are_one_line(searcher, result):
    assert repr(result) == (
        "<SearchResult Query(text='a red roof'): 4 hits of 4 items, "
        f"best score {result[0].score:.4g}>"
    )
    hit = Hit("a1", 0.12345, 2.35, 48.86, "two ships\nat a pier", "a.png", 3, "", "s", "exact")
    assert repr(hit) == "<Hit 3: a1 0.1235 'two ships at a pier' (2.35, 48.86)>"
    assert repr(searcher.catalogue) == f"<Catalogue 'cat': 4 items, {searcher.catalogue.path}>"
    assert repr(searcher.encoder) == (
        f"<FakeEncoder {searcher.encoder.encoder_id}: {searcher.encoder.dim} dimensions, "
        f"{searcher.encoder.image_size} px>"
    )
    store = EmbeddingStore.open(searcher.catalogue)
    assert repr(store) == (
        f"<EmbeddingStore {searcher.encoder.encoder_id}: 4 images and 4 captions of 4 items, "
        f"{searcher.encoder.dim} dimensions, float16, {store.folder}>"
    )


def test_queries_and_filters_show_only_what_is_set():
    image = np.zeros((20, 30, 3), np.uint8)
    query = Query(text="ships", image=image, minus=("clouds",), alpha=0.25)
    assert repr(query) == (
        "Query(text='ships', image=<30 x 20 pixels>, minus=('clouds',), alpha=0.25)"
    )
    assert repr(Query(near=(2.0, 48.5))) == "Query(near=(2.0, 48.5))"
    assert repr(Filter()) == "Filter()"
    where = Filter(bbox=BBox(1, 2, 3, 4), sources=("chips",))
    assert repr(where) == (
        "Filter(bbox=BBox(west=1, south=2, east=3, north=4), sources=('chips',))"
    )
    assert eval(repr(where)) == where


def test_a_notebook_shows_the_numbers_of_a_catalogue(searcher):
    html = searcher.catalogue._repr_html_()
    cells = re.findall(r"<th[^>]*>([^<]*)</th><td[^>]*>([^<]*)</td>", html)
    (source,) = searcher.catalogue.sources
    assert dict(cells) == {
        "folder": str(searcher.catalogue.path),
        "items": "4",
        "items with coordinates": "3",
        f"source {source}": "4 items",
    }
    assert "Catalogue cat" in html
