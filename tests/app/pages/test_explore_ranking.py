"""Ranking options of Explore (votes, captions, prompts, query image), and downloads."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.search import Query
from terraseek.search.export.files import EXPORTS
from terraseek.significance.model import Level
from terraseek_app.pages.explore.hits.facts import HitFacts
from terraseek_app.pages.explore.link import from_params, to_params
from terraseek_app.pages.explore.results import gallery_tiles, map_markers, result_summary
from terraseek_app.pages.explore.search import ResultList
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state
from terraseek_app.server.settings import Settings
from terraseek_app.server.uploads import keep_upload
from terraseek_app.widgets.score_text import score_texts

COLOURS = {"red": (205, 40, 40), "green": (40, 170, 60), "blue": (45, 70, 210)}
SECONDS = 300


def chip(colour: tuple[int, int, int], seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(-18, 18, (24, 24, 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Six chips, two of each colour; the blue ones without a caption."""
    folder = tmp_path_factory.mktemp("ranking")
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "lat", "lon"])
        for seed, (name, colour) in enumerate([*COLOURS.items(), *COLOURS.items()]):
            chip(colour, seed).save(folder / f"{name}{seed}.png")
            caption = "" if name == "blue" else f"a {name} field"
            table.writerow([f"{name}{seed}.png", caption, 10 * seed, 5 * seed])
    import_source(folder / "items.csv", folder / "cat", name="fields")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    return Settings(catalogue=folder / "cat", model="fake", uploads=folder / "uploads")


@pytest.fixture(autouse=True)
def served(world: Settings) -> Iterator[Settings]:
    st.cache_data.clear()
    state.reset(world)
    yield world
    state.reset(Settings())


def _page() -> None:
    import streamlit as st

    from terraseek_app.pages.explore import page as explore
    from terraseek_app.pages.explore import state as explore_state
    from terraseek_app.pages.explore.hit_actions import vote

    explore_state.preserve_session()
    for item, liked in st.session_state.pop("votes", []):
        vote(item, liked)
    explore.render()


def opened(**session: object) -> AppTest:
    page = AppTest.from_function(_page, default_timeout=SECONDS)
    for name, value in session.items():
        page.session_state[name] = value
    return run(page)


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception, page.exception
    return page


def colours(page: AppTest) -> list[str]:
    items = state.catalogue().items(["item_id", "image"])
    names = dict(zip(items["item_id"], items["image"], strict=True))
    return [re.sub(r"\d.*", "", names[key]) for key in page.session_state["explore_hits"]]


def item(name: str) -> str:
    items = state.catalogue().items(["item_id", "image"])
    return str(items.loc[items["image"].str.contains(name), "item_id"].iloc[0])


def test_votes_change_the_ranking_and_can_be_taken_back() -> None:
    page = opened(explore_text="bright")
    blue, red = item("blue2"), item("red0")
    page.session_state["votes"] = [(blue, True), (red, False)]
    run(page)
    assert colours(page)[:2] == ["blue", "blue"]
    assert red not in page.session_state["explore_hits"]
    assert len(page.session_state["explore_hits"]) == 5
    labels = [button.label for button in page.button]
    assert "more like 1 picture" in labels
    assert "less like 1 picture" in labels
    page.session_state["votes"] = [(blue, False)]
    run(page)
    assert page.session_state["explore_liked"] == []
    assert page.session_state["explore_disliked"] == [red, blue]
    page.session_state["votes"] = [(blue, False)]
    run(page)
    assert page.session_state["explore_disliked"] == [red]
    page.button(key="explore_drop_explore_disliked").click()
    run(page)
    assert len(page.session_state["explore_hits"]) == 6


def test_a_new_sentence_keeps_the_other_parts() -> None:
    blue = item("blue2")
    page = opened(explore_text="bright", explore_liked=[blue], explore_likes=[item("red0")])
    page.text_input(key="explore_text").set_value("green")
    next(b for b in page.button if b.label == "Search").click()
    run(page)
    assert page.session_state["explore_liked"] == [blue]
    assert page.session_state["explore_likes"] == [item("red0")]
    assert item("red0") not in page.session_state["explore_hits"]
    wanted = Query(text="green", item_id=item("red0"), liked=(blue,))
    hits = state.searcher().search(wanted, 24).hits
    assert page.session_state["explore_hits"] == [hit.item_id for hit in hits]


def test_uploaded_image_finds_similar_images(served: Settings, tmp_path: Path) -> None:
    content = io.BytesIO()
    chip(COLOURS["green"], 99).save(content, "PNG")
    content.seek(0)
    token = keep_upload(content, "mine.png", served.uploads, served.max_upload_bytes)
    page = opened(explore_pictures=[token])
    assert colours(page)[:2] == ["green", "green"]
    assert page.query_params["image"] == token
    page.text_input(key="explore_text").set_value("red")
    next(b for b in page.button if b.label == "Search").click()
    run(page)
    assert page.session_state["explore_pictures"] == [token]
    both = page.session_state["explore_hits"]
    assert {*colours(page)[:4]} == {"red", "green"}
    linked = from_link(q="red", image=token)
    assert linked.session_state["explore_hits"] == both
    drop = next(b for b in linked.button if "like your picture" in b.label)
    assert f"/api/uploads/{token}" in drop.label
    drop.click()
    assert colours(run(linked))[:2] == ["red", "red"]


def from_link(**params: str) -> AppTest:
    page = AppTest.from_function(_page, default_timeout=SECONDS)
    for name, value in params.items():
        page.query_params[name] = value
    return run(page)


def test_a_link_to_a_removed_upload_says_so_and_has_a_way_out() -> None:
    page = from_link(q="red", image="0123456789abcdef0123.png")
    (error,) = [error.value for error in page.error]
    assert "no longer kept on this server" in error
    assert colours(page)[:2] == ["red", "red"]
    assert page.query_params["image"] == "0123456789abcdef0123.png"
    next(b for b in page.button if b.label == "Search without it").click()
    run(page)
    assert not page.error
    assert "image" not in page.query_params
    alone = from_link(image="0123456789abcdef0123.png")
    assert len(alone.error) == 1
    assert alone.session_state["explore_hits"] == []


def test_parts_have_weights_that_are_in_the_link() -> None:
    page = from_link(q="red", plus="green", text_weight="1,0.25", minus="blue", minus_weight="0")
    labels = [button.label for button in page.button]
    assert "green · weight 0.25" in labels
    assert "not blue · weight 0" in labels
    wanted = Query("red", plus=("green",), text_weight=(1.0, 0.25))
    hits = state.searcher().search(wanted, 24).hits
    assert page.session_state["explore_hits"] == [hit.item_id for hit in hits]
    page.slider(key="explore_weight_1_text:green").set_value(3.0)
    run(page)
    assert page.query_params["text_weight"] == "1,3"
    assert colours(page)[:2] == ["green", "green"]
    next(b for b in page.button if b.label == "red").click()
    run(page)
    assert page.session_state["explore_text"] == "green"
    assert "plus" not in page.query_params
    wrong = from_link(q="red", text_weight="1,2,3")
    assert "give one number from 0 up" in wrong.warning[0].value


def test_caption_weight_and_prompts_change_the_ranking_and_score_texts() -> None:
    page = opened(explore_text="red field")
    page.slider(key="explore_captions").set_value(60)
    page.toggle(key="explore_ensemble").set_value(True)
    run(page)
    labels = [button.label for button in page.button]
    assert "captions count 60 %" in labels
    assert "many prompts" in labels
    hits = state.searcher().search(Query(text="red field", alpha=0.6, ensemble=True), 6).hits
    assert page.session_state["explore_hits"] == [hit.item_id for hit in hits]
    readings = score_texts(hits)
    assert {hit.matched_by for hit in hits} == {"picture", "caption"}
    for hit, reading, tile in zip(hits, readings, gallery_tiles(hits, readings), strict=True):
        assert reading.short.endswith(f"by {hit.matched_by}")
        assert tile.score == reading.short
    assert page.query_params["alpha"] == "0.6"


@pytest.mark.parametrize(
    ("level", "kind", "words"),
    [
        ("likely", "html", "Of the 2 shown about 1 is expected to be right."),
        ("possible", "info", "Possible: some of these may be"),
        ("none", "warning", "No evidence: these are the closest"),
        (None, "", ""),
    ],
)
def test_the_level_of_the_result_is_stated(
    monkeypatch: pytest.MonkeyPatch, level: Level | None, kind: str, words: str
) -> None:
    shown = []
    for name in ("html", "info", "warning"):
        monkeypatch.setattr(st, name, lambda text, icon="", name=name: shown.append((name, text)))
    found = state.searcher().search(Query(text="red"), 2).hits
    hits = [replace(found[0], significance=level, probability=None if level is None else 0.9)]
    hits.append(replace(found[1], significance=level and "none", probability=level and 0.1))
    result_summary(ResultList(tuple(hits), 3000, 3000, 0.1, significance=level))
    assert [name for name, _ in shown[1:]] == [kind] * bool(kind)
    assert words in "".join(text for _, text in shown)
    readings = score_texts(hits)
    levels = [level, level and "none"]
    assert [one.level for one in readings] == levels
    assert [tile.level or None for tile in gallery_tiles(hits, readings)] == levels
    placed = [replace(hit, lon=2.0, lat=48.0) for hit in hits]
    facts = {hit.item_id: HitFacts() for hit in hits}
    assert [mark["level"] for mark in map_markers(placed, facts)] == levels


def test_url_contains_votes_captions_and_prompts() -> None:
    ask = SearchForm("red", liked=("a", "b"), disliked=("c",), captions=30, ensemble=True)
    params = to_params(ask, None)
    again, _, notes = from_params({k: v if isinstance(v, list) else [v] for k, v in params.items()})
    assert (again, notes) == (ask, [])
    torn, _, notes = from_params({"captions": ["much"], "liked": ["a"], "disliked": ["a", "b"]})
    assert (torn.captions, torn.liked, torn.disliked) == (0, ("a",), ("b",))
    assert "give a finite number" in notes[0]


def test_hits_can_be_downloaded_in_every_format() -> None:
    page = opened(explore_text="red")
    offered = [element.proto.label for element in page.get("download_button")]
    assert offered == [what for what, _ in EXPORTS.values()]
