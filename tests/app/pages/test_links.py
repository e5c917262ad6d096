"""Every state of a page is a link: a fresh session opened by it shows the same."""

import io

from PIL import Image
from streamlit.testing.v1 import AppTest

from helpers.page_steps import (
    Open,
    click_button,
    hit_captions,
    item_id,
    localize_text,
    page_text,
    run,
    wait_for_result,
)
from terraseek_app.address import view_of
from terraseek_app.server import state
from terraseek_app.server.settings import Settings
from terraseek_app.server.uploads import keep_upload


def params_of(page: AppTest) -> dict[str, str]:
    """Parameters of the address, each with its last value."""
    return {name: page.query_params[name] for name in dict(page.query_params)}


def flat(params: dict[str, object]) -> dict[str, str]:
    return {n: str(v[-1] if isinstance(v, list) else v) for n, v in params.items()}


def said(page: AppTest) -> str:
    """Text of the page without the backslashes that keep Markdown from reading it."""
    return page_text(page).replace("\\", "")


def test_a_question_to_a_scene_is_a_link(open_page: Open) -> None:
    page = open_page("localize")
    page.text_input(key="localize_scales").set_value("64, 128")
    page.text_input(key="localize_minus").set_value("green")
    localize_text(page, "red")
    link = flat(params_of(page))
    assert link["q"] == "red"
    assert link["scene"].startswith("example:")
    again = wait_for_result(open_page("localize", **link))
    assert again.text_input(key="localize_text").value == "red"
    assert again.text_input(key="localize_minus").value == "green"
    old, new = (state.heat(p.session_state["localize_heat"]) for p in (page, again))
    assert new.peak == old.peak
    assert new.minus == ("green",)
    assert new.scales == (64, 128)


def test_an_image_is_localized_by_a_link(open_page: Open, world: Settings) -> None:
    content = io.BytesIO()
    Image.new("RGB", (48, 48), (205, 40, 40)).save(content, "PNG")
    token = keep_upload(content, "mine.png", world.uploads, 1 << 20)
    for link in ({"image": token}, {"like": item_id("a red field near Paris")}):
        page = wait_for_result(open_page("localize", **link))
        heat = state.heat(page.session_state["localize_heat"])
        assert 120 <= heat.peak.col <= 200
        assert flat(params_of(page)).items() >= link.items()


def test_links_to_what_is_gone_say_so(open_page: Open) -> None:
    scene = open_page("localize", scene="example:0000")
    assert "no scene 'example:0000'" in said(scene)
    upload = open_page("localize", scene="upload:0123456789abcdef0123.png", q="red")
    assert "no longer kept" in said(upload)


def test_a_link_to_a_view_keeps_it_until_another_search(open_page: Open) -> None:
    page = open_page("explore", q="red", view="2.35,48.86,7.5")
    assert page.session_state["explore_view"]["view"]["center"] == [2.35, 48.86]
    assert page.session_state["explore_view"]["view"]["zoom"] == 7.5
    assert not page.warning
    bad = open_page("explore", q="red", view="somewhere")
    assert "give LON,LAT,ZOOM" in bad.warning[0].value
    assert len(hit_captions(bad)) == 9
    notes: list[str] = []
    assert view_of({"view": ["2,95,3"]}, notes) is None
    assert len(notes) == 1


def test_a_review_item_is_a_link(open_page: Open) -> None:
    chosen = item_id("a blue field near Lima")
    session = {"review_name": "ada", "review_key": "k"}
    page = open_page("review", session, item=chosen, queue="all", label="blue")
    assert page.session_state["review_item"] == chosen
    assert page.session_state["review_kind"] == "all"
    assert page.session_state["review_labels"] == ["blue"]
    assert flat(params_of(page))["item"] == chosen
    gone = open_page("review", session, item="nobody", queue="best")
    assert "no item 'nobody'" in said(gone)
    assert "queue is 'best'" in said(gone)
    assert gone.session_state["review_item"] != "nobody"


def test_clearing_all_ends_at_the_bare_address(open_page: Open) -> None:
    page = open_page(
        "explore", q="red", minus="blue", label="green", like=item_id("a red field near Paris")
    )
    click_button(page, "Clear all")
    assert params_of(page) == {}
    assert page.session_state["explore_hits"] == []
    assert "Ask 9 pictures" in page_text(run(page))
