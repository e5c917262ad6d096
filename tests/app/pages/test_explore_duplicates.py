"""Explore collapses near-duplicates in catalogues where they are marked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.search.duplicates import mark_duplicates
from terraseek_app.api.responses import EXCEPTION_HANDLERS
from terraseek_app.asgi import routes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

SECONDS = 300


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Path]:
    """Four images, the last a copy of the first."""
    folder = tmp_path / "pics"
    folder.mkdir()
    for number, seed in enumerate((1, 2, 3, 1)):
        pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
        large = Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC)
        large.save(folder / f"{number}.png")
    import_source(folder, tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    yield tmp_path / "cat"
    state.reset(Settings())


def opened(catalogue: Path, **session: object) -> AppTest:
    def page() -> None:
        from terraseek_app.pages.explore import page as explore
        from terraseek_app.pages.explore import state as explore_state

        explore_state.preserve_session()
        explore.render()

    st.cache_data.clear()
    state.reset(Settings(catalogue=catalogue, model="fake", uploads=catalogue.parent / "uploads"))
    test = AppTest.from_function(page, default_timeout=SECONDS)
    for name, value in session.items():
        test.session_state[name] = value
    test.run()
    assert not test.exception, test.exception
    return test


def test_checkbox_collapses_marked_duplicates(catalogue: Path) -> None:
    mark_duplicates(catalogue)
    page = opened(catalogue, explore_text="bright")
    assert len(page.session_state["explore_hits"]) == 4
    page.checkbox(key="explore_distinct").check().run()
    assert not page.exception, page.exception
    assert len(page.session_state["explore_hits"]) == 3
    assert "no near-duplicates" in [button.label for button in page.button]


def test_api_collapses_marked_duplicates(catalogue: Path) -> None:
    mark_duplicates(catalogue)
    state.reset(Settings(catalogue=catalogue, model="fake"))
    with TestClient(Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))) as api:
        counts = [
            len(api.get("/api/search", params={"q": "bright", "distinct": value}).json()["hits"])
            for value in ("0", "1")
        ]
    assert counts == [4, 3]


def test_unmarked_duplicates_are_reported(catalogue: Path) -> None:
    state.reset(Settings(catalogue=catalogue, model="fake"))
    with TestClient(Starlette(routes=routes(), exception_handlers=dict(EXCEPTION_HANDLERS))) as api:
        answer = api.get("/api/search", params={"q": "bright", "distinct": "1"})
    assert answer.status_code == 400
    assert "terraseek duplicates" in answer.json()["what"]


def test_without_marks_there_is_no_checkbox_and_old_links_work(catalogue: Path) -> None:
    page = opened(catalogue, explore_text="bright", explore_distinct=True)
    assert "explore_distinct" not in [box.key for box in page.checkbox]
    assert len(page.session_state["explore_hits"]) == 4
