"""The ZIP of a heat map, its HTML page, and the command that writes them."""

import json
import zipfile
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from helpers.rasters import write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.localization import (
    HEAT_FILES,
    LocalizeOptions,
    localize,
    regions,
    write_bundle,
    write_heat_file,
    write_html,
)
from terraseek.request import LocalizeRequest
from terraseek.scenes import Scene

HOSTILE = 'red </script><script>alert(1)</script> & "x"'


@pytest.fixture
def scene_path(tmp_path):
    rgb = np.full((200, 300, 3), 110, np.uint8)
    rgb[40:90, 200:260] = (230, 20, 20)
    return write_rgb(tmp_path / "a.tif", rgb)


def heat_of(path, query="red", **options):
    with Scene.open(path) as scene:
        return localize(scene, query, FakeEncoder(), LocalizeOptions(**options))


def test_the_zip_holds_all_files_and_the_request(scene_path, tmp_path):
    heat = heat_of(scene_path, minus=("green",), scales=(32, 64))
    path = write_bundle(heat, tmp_path / "all.zip", threshold=0.2, scene_param="example:7")
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert set(opened.namelist()) == {*HEAT_FILES, "request.json"}
        request = json.loads(opened.read("request.json"))
        collection = json.loads(opened.read("regions.geojson"))
        numbers = json.loads(opened.read("numbers.json"))
    assert request["question"] == "red minus green"
    assert request["model"] == {"encoder": FakeEncoder().encoder_id, "weights_sha256": None}
    link = urlparse(request["link"])
    params = parse_qs(link.query)
    assert (link.path, params.pop("scene")) == ("/localize", ["example:7"])
    again = LocalizeRequest.from_params(params)
    assert again.sentences == ("red",)
    assert again.threshold == 0.2
    assert (again.options.minus, again.options.scales) == (("green",), (32, 64))
    assert len(collection["features"]) == len(regions(heat, 0.2))
    assert numbers["threshold"] == request["lowest_score"] == 0.2


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.text, self.scripts, self.addresses, self.open = "", [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open = tag
        self.addresses += [v for k, v in attrs if k in ("src", "href")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, data):
        if self.open == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def test_the_page_loads_nothing_and_escapes_the_question(scene_path, tmp_path):
    heat = heat_of(scene_path, HOSTILE)
    page = Page()
    page.feed(write_html(heat, tmp_path / "map.html", percentile=90).read_text("utf-8"))
    assert len(page.scripts) == 2
    assert HOSTILE in page.text
    assert all(address.startswith("data:image/") for address in page.addresses)
    data = json.loads(page.scripts[0])
    found = regions(heat, percentile=90)
    assert len(data["regions"]) == len(found)
    assert (data["width"], data["height"]) == (300, 200)
    lon, lat = heat.georef.pixel_to_lonlat(300, 200)
    assert data["lonlat"][-1][-1] == pytest.approx([lon, lat], abs=1e-6)
    assert len(data["colours"]) == 256


def test_the_page_of_a_scene_without_coordinates_has_pixels(tmp_path):
    Image.fromarray(np.full((80, 90, 3), 99, np.uint8)).save(tmp_path / "a.png")
    page = Page()
    page.feed(write_html(heat_of(tmp_path / "a.png"), tmp_path / "m.html").read_text("utf-8"))
    data = json.loads(page.scripts[0])
    assert data["lonlat"] is None
    assert data["regions"][0]["place"].startswith("column ")
    assert "no coordinates" in page.text


def test_an_unknown_file_is_refused(scene_path, tmp_path):
    with pytest.raises(ConfigError, match=r"heat\.tif"):
        write_heat_file("heat.exe", heat_of(scene_path), tmp_path / "x")


def test_the_command_writes_them_all(scene_path, tmp_path):
    names = {
        "--regions": "r.gpkg", "--figure": "f.pdf", "--html": "m.html", "--zip": "all.zip",
    }  # fmt: skip
    options = [str(part) for option, name in names.items() for part in (option, tmp_path / name)]
    words = ["localize", str(scene_path), "red", "green", "--percentile", "95", "--model", "fake"]
    done = CliRunner().invoke(build_app(), [*words, *options])
    assert done.exit_code == 0, done.output
    made = {path.name for path in tmp_path.iterdir()} - {"a.tif"}
    assert made == {
        "r.gpkg", "f-1.pdf", "f-2.pdf", "m-1.html", "m-2.html", "all-1.zip", "all-2.zip",
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "all-2.zip") as opened:
        request = json.loads(opened.read("request.json"))
    assert request["query"] == "green"
    assert request["parameters"]["percentile"] == "95.0"
