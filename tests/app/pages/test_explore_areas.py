"""Explore within polygons and circles, and with an SQL condition on columns."""

import pytest
from streamlit.testing.v1 import AppTest

from helpers.page_steps import Open, click_button, hit_captions, page_text, run
from terraseek.errors import FilterError
from terraseek_app.pages.explore.areas import area_bounds, box_text, circle_text
from terraseek_app.pages.explore.filters.area_tools import import_areas

EUROPE = "-10,36;30,36;30,60;-10,60"
PACIFIC = "120,-40;300,-40;300,50;120,50"


def places(page: AppTest) -> set[str]:
    return {caption.split()[-1] for caption in hit_captions(page)}


@pytest.mark.parametrize(("shape", "cities"), [(EUROPE, {"Paris"}), (PACIFIC, {"Tokyo", "Lima"})])
def test_polygon_in_the_url_limits_the_search_and_can_be_removed(
    open_page: Open, shape: str, cities: set[str]
) -> None:
    page = open_page("explore", q="red", polygon=shape)
    assert places(page) == cities
    assert page.query_params["polygon"] == shape
    click_button(page, "shape of 4 corners")
    assert len(hit_captions(page)) == 9
    assert "polygon" not in page.query_params


def test_circle_fields_limit_the_search_and_are_in_the_url(open_page: Open) -> None:
    page = open_page("explore", q="red")
    page.number_input(key="explore_lon").set_value(2.0)
    page.number_input(key="explore_lat").set_value(49.0)
    run(page)
    assert "All three are needed" in " ".join(caption.value for caption in page.caption)
    assert len(hit_captions(page)) == 9
    page.number_input(key="explore_km").set_value(60.0)
    run(page)
    assert places(page) == {"Paris"}
    assert page.query_params["within"] == "2,49,60"
    click_button(page, "within 60 km around 49.0°N, 2.0°E")
    assert len(hit_captions(page)) == 9


def test_a_condition_on_columns_narrows(open_page: Open) -> None:
    page = open_page("explore", q="red", where="label = 'blue' AND lat < 0")
    assert hit_captions(page) == ["a blue field near Lima"]
    assert "<code>gsd_m</code>" in page_text(page)
    click_button(page, "Clear filters")
    assert len(hit_captions(page)) == 9


@pytest.mark.parametrize("question", ["red", ""])
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("colour = 'red'", "no column 'colour'; there are"),
        ("gsd_m <", "not one SQL expression"),
        ("read_text('x') = ''", "cannot use read_text()"),
        ("gsd_m < 'wide'", "cannot be evaluated"),
    ],
)
def test_invalid_condition_is_reported_in_one_line(
    open_page: Open, question: str, where: str, message: str
) -> None:
    page = open_page("explore", q=question, where=where)
    (shown,) = [error.value.replace("\\", "") for error in page.error]
    assert message in shown
    assert "\n" not in shown
    page.text_input(key="explore_sql").set_value("gsd_m < 1")
    run(page)
    assert not page.error


def test_areas_drawn_on_the_map_enter_the_form() -> None:
    def script() -> None:
        from terraseek_app.map import MapEvent
        from terraseek_app.pages.explore import map_panel
        from terraseek_app.pages.explore import state as explore_state

        explore_state.preserve_session()
        drawn = ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0))
        map_panel.on_map_event(MapEvent("shape", shapes=(drawn,)))
        map_panel.on_map_event(MapEvent("centre", click=(2.123456789, 48.0)))
        form = explore_state.read_form()
        assert form.polygons == (drawn,)
        assert form.circle == (2.12346, 48.0, map_panel.DEFAULT_RADIUS_KM)
        explore_state.write_form(explore_state.SearchForm(circle=(2.0, 3.0, 5.0)), None)
        map_panel.on_map_event(MapEvent("centre", click=(3.0, 4.0)))
        assert explore_state.read_form().circle == (3.0, 4.0, 5.0)
        map_panel.on_map_event(MapEvent("centre"))
        assert not explore_state.read_form().has_area

    page = AppTest.from_function(script, default_timeout=60).run()
    assert not page.exception, page.exception


def test_area_bounds_and_texts() -> None:
    assert area_bounds((1, 2, 3, 4), (((0, 0),),), None) == (1, 2, 3, 4)
    assert area_bounds(None, (((170, -5), (190, 5)), ((180, 9),)), None) == (170, -5, 190, 9)
    around = area_bounds(None, (), (180.0, 0.0, 111.195))
    assert around == pytest.approx((179, -1, -179, 1), abs=1e-3)
    assert area_bounds(None, (), None) is None
    assert box_text((-1, 2, 3, 4)) == "1.0°W to 3.0°E, 2.0°N to 4.0°N"
    assert circle_text((-1, -2, 1500)) == "1,500 km around 2.0°S, 1.0°W"


def test_several_shapes_are_searched_together_and_removed_one_by_one(open_page: Open) -> None:
    page = open_page("explore", q="red", polygon=f"{EUROPE}|{PACIFIC}")
    assert places(page) == {"Paris", "Tokyo", "Lima"}
    assert page.query_params["polygon"] == f"{EUROPE}|{PACIFIC}"
    click_button(page, "shape of 4 corners")
    assert places(page) == {"Tokyo", "Lima"}
    wkt = "MULTIPOLYGON (((0 40, 5 40, 5 50, 0 50, 0 40)), ((130 30, 145 30, 145 40, 130 30)))"
    both = open_page("explore", q="red", polygon=wkt)
    assert places(both) == {"Paris", "Tokyo"}
    assert [len(ring) for ring in both.session_state["explore_polygons"]] == [4, 3]


def test_areas_are_saved_with_a_name_and_used_again(open_page: Open) -> None:
    page = open_page("explore", q="red", polygon=EUROPE)
    page.text_input(key="explore_area_name").set_value("my Europe")
    page.button(key="explore_area_save").click()
    run(page)
    other = open_page("explore", q="blue", polygon=PACIFIC)
    click_button(other, "my Europe")
    assert places(other) == {"Paris", "Tokyo", "Lima"}
    assert other.text_input(key="explore_text").value == "blue"
    other.button(key="explore_area_delete_0").click()
    run(other)
    assert "my Europe" not in [button.label for button in other.button]


def test_areas_are_read_from_an_uploaded_file() -> None:
    text = '{"type": "Polygon", "coordinates": [[[0, 40], [5, 40], [5, 50], [0, 40]]]}'
    (ring,) = import_areas(text.encode(), "C:\\maps\\france.geojson")
    assert ring.corners == ((0, 40), (5, 40), (5, 50))
    with pytest.raises(FilterError, match=r"^france\.txt is not one of"):
        import_areas(text.encode(), "../france.txt")
