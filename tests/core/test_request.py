"""Requests: the same parameters from the command line, URLs and tables, and back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from terraseek import Filter, Query, SearchRequest
from terraseek.catalogue import Area, Circle
from terraseek.cli import build_app
from terraseek.errors import EmptyQueryError, FilterError, InputError, QueryError
from terraseek.geo import BBox
from terraseek.request import LOCALIZE_PARTS, SEARCH_PARTS, LocalizeRequest, describe_parameters

texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)
words = texts.filter(str.strip)
names = st.lists(words, max_size=3, unique=True).map(tuple)
hundredths = st.integers(-8_000, 8_000).map(lambda n: n / 100)


Parts = tuple[dict[str, Any], dict[str, Any], int, bool]


@st.composite
def parts(draw: st.DrawFn) -> Parts:
    """Fields of a query and a filter; built in the test, since SQL starts DuckDB."""
    south, north = sorted((draw(hundredths), draw(hundredths)))
    lon, lat = draw(hundredths), draw(hundredths)
    corners = f"{lon:g},{lat:g};{lon + 5:g},{lat:g};{lon:g},{lat + 2:g}"
    where = dict(
        bbox=draw(st.none() | st.just(BBox(draw(hundredths), south, draw(hundredths), north))),
        sources=draw(names),
        labels=draw(names),
        precision=draw(st.sampled_from([(), ("exact",), ("point", "none")])),
        date_from=draw(st.sampled_from([None, "2017", "2017-08-25"])),
        gsd_max=draw(st.none() | st.integers(1, 999).map(float)),
        caption=draw(st.none() | words),
        # parsed in the test: the check of types draws random elements of sequences
        polygon=draw(st.none() | st.just(corners)),
        within=draw(st.none() | st.just(Circle(lon, lat, draw(st.integers(1, 999))))),
        sql=draw(st.sampled_from([None, "gsd_m < 1 AND country = 'Peru'"])),
    )
    query = dict(
        text=draw(words),
        minus=draw(names),
        item_id=draw(st.none() | words),
        alpha=draw(st.integers(0, 10)) / 10,
        ensemble=draw(st.booleans()),
    )
    return query, where, draw(st.integers(1, 999)), draw(st.booleans())


def as_values(params: dict[str, str | list[str]]) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else value for name, value in params.items()}


@given(parts())
def test_a_search_request_survives_its_parameters(drawn: Parts) -> None:
    query, where, k, collapse = drawn
    where["polygon"] = where["polygon"] and Area.parse(where["polygon"])
    request = SearchRequest(Query(**query), Filter(**where), k, collapse)
    again = SearchRequest.from_params(as_values(request.to_params()))
    assert again.to_params() == request.to_params()
    assert again.filter == request.filter
    assert (again.k, again.collapse_duplicates) == (request.k, request.collapse_duplicates)
    assert vars(again.ranked_query) == vars(request.ranked_query)


def test_former_names_mean_the_same() -> None:
    former = SearchRequest.from_params(
        {
            **{"q": ["x"], "text": ["lake"], "where": ["gsd_m < 1"], "distinct": ["1"]},
            **{"box": ["1,2,3,4"], "from": ["2017"], "to": ["2018"]},
        }
    )
    assert former.to_params() == {
        "q": "x",
        "caption": "lake",
        "sql": "gsd_m < 1",
        "collapse_duplicates": "1",
        "bbox": "1,2,3,4",
        "date_from": "2017",
        "date_to": "2018",
    }


def test_an_image_joins_the_query_and_is_not_written() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    request = SearchRequest.from_params({"minus": ["roads"]}, image=pixels)
    assert request.ranked_query.image is pixels
    assert request.to_params() == {"minus": ["roads"]}


def test_a_filter_alone_is_a_request_that_cannot_be_ranked() -> None:
    request = SearchRequest.from_params({"label": ["harbour"], "alpha": ["0.5"]})
    assert request.filter.labels == ("harbour",)
    with pytest.raises(EmptyQueryError, match="nothing to search for"):
        _ = request.ranked_query


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"near": ["Paris"]}, QueryError, "near is 'Paris'; give LON,LAT"),
        ({"near": ["2,49"], "q": ["x"]}, QueryError, "place"),
        ({"gsd_min": ["nan"]}, FilterError, "gsd_min is 'nan'; give a finite number"),
        ({"date_from": ["yesterday"]}, FilterError, "yesterday"),
        ({"sql": ["gsd_m <"]}, FilterError, "SQL"),
        ({"k": ["0"]}, InputError, "k is '0'; give a whole number from 1 up"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_or_left_out(
    params: dict[str, list[str]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SearchRequest.from_params(params)
    problems: list[str] = []
    kept = SearchRequest.from_params(params | {"label": ["a"]}, problems=problems)
    assert len(problems) == 1
    assert message.split()[0] in problems[0] or message in problems[0]
    assert kept.filter.labels == ("a",) or "sql" in params


def test_a_line_of_a_table_is_a_request() -> None:
    row = {"prompt": "ships", "minus": "sea | clouds", "k": "3", "alpha": ".5", "label": "ignored"}
    request = SearchRequest.from_row(row)
    assert request.to_params() == {
        "q": "ships",
        "minus": ["sea", "clouds"],
        "k": "3",
        "alpha": "0.5",
    }


def test_a_localize_request_survives_its_parameters() -> None:
    params = {
        "q": ["ships", "a crane"],
        "minus": ["sea"],
        "method": "selo-v1",
        "scales": "96,192",
        "threshold": "0.25",
        "seed": "7",
        "force": "1",
    }
    request = LocalizeRequest.from_params(as_values(params))
    assert request.options.scales == (96, 192)
    assert request.options.force
    assert request.to_params() == params
    assert request.queries() == ["ships", "a crane"]


def test_openapi_describes_every_parameter_once() -> None:
    for parts in (SEARCH_PARTS, LOCALIZE_PARTS):
        described = [one["name"] for one in describe_parameters(parts)]
        assert len(described) == len(set(described))
        assert {"minus", "q"} <= set(described)


def test_former_options_work_hidden_and_with_a_notice(tmp_path) -> None:
    app = build_app()
    shown = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "200"}).output
    assert "--sql" in shown
    assert "--where" not in shown
    answer = CliRunner().invoke(app, ["search", str(tmp_path), "x", "--where", "gsd_m <"])
    assert "--where is now --sql" in answer.output
    assert isinstance(answer.exception, FilterError)
