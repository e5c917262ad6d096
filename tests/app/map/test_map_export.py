"""The stand-alone map contains all its data, and captions cannot inject HTML."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from terraseek.search import Hit
from terraseek_app.export_map import map_html, write_map

NASTY = 'fields </script><script>alert("x")</script> & $title ${data}'


class Pictures:
    """As much of a catalogue as the export needs."""

    def read_image(self, item_id: str) -> np.ndarray:
        return np.full((300, 600, 3), 90, np.uint8)


def hit(rank: int, **changes: Any) -> Hit:
    values: dict[str, Any] = {
        "item_id": f"id{rank}",
        "score": 0.5 - rank / 100,
        "lon": 10.0 * rank,
        "lat": -5.0 * rank,
        "caption": "a field",
        "image": "a.png",
        "rank": rank,
        "label": "",
        "source": "made",
        "location_precision": "exact",
    }
    return Hit(**(values | changes))


@pytest.fixture(scope="module")
def page() -> str:
    hits = [hit(1, caption=NASTY), hit(2, lon=None, lat=None)]
    return map_html(NASTY, hits, Pictures())  # type: ignore[arg-type]


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_hits_and_their_images_are_inside(page: str) -> None:
    hits = data_of(page)["hits"]
    assert [(h["item_id"], h["lon"], h["lat"]) for h in hits] == [
        ("id1", 10, -5),
        ("id2", None, None),
    ]
    head, content = hits[0]["picture"].split(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (240, 120)


def test_captions_cannot_inject_html(page: str) -> None:
    assert data_of(page)["hits"][0]["caption"] == NASTY
    assert "<script>alert" not in page
    assert "<h1>fields &lt;/script&gt;" in page


def test_page_requests_no_files(page: str) -> None:
    assert not re.search(r'<(script|img|link)[^>]+(src|href)="(?!data:)', page)
    assert data_of(page)["world"].startswith("data:image/jpeg")
    assert page.count("</script>") == 3


def test_map_file_is_written_atomically(tmp_path: Path) -> None:
    write_map(tmp_path / "map.html", "red", [hit(1)], Pictures())  # type: ignore[arg-type]
    assert (tmp_path / "map.html").read_text("utf-8").rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]
