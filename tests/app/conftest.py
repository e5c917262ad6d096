"""A small catalogue and two scenes with FakeEncoder, and pages opened on them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from helpers.page_steps import SECONDS, Open, run
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

COLOURS = {"red": (205, 40, 40), "green": (40, 170, 60), "blue": (45, 70, 210)}
CITIES = {"Paris": (2.35, 48.86), "Tokyo": (139.69, 35.69), "Lima": (-77.04, -12.05)}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Nine chips, one of each colour at each city, and two scenes with a red square."""
    from terraseek.catalogue import Catalogue, import_source
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder

    folder = tmp_path_factory.mktemp("world")
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["filename", "caption", "label", "lat", "lon", "gsd_m", "captured_at"])
        for row, (city, (lon, lat)) in enumerate(CITIES.items()):
            for column, (name, colour) in enumerate(COLOURS.items()):
                noise = np.random.default_rng(10 * row + column).integers(-18, 18, (48, 48, 3))
                pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
                file = f"{city.lower()}_{name}.png"
                Image.fromarray(pixels).save(folder / file)
                caption = f"a {name} field near {city}"
                table.writerow([file, caption, name, lat, lon, 0.5, f"2020-0{row + 1}-05"])
    import_source(folder / "items.csv", folder / "cities", name="cities")
    embed_catalogue(Catalogue.open(folder / "cities"), FakeEncoder())
    return Settings(
        catalogue=folder / "cities",
        model="fake",
        scenes=_scenes(folder / "scenes"),
        uploads=folder / "uploads",
    )


def _scenes(folder: Path) -> Path:
    import rasterio
    from affine import Affine

    folder.mkdir()
    pixels = np.full((3, 256, 256), 60, np.uint8)
    pixels[1] = 150
    pixels[:, 64:128, 128:192] = np.array(COLOURS["red"], np.uint8)[:, None, None]
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": Affine(1, 0, 448_000, 0, -1, 5_412_000)}
    with rasterio.open(folder / "field.tif", "w", **profile, **place) as target:
        target.write(pixels)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / "plain.png")
    return folder


@pytest.fixture
def open_page(world: Settings) -> Iterator[Open]:
    """`open_page("explore", q="red")`: a page of a fresh session, run once."""
    st.cache_data.clear()
    state.reset(world)

    def script(page: str) -> None:
        from importlib import import_module

        from terraseek_app.messages import show_errors
        from terraseek_app.pages.explore import state as explore_state
        from terraseek_app.pages.localize import state as localize_state

        explore_state.preserve_session()
        localize_state.preserve_session()
        with show_errors():
            import_module(f"terraseek_app.pages.{page}.page").render()

    def opened(page: str, session: dict[str, object] | None = None, **params: str) -> AppTest:
        test = AppTest.from_function(script, args=(page,), default_timeout=SECONDS)
        for name, value in (session or {}).items():
            test.session_state[name] = value
        for name, value in params.items():
            test.query_params[name] = value
        return run(test)

    yield opened
    state.reset(Settings())
