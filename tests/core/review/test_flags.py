from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.catalogue.places.text_repair import restore_degrees
from terraseek.review import caption_flags


def codes(caption: str, **more: object) -> list[str]:
    return [flag.code for flag in caption_flags(caption, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a port with three ships", []),
        ("", ["empty"]),
        ("  \n", ["empty"]),
        ("off-nadir: 19.34?. a village", ["lost_degree"]),
        ("over Xiann?, azimuth 52.96? and", ["lost_degree"]),
        ("over S?o Paulo", ["lost_letter"]),
        ("off-nadir: 19.34°", []),
        ("how many planes?", []),
    ],
)
def test_lost_characters_and_empty_captions(caption: str, expected: list[str]) -> None:
    assert codes(caption) == expected


def test_captions_longer_than_the_encoder_reads() -> None:
    def count(text: str) -> tuple[int, int]:
        return len(text.split()) + 2, 77

    assert codes("word " * 75, token_count=count) == []
    [flag] = caption_flags("word " * 76, token_count=count)
    assert flag.code == "too_long"
    assert "78 tokens" in flag.text
    assert "77" in flag.text


@pytest.mark.parametrize(
    ("caption", "item", "expected"),
    [
        ("utm zone 18T", {"lon": -95.0}, ["utm_mismatch"]),
        ("utm zone 15R", {"lon": -95.0}, []),
        ("utm zone 14R", {"lon": -95.9}, []),
        ("utm zone 60S", {"lon": -179.9}, []),
        ("utm zone 18T", {"lon": float("nan")}, []),
        ("utm zone 18T", {"lon": None}, []),
        ("a ground sample distance of 2.60m", {"gsd_m": 0.5}, ["gsd_mismatch"]),
        ("a ground sample distance of 2.60m", {"gsd_m": 2.62}, []),
        ("a bridge 30 m long", {"gsd_m": 0.5}, []),
    ],
)
def test_statements_are_checked_against_the_item(
    caption: str, item: dict[str, object], expected: list[str]
) -> None:
    assert codes(caption, item=item) == expected


@given(st.text(), st.floats(-200, 400), st.one_of(st.none(), st.floats()))
def test_any_caption_can_be_checked(caption: str, lon: float, gsd: float | None) -> None:
    caption_flags(caption, item={"lon": lon, "gsd_m": gsd})


def test_degree_signs_are_restored() -> None:
    assert restore_degrees("azimuth 52.96? and 19.34?. ok?") == "azimuth 52.96° and 19.34°. ok?"


def test_the_lost_degree_signs_of_rs5m_are_found(shared_data: Path) -> None:
    captions = pd.read_csv(shared_data / "rs5m/rs3_dump.csv", keep_default_na=False)["caption"]
    assert sum("lost_degree" in codes(caption) for caption in captions) == 3469
