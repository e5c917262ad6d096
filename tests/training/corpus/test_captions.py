"""Captions: candidates, ranking, rotations, labels and metadata."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.corpus_runs import items_of, jpeg, write_images
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek_train.corpus.captions.captioner import load_captioner
from terraseek_train.corpus.captions.metadata_sentences import (
    fields_of,
    metadata_sentences,
    pack_sentences,
)
from terraseek_train.corpus.captions.osm_sentences import osm_sentences, read_tags
from terraseek_train.corpus.captions.ranking import (
    most_similar,
    rotated_copies,
    rotation_variance,
)


def plain(colour: tuple[int, int, int], side: int = 40) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-9, 9, (side, side, 3))
    return (np.array(colour) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def source(tmp_path: Path) -> dict[str, object]:
    images = {"r.jpg": jpeg(plain((220, 20, 20))), "b.jpg": jpeg(plain((20, 20, 220)))}
    write_images(tmp_path / "set", images, {"r.jpg": "", "b.jpg": ""})
    paths = {"path": str(tmp_path / "set/captions.json"), "images": str(tmp_path / "set/images")}
    return {"name": "a", "kind": "captions", **paths}


def test_captions_are_chosen_among_candidates(run: Callable, source: dict, tmp_path: Path):
    words = ("red", "green", "blue")
    lines = [f"{word} field {n}" for word in words for n in range(12)]
    (tmp_path / "bank.txt").write_text("\n".join(lines))
    stage = {"stage": "captions", "captioner": f"bank:{tmp_path / 'bank.txt'}"}
    stage |= {"first_model": "fake", "second_model": "fake"}
    rows = items_of(run([source], [stage], shard_rows=1)).to_pylist()
    found = {row["item"]: row for row in rows}
    assert found["a/r.jpg"]["caption"].startswith("red")
    assert found["a/b.jpg"]["caption"].startswith("blue")
    assert [len(row["captions"]) for row in rows] == [5, 5]
    assert found["a/r.jpg"]["rotation_caption"] in found["a/r.jpg"]["captions"]
    assert found["a/r.jpg"]["caption_source"] == "captioner"
    together = items_of(run([source], [stage], shard_rows=10)).to_pylist()
    assert [row["captions"] for row in together] == [row["captions"] for row in rows]


def test_an_unknown_captioner_is_refused():
    with pytest.raises(ConfigError, match="kinds are"):
        load_captioner("oracle:x", "fake")


def test_the_most_similar_captions_come_first():
    image = np.array([1, 0, 0], np.float32)
    texts = np.array([[0, 1, 0], [1, 0, 0], [0.6, 0.8, 0], [1, 0, 0]], np.float32)
    assert most_similar(image, texts, 3) == [1, 3, 2]


def test_circular_copies_of_a_disc_are_the_same_and_plain_ones_are_not():
    side = 60
    rows, columns = np.mgrid[:side, :side]
    away = np.hypot(rows - 29.5, columns - 29.5)
    disc = np.where((away < 20)[..., None], (200, 50, 50), (90, 90, 200)).astype(np.uint8)
    circular, flat = rotated_copies(disc, circular=True), rotated_copies(disc)
    assert len(circular) == len(flat) == 12
    spread = [np.ptp([copy.mean() for copy in copies]) for copies in (circular, flat)]
    assert spread[0] < 0.5
    assert spread[1] > 5


def test_rotation_variance_prefers_what_rotation_does_not_change():
    image = np.zeros((48, 48, 3), np.uint8)
    image[:24] = (250, 10, 10)
    image[24:] = (240, 20, 20)
    variance = rotation_variance(image, ["red ground", "dark ground"], FakeEncoder())
    assert variance.shape == (2,)
    assert variance.min() >= 0
    circular = rotation_variance(image, ["red ground"], FakeEncoder(), circular=True)
    assert circular[0] < variance[0]


def test_label_captions_repeat_with_the_seed(run: Callable, source: dict, tmp_path: Path):
    for label in ("SeaLake", "Forest"):
        folder = tmp_path / "classes" / label
        folder.mkdir(parents=True)
        (folder / f"{label}_1.jpg").write_bytes(jpeg(plain((20, 40, 90))))
    classes = {"name": "c", "path": str(tmp_path / "classes")}
    first = items_of(run([classes], [{"stage": "label_captions"}])).to_pylist()
    first.sort(key=lambda row: row["label"], reverse=True)
    assert first[0]["caption_source"] == "label"
    assert len(set(first[0]["captions"])) == 5
    assert "sea" in first[0]["caption"].lower() or "lake" in first[0]["caption"].lower()
    again = items_of(run([classes], [{"stage": "label_captions", "count": 3}])).to_pylist()
    again.sort(key=lambda row: row["label"], reverse=True)
    assert again[0]["captions"] == first[0]["captions"][:3]
    bare = source | {"name": "bare"}
    assert len(items_of(run([bare], [{"stage": "label_captions"}]))) == 0


FIELDS = {
    "class_label": "stadium", "country": "Houston, US", "season": "fall", "utm_zone": "15R",
    "timestamp": "7 o'clock, March 9, 2016", "relative_location": "center block",
    "ground_sample_distance": "0.5", "cloud_cover_rate": "3", "scan_direction": "forward",
    "target_azimuth": "12.3", "off_nadir": "20.1",
}  # fmt: skip


def test_metadata_sentences_state_every_field():
    for seed in range(20):
        text = " ".join(metadata_sentences(FIELDS, np.random.default_rng(seed)))
        assert all(value in text for value in FIELDS.values()), text
        assert "{" not in text


def test_unknown_fields_leave_no_gap():
    rng = np.random.default_rng(0)
    [only] = metadata_sentences({"season": "fall"}, rng)
    assert only.endswith("fall.")
    assert metadata_sentences({}, rng) == []
    row = {"label": "tennis_court", "captured_at": "2016-03-09", "country": "", "place": ""}
    assert fields_of(row, {"gsd_m": 0.3100001, "cloud_cover": "x"}) == {
        "class_label": "tennis court",
        "timestamp": "March 9, 2016",
        "ground_sample_distance": "0.31",
    }


def test_long_captions_are_split_so_that_none_is_cut():
    sentences = metadata_sentences(FIELDS, np.random.default_rng(0))
    packed = pack_sentences(sentences, lambda text: (len(text.split()), 30))
    assert len(packed) > 1
    assert all(len(text.split()) <= 30 and text.startswith(sentences[0]) for text in packed)
    joined = " ".join(packed)
    assert all(sentence in joined for sentence in sentences)


def test_metadata_captions_are_added(run: Callable, source: dict):
    stages = [{"stage": "geo", "names": False}, {"stage": "metadata_captions", "model": "fake"}]
    rows = items_of(run([source], stages)).to_pylist()
    assert [row["metadata_captions"] for row in rows] == [[], []]


@pytest.mark.parametrize(
    ("tags", "sentences"),
    [
        ("building=yes", ["a satellite image of building"]),
        ('{"landuse": "forest", "leaf_type": "broadleaved"}',
         ["a satellite image of forest", "a satellite image of forest with broadleaved trees"]),
        ("highway=primary; lanes=2; surface=asphalt",
         ["a satellite image of primary highway",
          "a satellite image of primary highway with a surface of asphalt",
          "an overhead view of primary highway with a surface of asphalt, with 2 lanes"]),
        ("name=Rome", []),
        ("", []),
    ],
)  # fmt: skip
def test_sentences_of_map_tags(tags: str, sentences: list[str]):
    assert osm_sentences(read_tags(tags)) == sentences


def test_items_get_captions_of_their_map_tags(run: Callable, source: dict, tmp_path: Path):
    table = "filename,osm_tags\nr.jpg,leisure=pitch; sport=tennis\nb.jpg,name=none\n"
    (tmp_path / "tags.csv").write_text(table)
    stage = {"stage": "osm_captions", "reject_empty": True}
    kept = items_of(run([source | {"geometa": str(tmp_path / "tags.csv")}], [stage]))
    assert kept["item"].to_pylist() == ["a/r.jpg"]
    assert kept["caption"].to_pylist() == ["a satellite image of pitch for tennis"]


def test_the_share_of_similar_pairs_is_kept(run: Callable, source: dict, tmp_path: Path):
    captions = {"r.jpg": "red ground", "b.jpg": "red ground"}
    images = {"r.jpg": jpeg(plain((220, 20, 20))), "b.jpg": jpeg(plain((20, 20, 220)))}
    write_images(tmp_path / "set", images, captions)
    kept = items_of(run([source], [{"stage": "similarity", "keep": 50, "model": "fake"}]))
    assert kept["item"].to_pylist() == ["a/r.jpg"]
