"""The pages as a user sees them, without a browser: FakeEncoder, generated images, real search."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from helpers.page_steps import (
    SECONDS,
    Open,
    click_button,
    hit_captions,
    item_id,
    localize_text,
    page_text,
    run,
    wait_for_result,
)
from terraseek_app.pages.localize.downloads import bundle_bytes, file_bytes
from terraseek_app.server import state
from terraseek_app.server.settings import Settings

# Explore


def test_explore_welcomes_with_the_count_and_examples(open_page: Open) -> None:
    page = open_page("explore")
    assert "Ask 9 pictures" in page_text(page)
    assert page.session_state["explore_hits"] == []
    page.button(key="explore_example_0").click()
    run(page)
    assert len(hit_captions(page)) == 9
    assert page.text_input(key="explore_text").value


def test_a_sentence_ranks_the_images(open_page: Open) -> None:
    page = open_page("explore")
    page.text_input(key="explore_text").set_value("red")
    click_button(page, "Search")
    assert all("red" in caption for caption in hit_captions(page)[:3])
    assert "closest of <b>9</b> pictures" in page_text(page)
    assert page.query_params["q"] == "red"


def test_url_restores_query_area_and_selection(open_page: Open) -> None:
    page = open_page("explore", q="blue", box="130,30,145,40", k="12")
    assert hit_captions(page)[0] == "a blue field near Tokyo"
    assert len(hit_captions(page)) == 3
    assert "of <b>3</b> that match the filter (9 in all)" in page_text(page)
    assert page.text_input(key="explore_text").value == "blue"
    click_button(page, "area 130.0°E to 145.0°E")
    assert len(hit_captions(page)) == 9
    assert "box" not in page.query_params


def test_an_area_across_the_antimeridian_is_searched(open_page: Open) -> None:
    page = open_page("explore", q="green", box="100,-40,-60,60")
    assert {caption.split()[-1] for caption in hit_captions(page)} == {"Tokyo", "Lima"}


def test_invalid_url_parameter_is_reported(open_page: Open) -> None:
    page = open_page("explore", q="red", box="1,2,3")
    assert "bbox '1,2,3' must be four numbers W,S,E,N" in page_text(page)
    assert len(hit_captions(page)) == 9


def test_filters_narrow_before_ranking(open_page: Open) -> None:
    page = open_page("explore", q="red")
    page.multiselect(key="explore_labels").set_value(["blue"])
    run(page)
    assert [caption.split()[1] for caption in hit_captions(page)] == ["blue"] * 3
    click_button(page, "Clear filters")
    assert len(hit_captions(page)) == 9


def test_negative_sentence_lowers_scores(open_page: Open) -> None:
    for unwanted, left in (("blue", "red"), ("red", "blue")):
        page = open_page("explore", q="red blue", minus=unwanted)
        assert [caption.split()[1] for caption in hit_captions(page)[:3]] == [left] * 3


def test_only_a_negative_sentence_is_a_hint(open_page: Open) -> None:
    page = open_page("explore", minus="red")
    assert "needs something to search for" in page_text(page)
    assert not page.error


def test_item_card_shows_metadata_and_finds_similar_items(open_page: Open, world: Settings) -> None:
    chosen = item_id("a green field near Lima")
    page = open_page("explore", q="green", sel=chosen)
    shown = page_text(page)
    assert "a green field near Lima" in shown
    assert "12.05000° S, 77.04000° W" in shown
    assert "0.5 m per pixel" in shown
    click_button(page, "More like this")
    assert all("green" in caption for caption in hit_captions(page)[:2])
    assert "a green field near Lima" not in hit_captions(page)
    assert page.session_state["explore_text"] == "green"
    assert page.query_params["q"] == "green"
    assert page.query_params["like"] == chosen
    assert any("like a green field near Lima" in button.label for button in page.button)


def test_missing_item_is_reported(open_page: Open) -> None:
    page = open_page("explore", sel="nowhere")
    assert "no item 'nowhere'" in page_text(page)


def test_unknown_filter_value_is_reported(open_page: Open) -> None:
    page = open_page("explore", q="red", label="mars")
    assert "mars" in page_text(page)


def test_catalogue_without_embeddings_names_the_command(
    open_page: Open, world: Settings, tmp_path: Path
) -> None:
    from terraseek.catalogue import import_source

    assert world.catalogue is not None
    import_source(world.catalogue.parent / "items.csv", tmp_path / "bare", name="bare")
    state.reset(Settings(catalogue=tmp_path / "bare", model="fake"))
    shown = page_text(open_page("explore", q="red"))
    assert "not embedded" in shown
    assert "terraseek embed" in shown


def test_missing_catalogue_is_reported(open_page: Open) -> None:
    state.reset(Settings(model="fake"))
    assert "terraseek serve CATALOGUE" in page_text(open_page("explore"))


# Localize


def test_sentence_is_localized_in_a_scene(open_page: Open) -> None:
    page = open_page("localize")
    assert page.selectbox(key="localize_source").options[0] == "field.tif"
    localize_text(page, "red")
    heat = state.heat(page.session_state["localize_heat"])
    assert 120 <= heat.peak.col <= 200
    assert 56 <= heat.peak.row <= 136
    shown = page_text(page)
    assert "EPSG:32631" in shown
    assert "best place" in shown


def test_second_sentence_uses_the_cache_and_the_first_is_in_the_history(open_page: Open) -> None:
    page = localize_text(open_page("localize"), "red")
    first = page.session_state["localize_heat"]
    localize_text(page, "green")
    assert state.heat(page.session_state["localize_heat"]).encode_s < 1
    assert "asked before on this scene" in page_text(page)
    click_button(page, "red")
    assert page.session_state["localize_heat"] == first
    assert page.text_input(key="localize_text").value == "red"


def test_downloads_equal_the_files_of_the_library(open_page: Open, tmp_path: Path) -> None:
    from terraseek.localization import write_cog, write_regions

    page = localize_text(open_page("localize"), "red")
    heat = state.heat(page.session_state["localize_heat"])
    assert file_bytes(heat, "heat.tif") == write_cog(heat, tmp_path / "heat.tif").read_bytes()
    write_regions(heat, tmp_path / "regions.geojson")
    assert file_bytes(heat, "regions.geojson") == (tmp_path / "regions.geojson").read_bytes()
    assert json.loads(file_bytes(heat, "regions.geojson"))["type"] == "FeatureCollection"
    with zipfile.ZipFile(io.BytesIO(bundle_bytes(heat, source="example:x"))) as opened:
        assert json.loads(opened.read("request.json"))["link"].startswith("/localize?scene=example")
        assert "map.html" in opened.namelist()


def test_scene_without_crs_gives_pixel_positions(open_page: Open) -> None:
    page = open_page("localize")
    page.selectbox(key="localize_source").select_index(1)
    run(page)
    assert "no coordinates" in page_text(page)
    localize_text(page, "red")
    assert "column " in page_text(page)


def test_item_from_explore_is_localized_with_its_sentence(open_page: Open) -> None:
    session = {
        "localize_source": f"item:{item_id('a red field near Paris')}",
        "localize_text": "red",
        "localize_ask": True,
    }
    page = wait_for_result(open_page("localize", session))
    heat = state.heat(page.session_state["localize_heat"])
    assert heat.query == "red"
    assert heat.crs is not None  # gsd and position of the item place it on the globe
    assert heat.peak.lon == pytest.approx(2.35, abs=0.01)


def test_an_empty_sentence_is_a_hint(open_page: Open) -> None:
    page = open_page("localize")
    click_button(page, "Where?")
    assert "Nothing to look for yet" in page_text(page)
    assert not page.error


def test_query_without_a_scene_is_kept(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terraseek_app.pages.localize.scene_choice.sources", dict)
    page = open_page("localize")
    page.text_input(key="localize_text").set_value("red")
    assert "scene first" not in page_text(page)
    click_button(page, "Where?")
    assert "Choose or upload a scene first" in page_text(page)
    assert page.text_input(key="localize_text").value == "red"


def test_invalid_window_sizes_are_reported(open_page: Open) -> None:
    page = open_page("localize")
    page.text_input(key="localize_scales").set_value("huge")
    page.text_input(key="localize_text").set_value("red")
    click_button(page, "Where?")
    assert "'huge'" in page_text(page)


def test_dropped_heat_map_is_reported(open_page: Open) -> None:
    page = open_page("localize")
    page.session_state["localize_heat"] = "gone"
    run(page)
    assert "ask the question again" in page_text(page)


# About


def test_about_shows_counts_model_and_terms(open_page: Open) -> None:
    page = open_page("about")
    assert [metric.value for metric in page.metric] == ["9", "9", "9", "1"]
    shown = {}
    for name in ("Model", "Your own data", "Terms"):
        page.session_state["about_tab"] = name
        shown[name] = page_text(run(page))
    assert "fake encoder" in shown["Model"]
    assert "terraseek import" in shown["Your own data"]
    assert "Apache-2.0" in shown["Terms"]
    assert not page.metric, "what is not looked at is not drawn"


def test_demo_catalogue_is_recognized(tmp_path: Path) -> None:
    from terraseek_app.pages.about.catalogue import is_demo

    catalogue = tmp_path / "demo" / "catalogue"
    catalogue.mkdir(parents=True)
    assert not is_demo(catalogue)
    (tmp_path / "demo" / "demo.json").write_text("{}", encoding="utf-8")
    assert is_demo(catalogue)


def test_scores_of_a_card_become_rows() -> None:
    from terraseek_app.pages.about.model import flat_scores

    assert flat_scores({"rsicd": {"mR": 12.345, "n": 5}, "note": "val"}) == [
        ("rsicd · mR", "12.345"),
        ("rsicd · n", "5"),
        ("note", "val"),
    ]


# The edge


def test_unexpected_errors_are_logged_and_shown_with_an_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script() -> None:
        from terraseek_app.messages import show_errors

        with show_errors():
            raise RuntimeError("wires crossed")

    page = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert not page.exception
    message = page.error[0].value
    assert "wires" not in message
    error_id = message.split("`")[1]
    assert any(error_id in record.getMessage() for record in caplog.records)


def test_streamlit_signals_pass_through_show_errors() -> None:
    def script() -> None:
        import streamlit as st

        from terraseek_app.messages import show_errors

        with show_errors():
            st.write("before")
            st.stop()
        st.write("after")

    page = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert [text.value for text in page.markdown] == ["before"]
    assert not page.error


def test_error_keeps_the_last_results_and_their_map(open_page: Open) -> None:
    page = open_page("explore", q="red")
    before = hit_captions(page)
    page.text_input(key="explore_sql").set_value("gsd_m < 'wide'")
    run(page)
    assert "cannot be evaluated" in page_text(page)
    assert "Conversion Error" not in page_text(page)
    assert hit_captions(page) == before
    page.text_input(key="explore_sql").set_value("label = 'blue'")
    run(page)
    assert [caption.split()[1] for caption in hit_captions(page)] == ["blue"] * 3


def test_missing_example_item_has_a_way_out(open_page: Open) -> None:
    page = open_page("explore", like="nope", q="red")
    assert "nope" in page_text(page)
    assert len(hit_captions(page)) == 9
    click_button(page, "Search without it")
    assert page.session_state["explore_likes"] == []
    assert not page.error
    assert len(hit_captions(page)) == 9
