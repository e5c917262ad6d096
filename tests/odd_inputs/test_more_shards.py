"""Shards with captions of other encodings, JSON that is none, classes, and long names."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, ImportReport, import_source
from terraseek.errors import SourceError


def png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (32, 32), (250, 10, 10)).save(data, "PNG")
    return data.getvalue()


def shard(path: Path, members: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def imported(path: Path) -> tuple[ImportReport, pd.DataFrame]:
    report = import_source(path, path.parent / "cat")
    return report, Catalogue.open(path.parent / "cat").items()


@pytest.mark.parametrize(
    ("data", "caption", "unused"),
    [
        (b"\xef\xbb\xbfa pier\r\n", "a pier", 0),
        ("a pier".encode("utf-16"), "a pier", 0),
        ("grün".encode(), "grün", 0),
        ("grün".encode("latin-1"), "grün", 1),
        ("für ".encode() + b"\xff", "für \N{REPLACEMENT CHARACTER}", 1),
        (b"nan", "", 0),
        (b" \n", "", 0),
    ],
)
def test_captions_of_every_encoding(tmp_path: Path, data: bytes, caption: str, unused: int) -> None:
    path = shard(tmp_path / "s-0000.tar", {"a.png": png(), "a.txt": data})
    report, items = imported(path)
    assert items["caption"].tolist() == [caption]
    assert sum(report.unused.values()) == unused


@pytest.mark.parametrize("data", [b"[1, 2]", b"{bro", b"\xff\xfe\x00", b"7", b"[" * 100_000])
def test_json_that_is_no_object_is_counted(tmp_path: Path, data: bytes) -> None:
    path = shard(tmp_path / "s-0000.tar", {"a.png": png(), "a.txt": b"a pier", "a.json": data})
    report, items = imported(path)
    assert items["caption"].tolist() == ["a pier"]
    assert report.unused == {"JSON that is damaged or no object": 1}


def test_captions_by_language_and_lists(tmp_path: Path) -> None:
    named = json.dumps({"caption": {"en": "a pier", "de": "ein Steg"}}).encode()
    listed = json.dumps({"caption": ["a field", None, "nan", "grass"]}).encode()
    members = {"a.png": png(), "a.json": named, "b.png": png(), "b.json": listed}
    _, items = imported(shard(tmp_path / "s-0000.tar", members))
    assert items["caption"].tolist() == ["a pier", "a field"]
    assert items["caption_2"].tolist() == ["ein Steg", "grass"]


def test_classes_of_webdataset_are_labels(tmp_path: Path) -> None:
    members = {"a.png": png(), "a.cls": b"3", "b.png": png(), "b.cls": b"0\n"}
    _, items = imported(shard(tmp_path / "s-0000.tar", members))
    assert items["label"].tolist() == ["3", "0"]


@pytest.mark.parametrize(
    ("form", "stem"),
    [
        (tarfile.PAX_FORMAT, "a/" * 60 + "ü" * 50),
        (tarfile.GNU_FORMAT, "a/" * 60 + "x" * 150),
        (tarfile.USTAR_FORMAT, "d" * 80 + "/" + "e" * 60),
    ],
)
def test_long_names_of_every_form_of_tar(tmp_path: Path, form: int, stem: str) -> None:
    members = {f"{stem}.png": png(), f"{stem}.txt": b"a pier"}
    _, items = imported(shard(tmp_path / "s-0000.tar", members, form))
    assert items["caption"].tolist() == ["a pier"]
    assert items["image"][0].endswith(f"{stem}.png")


def test_a_compressed_shard_is_one_line(tmp_path: Path) -> None:
    path = shard(tmp_path / "s-0000.tar", {"a.png": png(), "a.txt": b"a pier"})
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(SourceError, match="uncompress it"):
        imported(path)
