"""Parameters are read from text, written to text, and described, from one declaration."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.errors import FilterError
from terraseek.parameters import (
    FLAG,
    LONLAT,
    NUMBER,
    NUMBERS,
    WHOLE_NUMBER,
    WHOLE_NUMBERS,
    openapi_parameters,
    parameter,
    parameters_of,
    read_parameters,
    write_parameters,
)


@dataclass(frozen=True)
class Made:
    parameter_error: ClassVar = FilterError

    text: str | None = parameter("q", "words")
    names: tuple[str, ...] = parameter("name", "names", default=())
    most: float | None = parameter(
        "cloud_max", "largest cloud cover in percent", NUMBER, minimum=0, maximum=100,
        aliases=("clouds",),
    )  # fmt: skip
    k: int = parameter("k", "number of hits", WHOLE_NUMBER, default=20, minimum=1)
    flag: bool = parameter("collapse", "only the best", FLAG, default=False)
    place: tuple[float, float] | None = parameter("near", "a place", LONLAT)
    sides: tuple[int, ...] | None = parameter("scales", "window sides", WHOLE_NUMBERS)
    metres: tuple[float, ...] | None = parameter("scales_m", "window sides", NUMBERS)
    unlisted: int = 3


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)
degrees = st.integers(-9_000_000, 9_000_000).map(lambda n: n / 100_000)


@given(
    st.builds(
        Made,
        text=st.none() | texts,
        names=st.lists(texts, unique=True, max_size=3).map(tuple),
        most=st.none() | st.integers(0, 100).map(float),
        k=st.integers(1, 10**8),
        flag=st.booleans(),
        place=st.none() | st.tuples(degrees, degrees),
        sides=st.none() | st.lists(st.integers(1, 9999), min_size=1, max_size=4).map(tuple),
        metres=st.none() | st.lists(st.integers(1, 9999), min_size=1, max_size=4).map(tuple),
    )
)
def test_what_is_written_is_read_back(made: Made) -> None:
    written = write_parameters(made)
    given = {name: [v] if isinstance(v, str) else v for name, v in written.items()}
    assert Made(**read_parameters(Made, given)) == made


def test_defaults_are_not_written_and_unknown_names_are_ignored() -> None:
    assert write_parameters(Made()) == {}
    assert read_parameters(Made, {"elsewhere": ["1"], "unlisted": ["4"]}) == {}


def test_blank_values_are_not_given_and_the_last_of_several_counts() -> None:
    assert read_parameters(Made, {"q": [""], "k": ["4", "7"], "name": ["a", "", "b", "a"]}) == {
        "k": 7,
        "names": ("a", "", "b", "a"),
    }


def test_a_former_name_is_accepted_and_never_written() -> None:
    assert read_parameters(Made, {"clouds": ["12.5"]}) == {"most": 12.5}
    assert write_parameters(Made(most=12.5)) == {"cloud_max": "12.5"}


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"k": ["many"]}, FilterError, "k is 'many'; give a whole number"),
        ({"k": ["0"]}, FilterError, "from 1 up"),
        ({"cloud_max": ["nan"]}, FilterError, "a finite number"),
        ({"cloud_max": ["101"]}, FilterError, "between 0 and 100"),
        ({"near": ["Paris"]}, FilterError, "LON,LAT"),
        ({"scales": ["96,a"]}, FilterError, "whole numbers like"),
        ({"collapse": ["maybe"]}, FilterError, "0 or 1"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    params: dict[str, list[str]], error: type[FilterError], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_parameters(Made, params)


def test_problems_are_collected_where_the_rest_shall_count() -> None:
    problems: list[str] = []
    found = read_parameters(Made, {"k": ["0"], "q": ["ships"]}, problems=problems)
    assert found == {"text": "ships"}
    assert len(problems) == 1
    assert "k" in problems[0]


def test_openapi_has_types_limits_and_choices() -> None:
    described = {one["name"]: one["schema"] for one in openapi_parameters(Made, leave_out=("q",))}
    assert set(described) == {p.name for p in parameters_of(Made).values()} - {"q"}
    assert described["cloud_max"] == {"type": "number", "minimum": 0, "maximum": 100}
    assert described["name"] == {"type": "array", "items": {"type": "string"}}
    assert described["collapse"]["enum"] == ["0", "1"]
