"""Places of named entities, as RS5M's NER table lists them."""

import pytest

from terraseek.catalogue.metadata.entities import parse_entities, place_of_entities

VALDOSTA = {"place": "Valdosta", "state": "Georgia", "country": "United States"}


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("['Paris', 'France']", ["Paris", "France"]),
        ("['New  York', 'New York', '']", ["New York"]),
        ("[]", []),
        ('["Côte d\'Ivoire"]', ["Côte d'Ivoire"]),
        (["Lima", None], ["Lima"]),
        ("Paris", []),
        ("[__import__('os').getcwd()]", []),
        ("[1, 'Oslo'", []),
        (None, []),
        (float("nan"), []),
        ("[" * 9_000, []),
    ],
)
def test_cells_are_lists_of_names(cell, names):
    assert parse_entities(cell) == names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["France"], {"country": "France"}),
        (["Paris", "France"], {"country": "France", "place": "Paris"}),
        (["U.S.", "Anchorage"], {"country": "United States", "place": "Anchorage"}),
        # fourteen towns of that name: the name is kept, no country is invented
        (["Paris"], {"place": "Paris"}),
        (["Reykjavík"], {"place": "Reykjavík", "country": "Iceland"}),
        (["Paris", "Texas"], {"place": "Paris", "state": "Texas", "country": "United States"}),
        (["Texas", "Paris"], {"place": "Paris", "state": "Texas", "country": "United States"}),
        (["France", "Germany"], {}),
        (["London", "Berlin"], {}),
        # a country and a state of the United States
        (["Georgia"], {}),
        (["Tbilisi", "Georgia"], {"place": "Tbilisi", "country": "Georgia"}),
        (["Valdosta", "Georgia"], VALDOSTA),
        (["Valdosta", "Georgia", "USA"], VALDOSTA),
        (["CA"], {"place": "CA"}),  # Canada or California
        ([], {}),
    ],
)  # fmt: skip
def test_a_place_is_taken_only_where_one_reading_is_left(names, expected):
    assert place_of_entities(names) == expected


def test_a_country_from_elsewhere_decides():
    assert place_of_entities(["Paris"], "France") == {"country": "France", "place": "Paris"}
    assert place_of_entities(["Berlin", "Germany"], "France") == {}
