"""Readers of captions and images, on files made here."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.errors import AnnotationError, NotAnImageError, SourceError
from terraseek_train.data.sources import Sample, open_images, pair_images, read_captions
from terraseek_train.data.sources.templates import CONCEPTS, concept_of, concept_texts


def png(value: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def rsicd(path: Path) -> Path:
    entries = [
        {"filename": "airport_1.webp", "split": "train", "sentences": [{"raw": " a plane . "}]},
        {"filename": "00012.jpg", "split": "val", "sentences": [{"raw": "x"}, {"raw": ""}]},
    ]
    path.write_text(json.dumps({"images": entries}))
    return path


def test_json_captions_have_split_label_and_no_blank_sentence(tmp_path: Path) -> None:
    path = rsicd(tmp_path / "d.json")
    assert read_captions(path) == [
        Sample("airport_1.webp", ("a plane .",), "airport", "train"),
        Sample("00012.jpg", ("x",), None, "val"),
    ]
    assert [sample.image for sample in read_captions(path, "val")] == ["00012.jpg"]


def test_an_absent_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no captioned image of split 'test'"):
        read_captions(rsicd(tmp_path / "d.json"), "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"pictures": []}', "missing 'images'"),
        ('{"images": [{}]}', "missing"),
        ("[]", "layout"),
        ("{}", "missing 'images'"),
        ('{"airport": [3]}', "layout"),
        ('{"images": [3]}', "layout"),
    ],
)
def test_broken_json_captions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_captions(path)


def test_nwpu_captions_have_a_list_per_class(tmp_path: Path) -> None:
    entry = {"filename": "airport_001.jpg", "split": "val", "sentids": [0], "imgid": 0}
    entry |= {"raw_1": " two", "raw": "one .", "raw_2": "", "raw_3": "four", "raw_4": "five"}
    other = {"filename": "lake_001.jpg", "split": "train", "raw": "water"}
    path = tmp_path / "dataset_nwpu.json"
    path.write_text(json.dumps({"airport": [entry], "lake": [other]}), encoding="utf-8-sig")
    assert read_captions(path, "val") == [
        Sample("airport_001.jpg", ("one .", "two", "four", "five"), "airport", "val")
    ]
    assert [sample.label for sample in read_captions(path)] == ["airport", "lake"]
    path.write_text(json.dumps({"airport": [entry, {"raw": "no name"}]}))
    with pytest.raises(AnnotationError, match="missing 'filename'"):
        read_captions(path)


@pytest.mark.parametrize(
    ("name", "label"), [("boat_8656.tif", "boat"), ("613.tif", None), ("00014.jpg", None)]
)
def test_rsitmd_ucm_and_sydney_share_rsicds_layout(
    tmp_path: Path, name: str, label: str | None
) -> None:
    """Their files carry more keys (tokens, ids), which do not matter."""
    sentence = {"tokens": ["a", "boat"], "raw": "a boat", "imgid": 3, "sentid": 15}
    entry = {"filename": name, "imgid": 3, "sentences": [sentence] * 5, "split": "test"}
    entry |= {"sentids": [15, 16, 17, 18, 19]}
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"images": [entry], "dataset": "x"}))
    assert read_captions(path, "test") == [Sample(name, ("a boat",) * 5, label, "test")]


def test_csv_captions_are_grouped_by_image_in_either_encoding(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes("filename,title\na.jpg,one\nb.jpg,25°\na.jpg,two\n".encode("gb18030"))
    assert read_captions(path) == [Sample("a.jpg", ("one", "two")), Sample("b.jpg", ("25°",))]
    path.write_bytes("\ufefffilename,title\na.jpg,caf\u00e9\n".encode())
    assert read_captions(path)[0].captions == ("caf\u00e9",)


def test_a_csv_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("name,text\na,b\n")
    with pytest.raises(AnnotationError, match="needs the columns filename,title; has name, text"):
        read_captions(path)


def test_class_folders_read_the_same_from_a_tar_and_a_directory(tmp_path: Path) -> None:
    members = {"set/forest/1.png": png(1), "set/lake/1.png": png(2), "set/readme.txt": b"hello"}
    for name, content in members.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    packed = open_images(make_tar(tmp_path / "s.tar", members), keep_folders=True)
    loose = open_images(tmp_path / "set", keep_folders=True)
    assert list(packed) == list(loose) == ["forest/1.png", "lake/1.png"]
    assert [packed.folder(name) for name in packed] == ["forest", "lake"]
    assert packed.image("lake/1.png")[0, 0, 0] == loose.image("lake/1.png")[0, 0, 0] == 2


def test_rs5m_shards_are_named_by_their_name_members(tmp_path: Path) -> None:
    make_tar(
        tmp_path / "s-0000.tar",
        {
            "00.caption": b"a road ",
            "00.img_content": png(7),
            "00.img_name": b"fmow_-93.5_30.9.jpg",
        },
    )
    make_tar(tmp_path / "s-0001.tar", {"01.img_content": png(9), "01.img_name": b"b.jpg"})
    images = open_images(tmp_path)
    assert list(images) == ["fmow_-93.5_30.9.jpg", "b.jpg"]
    assert images.folder("fmow_-93.5_30.9.jpg") == "a road"
    assert images.image("b.jpg").max() == 9


@pytest.mark.parametrize(
    "parts",
    [
        ("img_content", "img_name", "caption"),
        ("input.image", "input.name", "input.caption"),
    ],
)
def test_both_of_rs5ms_layouts_train_with_their_captions(
    tmp_path: Path, parts: tuple[str, str, str]
) -> None:
    image, name, caption = parts
    members = {}
    for key, text in (("00", "two ships"), ("01", "a satellite image of an undamaged building")):
        members |= {f"{key}.{caption}": text.encode(), f"{key}.{image}": png(int(key) + 3)}
        members[f"{key}.{name}"] = f"laion2b_{key}_0".encode()  # no suffix, as in PUB11
    images = open_images(make_tar(tmp_path / "s-0000.tar", members))
    assert [images.sample(stored) for stored in images] == [
        Sample("laion2b_00_0", ("two ships",)),
        Sample("laion2b_01_0", (), "a satellite image of an undamaged building"),
    ]
    assert images.image("laion2b_01_0").max() == 4


def test_images_with_a_text_each_are_a_shard_and_a_readme_makes_none(tmp_path: Path) -> None:
    packed = make_tar(tmp_path / "s.tar", {"7.png": png(1), "7.txt": b"a lake"})
    assert open_images(packed).sample("7.png") == Sample("7.png", ("a lake",))
    loose = {"set/a/1.png": png(1), "set/readme.txt": b"x", "set/b/1.png": png(2)}
    images = open_images(make_tar(tmp_path / "c.tar", loose), keep_folders=True)
    assert images.sample("b/1.png") == Sample("b/1.png", (), "b")


def test_a_damaged_sample_of_a_shard_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = {"00.caption": b"lost", "01.img_content": png(5), "01.img_name": b"b.jpg"}
    assert list(open_images(make_tar(tmp_path / "s.tar", members))) == ["b.jpg"]
    assert "s.tar#00 skipped: no image among caption" in caplog.text


def test_a_compressed_tar_of_class_folders_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(make_tar(tmp_path / "s.tar", {"x/a.png": png(1)}).read_bytes())
    (tmp_path / "s.tar.gz").write_bytes(packed)
    assert list(open_images(tmp_path / "s.tar.gz")) == ["a.png"]
    (tmp_path / "cut.tar.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SourceError, match="not a readable tar"):
        open_images(tmp_path / "cut.tar.gz")


def test_names_match_over_folders_and_suffixes(tmp_path: Path) -> None:
    images = open_images(make_tar(tmp_path / "s.tar", {"x/a.webp": png(1)}))
    assert images.find("a.webp") == images.find("train/a.jpg") == "a.webp"
    assert images.find("b.webp") is None


def test_missing_images_are_counted_and_named(tmp_path: Path) -> None:
    images = open_images(make_tar(tmp_path / "s.tar", {"x/a.png": png(1)}))
    samples = [Sample("a.png", ("x",)), Sample("gone.png", ("y",))]
    with pytest.raises(SourceError, match=r"1 of 2 captioned images .* first gone\.png"):
        pair_images(samples, images)


def test_sources_that_are_not_there_or_empty_or_broken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder or tar"):
        open_images(tmp_path / "nothing")
    with pytest.raises(SourceError, match="holds no image"):
        open_images(tmp_path)
    (tmp_path / "bad.tar").write_bytes(b"no tar at all")
    with pytest.raises(SourceError, match="not a readable tar"):
        open_images(tmp_path / "bad.tar")


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    images = open_images(make_tar(tmp_path / "s.tar", {"x/a.png": png(1)[:40]}))
    with pytest.raises(NotAnImageError, match=r"a\.png cannot be decoded"):
        images.image("a.png")


def test_labels_of_different_sources_meet_in_one_concept() -> None:
    assert concept_of("industry") == concept_of("industrial_area") == "industrial"
    assert concept_of("Tree cover") == "treecover"
    assert concept_of(None) is concept_of("unheard of") is None


def test_every_concept_has_many_distinct_sentences() -> None:
    for concept in CONCEPTS:
        texts = concept_texts(concept)
        assert len(set(texts)) == len(texts) >= 20
        assert not any("{" in text for text in texts)


def test_real_sets_are_read_whole(shared_data: Path) -> None:
    images = open_images(shared_data / "rsicd" / "RSICD_images.tar")
    samples = read_captions(shared_data / "rsicd" / "dataset_rsicd.json", "val")
    assert len(pair_images(samples, images)) == 1094
    assert {len(sample.captions) for sample in samples} == {5}
    classes = open_images(shared_data / "rsscn7" / "RSSCN7.tar", keep_folders=True)
    assert len(classes) == 2800
    assert len({classes.folder(name) for name in classes}) == 7
    assert len(open_images(shared_data / "harvey")) == 4000
