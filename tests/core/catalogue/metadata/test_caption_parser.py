"""Metadata captions: exactly the stated facts are parsed, and lost letters are restored."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.metadata.caption_facts import add_caption_facts
from terraseek.catalogue.metadata.caption_parser import (
    ParsedCaption,
    parse_metadata_caption,
    split_caption,
)
from terraseek.catalogue.metadata.labels import FMOW_CLASSES
from terraseek.catalogue.metadata.location import locate
from terraseek.catalogue.places.countries import country_code, country_names
from terraseek.catalogue.places.gazetteer import find_place
from terraseek.catalogue.places.text_repair import ascii_with_question_marks
from terraseek.catalogue.places.utm import parse_utm_zone

# sentences written for this test, so that it does not depend on the wording of RS5M's templates
OPENINGS = (
    "a picture from orbit over {place}, {country} in {season} has {label} at the {cells} blocks.",
    "as {season} reached {place}, {country}, the camera saw {label} in the {cells} blocks.",
    "{place}, {country}'s {season} scene: {label} stands in the {cells} blocks.",
    "the {season} of {place}, {country} shows {label} towards the {cells} blocks.",
    "in {place}, {country}, during {season}, we found {label} within the {cells} blocks.",
)
MIDDLES = (
    " it has a ground sample distance of {gsd}m in utm zone {utm}, taken at {time}.",
    " each pixel is {gsd}m wide. the utm zone: {utm}, timestamp: {time}.",
    " stamped {time}, it lies in utm zone {utm} with a resolution of {gsd}m.",
)
ENDS = (
    " with {cloud}% cloud cover the scan was {scan}. angles: target azimuth at {azimuth}{sign} and "
    "off-nadir at {nadir}{sign}.",
    " the sky had {cloud}% clouds, scanned in {scan} direction, target azimuth angle of "
    "{azimuth}{sign}, and an off-nadir angle of {nadir}{sign}.",
    " clouds: {cloud}%, scan: {scan}, target azimuth: {azimuth}{sign}, off-nadir {nadir}{sign}.",
)
PLACES = (
    "Porto", "Taglio di Po", "San Juan de los Morros", "Washington, D.C.", "Spring Valley",
    "Fall River", "Winter", "al-Bab", "el Prat", "?stanbul", "S?o Lu?s", "Budapest XI. ker?let",
    "Jefferson Valley-Yorktown", "Port Harcourt", "Park City", "Seine-et-Marne 09",
)  # fmt: skip
COUNTRIES = ("Brazil", "Korea, Republic of", "United States", "C?te d'Ivoire", "Tanzania")
CELLS = ("center and top-left", "top-center and center", "bottom-right and center-right")
SENTENCES = ("", "a satellite image of houses", "a road, 3m wide, in Paris, France in Winter")

facts = st.fixed_dictionaries(
    {
        "place": st.sampled_from(PLACES),
        "country": st.sampled_from(COUNTRIES),
        "season": st.sampled_from(("Spring", "Summer", "Fall", "Winter")),
        "label": st.sampled_from(FMOW_CLASSES),
        "cells": st.sampled_from(CELLS),
        "gsd": st.decimals("0.3", "12", places=2),
        "utm": st.builds("{}{}".format, st.integers(1, 60), st.sampled_from("CDHJNPSTUX")),
        "moment": st.datetimes(),
        "cloud": st.integers(0, 100),
        "scan": st.sampled_from(("forward", "reverse")),
        "azimuth": st.decimals(0, 360, places=2),
        "nadir": st.decimals(0, 60, places=2),
    }
)
wordings = st.tuples(*(st.sampled_from(parts) for parts in (OPENINGS, MIDDLES, ENDS, SENTENCES)))


def hour_text(moment):
    return f"{moment.hour} o'clock, {moment:%B} {moment.day}, {moment.year:04d}"


@given(facts, wordings, st.sampled_from(("°", "?")))
@settings(max_examples=80, deadline=None)
def test_every_stated_fact_is_parsed(fact, wording, sign):
    filled = [w.format(**fact, time=hour_text(fact["moment"]), sign=sign) for w in wording[:3]]
    metadata = "".join(filled)
    read = parse_metadata_caption(f"{metadata} {wording[3]}".strip())
    assert read == ParsedCaption(
        metadata=re.sub(r"(?<=\d)\?(?=[ .,])", "°", metadata),
        sentence=wording[3],
        place=fact["place"],
        country=fact["country"],
        season=fact["season"],
        captured_at=f"{fact['moment'].year:04d}-{fact['moment']:%m-%dT%H}",
        gsd_m=float(fact["gsd"]),
        utm=fact["utm"],
        utm_kind="band",
        cloud_percent=float(fact["cloud"]),
        scan_direction=fact["scan"],
        azimuth_deg=float(fact["azimuth"]),
        off_nadir_deg=float(fact["nadir"]),
        label=fact["label"],
        relative_location=fact["cells"],
    )


@given(facts, st.sampled_from(("N", "S")), st.sampled_from(("pastures", "mixed forest, sea")))
@settings(max_examples=25, deadline=None)
def test_without_country_and_angles_the_letter_is_a_hemisphere(fact, letter, label):
    zone = fact["utm"][:-1] + letter
    text = (
        f"this {fact['season']} image, labelled '{label}', is of utm zone {zone}, "
        f"dated {hour_text(fact['moment'])}. green land in utm style"
    )
    read = parse_metadata_caption(text)
    assert (read.utm, read.utm_kind, read.label) == (zone, "hemisphere", label)
    assert (read.place, read.country, read.gsd_m, read.azimuth_deg) == ("", "", None, None)
    assert read.sentence == "green land in utm style"


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_other_text_is_not_a_metadata_caption(text):
    assert split_caption(text) == ("", " ".join(text.split()))
    assert parse_metadata_caption(text) is None


@pytest.mark.parametrize(
    ("text", "field", "empty"),
    [
        ("in Winter, utm zone 61S, 5 o'clock, May 2, 2015.", "utm", ""),
        ("in Winter, utm zone 31I, 5 o'clock, May 2, 2015.", "utm", ""),
        ("in Winter, utm zone 31U, 5 o'clock, February 30, 2015.", "captured_at", ""),
        ("in Winter, utm zone 31U, 25 o'clock, May 2, 2015.", "captured_at", ""),
        ("in Winter, utm zone 31U, off-nadir 95.00.", "off_nadir_deg", None),
        ("in Winter or Summer, utm zone 31U, off-nadir 9.00.", "season", ""),
        ("in Winter at Nowhere, Atlantis, utm zone 31U, off-nadir 9.00.", "place", ""),
        ("in Winter, utm zone 31U, 5 o'clock, May 2, 2015. a 2.00m wide road", "gsd_m", None),
        ("in Winter, utm zone 31U, 5 o'clock, May 2, 2015. in Paris, France", "country", ""),
        ("in Winter a dam or a barn, utm zone 31U, off-nadir 9.00.", "label", ""),
        ("in Winter 140% cloud, utm zone 31U, off-nadir 9.00.", "cloud_percent", None),
    ],
)
def test_impossible_or_ambiguous_facts_stay_empty(text, field, empty):
    assert getattr(parse_metadata_caption(text), field) == empty


def test_country_codes_also_of_names_with_lost_letters():
    assert country_code("Korea, Republic of") == country_code("south korea") == "KR"
    assert country_code("C?te d'Ivoire") == country_code("Côte d'Ivoire") == "CI"
    assert country_code("de") == "DE"
    assert country_code("Europe") is None
    assert all(country_code(name) for name in country_names())
    assert ascii_with_question_marks("São Luís") == "S?o Lu?s"


def test_an_ambiguous_place_is_not_found():
    found = find_place("S?o Lu?s", "Brazil")
    assert found is not None
    assert (found.name, found.country) == ("São Luís", "BR")
    assert (found.lon, found.lat) == (pytest.approx(-44.3, abs=0.1), pytest.approx(-2.53, abs=0.1))
    assert find_place("Springfield", "United States") is None  # many
    oregon, maine = (find_place("Portland", "United States", zone) for zone in ("10T", "19T"))
    assert oregon is not None
    assert maine is not None
    assert (oregon.lat, maine.lat) == (pytest.approx(45.5, abs=0.1), pytest.approx(43.7, abs=0.1))
    assert find_place("São Luís", "Brazil", "33U") is None  # the zone is far from São Luís
    assert find_place("Nowhere at all", "Brazil") is None
    assert find_place("???", "Brazil") is None
    assert find_place("Paris", "Atlantis") is None


@pytest.mark.parametrize(
    ("zone", "parts"), [("34H", (34, "H")), ("1c", (1, "C")), ("29N", (29, "N"))]
)
def test_utm_zones_are_parsed(zone, parts):
    assert parse_utm_zone(zone) == parts


@pytest.mark.parametrize("zone", ["", "0A", "61C", "12I", "12O", "north"])
def test_invalid_utm_zones_give_none(zone):
    assert parse_utm_zone(zone) is None


def test_empty_columns_are_filled_and_others_not_overwritten():
    caption = (
        "over Faro, Portugal in Summer: barn at the center and top-left blocks. ground sample "
        "distance of 2.00m, utm zone 29S, 11 o'clock, July 3, 2015. cloud cover 0%, scan forward, "
        "target azimuth 10.50?, off-nadir 5.25?. a satellite image of fields"
    )
    told = add_caption_facts({"caption": caption, "country": "Spain", "gsd_m": ""})
    assert (told["country"], told["place"], told["gsd_m"]) == ("Spain", "Faro", 2.0)
    assert told["caption"] == caption.replace("?", "°")
    assert f"{told['geometa_cap']} {told['sentence']}" == told["caption"]
    assert add_caption_facts({"caption": "a plain caption"}) == {"caption": "a plain caption"}


def test_a_place_name_gives_a_point_with_precision_place_name():
    lon, lat, precision, bad = locate({"place": "Faro", "country": "Portugal"}, None)
    assert (precision, bad) == ("place_name", False)
    assert (lon, lat) == (pytest.approx(-7.93, abs=0.1), pytest.approx(37.02, abs=0.1))
    assert locate({"place": "Faro, Portugal"}, None)[2] == "place_name"
    assert locate({"country": "Portugal"}, None) == (None, None, "place_name", False)
    assert locate({"country": "Portugal", "utm": "29S"}, None) == (None, None, "utm_zone", False)
    stored = {"lon": "-7.9", "lat": "37", "location_precision": "place_name"}
    assert locate(stored, None) == (-7.9, 37.0, "place_name", False)
    # N for the northern hemisphere is not band N, which lies at the equator
    north = {"place": "Faro", "country": "Portugal", "utm": "29N", "utm_kind": "hemisphere"}
    assert locate(north, None)[2] == "place_name"
    assert locate(north | {"utm_kind": "band"}, None)[2] == "utm_zone"


@pytest.mark.parametrize(
    ("utm", "lat", "kind"),
    [("31U", None, "band"), ("29N", None, ""), ("29N", 40, "hemisphere"), ("31N", 6.3, "band")],
)
def test_meaning_of_the_letter_of_a_utm_zone(utm, lat, kind):
    assert add_caption_facts({"utm": utm, "lat": lat}).get("utm_kind", "") == kind


def test_import_fills_columns_and_encodes_the_generated_sentence(tmp_path: Path):
    said = (
        "over S?o Lu?s, Brazil in Fall: dam at the center and top-left blocks. ground sample "
        "distance of 2.06m, utm zone 23M, 13 o'clock, October 4, 2016. cloud cover 5%, scan "
        "reverse, target azimuth 37.11?, off-nadir 27.32?."
    )
    for name in "ab":
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    table = f'filename,caption\na.png,"{said} a lake"\nb.png,a plain caption\n'
    (tmp_path / "items.csv").write_text(table, encoding="utf-8")
    report = import_source(tmp_path / "items.csv", tmp_path / "cat")
    assert report.precision == {"place_name": 1, "none": 1}
    catalogue = Catalogue.open(tmp_path / "cat")
    # the metadata alone exceeds CLIP's 77 tokens, so the sentence is encoded without it
    assert catalogue.texts() == ["a lake", "a plain caption"]
    first = catalogue.items().iloc[0]
    assert (first["place"], first["country"], first["label"]) == ("São Luís", "Brazil", "dam")
    assert first["caption"] == re.sub(r"(?<=\d)\?", "°", said) + " a lake"
    assert first["captured_at"] == "2016-10-04T13:00:00Z"
    found = catalogue.mask(Filter(sql="cloud_percent < 10 AND azimuth_deg > 37"))
    assert found.tolist() == [True, False]
    assert catalogue.points().row.tolist() == [0]
