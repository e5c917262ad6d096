"""Folders and tars as data sets come: splits, masks, links, hard links."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.importing.dataset_folders import MASKS, read_folders, without_masks
from terraseek.catalogue.tars import members
from terraseek.errors import SourceError
from terraseek_train.data.sources.images import open_images
from terraseek_train.data.stream import index_images


def png(colour=(200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def write(folder: Path, names) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png())
    return folder


def tarred(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*")):
            tar.add(file, file.relative_to(folder).as_posix(), recursive=False)
    return path


LAYOUTS = [  # names of the files -> label and split of the items
    (
        "splits",
        {"train/a.png": ("", "train"), "val/b.png": ("", "val"), "test/c.png": ("", "test")},
    ),
    (
        "splits of classes",
        {
            "training/airport/a.png": ("airport", "train"),
            "training/beach/b.png": ("beach", "train"),
            "Test/airport/c.png": ("airport", "test"),
        },
    ),
    (
        "classes of splits",
        {"airport/train/a.png": ("airport", "train"), "beach/val/b.png": ("beach", "val")},
    ),
    ("train is a class", {"plane/a.png": ("plane", ""), "train/b.png": ("train", "")}),
    (
        "masks",
        {
            "images/a.png": ("", ""),
            "images/b.png": ("", ""),
            "masks/a.png": None,
            "masks/b.png": None,
        },
    ),
    (
        "masks of splits",
        {
            "train/images_png/1.png": ("", "train"),
            "train/masks_png/1.png": None,
            "val/images_png/2.png": ("", "val"),
            "val/masks_png/2_mask.png": None,
        },
    ),
    (
        "labels beside images",
        {"images/train/a.png": ("", "train"), "labels/train/a.png": None},
    ),
    ("compound", {"train_images/a.png": ("", "train"), "train-labels/a_label.png": None}),
    ("two dates", {"A/1.png": ("A", ""), "B/1.png": ("B", ""), "label/1.png": None}),
    ("endings", {"7_sat.png": ("", ""), "7_mask.png": None, "8.png": ("", ""), "8_gt.png": None}),
    ("masks alone", {"masks/a.png": ("", ""), "masks/b.png": ("", "")}),
    ("other masks", {"images/a.png": ("", ""), "masks/b.png": ("", "")}),
]


@pytest.mark.parametrize("form", ["folder", "tar"])
@pytest.mark.parametrize(("case", "files"), LAYOUTS, ids=[case for case, _ in LAYOUTS])
def test_folders_of_a_layout_are_no_classes(tmp_path, case, files, form):
    source = write(tmp_path / "set", files)
    if form == "tar":
        source = tarred(source, tmp_path / "set.tar")
    report = import_source(source, tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    items["name"] = items["image"].str.removeprefix("set.tar#")
    split = items["split"] if "split" in items else [""] * len(items)
    found = dict(zip(items["name"], zip(items["label"], split, strict=True), strict=True))
    assert found == {name: meaning for name, meaning in files.items() if meaning is not None}
    masks = sum(meaning is None for meaning in files.values())
    assert report.unused == ({MASKS: masks} if masks else {})
    assert not masks or f"{masks} not used: {MASKS}" in report.summary()


def test_a_table_finds_the_image_and_not_its_mask(tmp_path):
    source = write(tmp_path / "set", ["images/a.png", "masks/a.png"])
    (source / "images" / "a.png").write_bytes(png((1, 2, 3)))
    (source / "t.csv").write_text("filename,caption\na.png,one\n")
    report = import_source(source / "t.csv", tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert (report.added, report.broken) == (1, [])
    assert catalogue.read_image(catalogue.items().at[0, "item_id"])[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_training_takes_no_masks_and_no_splits_as_labels(tmp_path, form):
    names = ["train/forest/a.png", "test/beach/b.png", "images/c.png", "masks/c.png"]
    source = write(tmp_path / "set", names)
    if form == "tar":
        source = tarred(source, tmp_path / "set.tar")
    opened = open_images(source)
    labels = {"a.png": "forest", "b.png": "beach", "c.png": ""}
    assert {name: opened.folder(name) for name in opened} == labels
    indexed = index_images(source)
    assert {name: sample.label for name, (sample, _) in indexed.items()} == labels


def test_every_name_has_one_meaning():
    assert read_folders([]) == []
    assert without_masks([]) == ([], without_masks(["a.png"])[1])
    names = ["2750/Forest/a.jpg", "x.png"]
    assert [m.classes for m in read_folders(names)] == [("2750", "Forest"), ()]


def test_links_are_followed_inside_of_a_source_and_listed_outside(tmp_path):
    source = write(tmp_path / "data", ["a/im0.png", "a/im1.png"])
    outside = write(tmp_path / "elsewhere", ["im2.png"])
    (source / "b").symlink_to(source / "a", target_is_directory=True)
    (source / "c").symlink_to(outside, target_is_directory=True)
    (source / "a" / "d.png").symlink_to("im0.png")
    (source / "a" / "round.png").symlink_to("round.png")
    (source / "a" / "up").symlink_to("..", target_is_directory=True)
    (source / "gone.png").symlink_to("nothing.png")
    os.link(source / "a" / "im1.png", source / "a" / "hard.png")
    report = import_source(source, tmp_path / "cat")
    names = ["d.png", "hard.png", "im0.png", "im1.png"]
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["image"].tolist() == [f"{f}/{name}" for f in ("a", "b") for name in names]
    reasons = {broken.member: broken.reason for broken in report.broken}
    assert reasons.keys() == {"c", "a/round.png", "gone.png"}
    assert "lies outside of the source" in reasons["c"]
    assert reasons["gone.png"] == "it is a link to what does not exist: nothing.png"


def test_links_that_multiply_are_refused(tmp_path):
    source = tmp_path / "data"
    for n in range(12):
        write(source, [f"{n}/im.png"])
        for k in range(3):
            (source / str(n) / f"l{k}").symlink_to(f"../{n + 1}", target_is_directory=True)
    with pytest.raises(SourceError, match="more than 1,000 links to its own folders"):
        import_source(source, tmp_path / "cat")


def test_links_in_a_tar_have_the_content_of_their_target(tmp_path):
    path = tmp_path / "l.tar"
    links = [
        ("b/hard.png", tarfile.LNKTYPE, "a/im.png"),
        ("b/soft.png", tarfile.SYMTYPE, "../a/im.png"),
        ("b/before.png", tarfile.SYMTYPE, "../z/last.png"),
        ("c", tarfile.SYMTYPE, "a"),
        ("b/gone.png", tarfile.SYMTYPE, "/etc/im.png"),
    ]
    with tarfile.open(path, "w") as tar:
        for name, data in (("a/im.png", png((1, 2, 3))), ("a/im2.png", png())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, kind, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
        info = tarfile.TarInfo("z/last.png")
        info.size = len(png((9, 9, 9)))
        tar.addfile(info, io.BytesIO(png((9, 9, 9))))
    report = import_source(path, tmp_path / "cat", kind="classes")
    catalogue = Catalogue.open(tmp_path / "cat")
    items = catalogue.items().set_index("image")["item_id"]
    colours = {
        name.removeprefix("l.tar#"): catalogue.read_image(key)[0, 0].tolist()
        for name, key in items.items()
    }
    assert colours == {
        "a/im.png": [1, 2, 3],
        "a/im2.png": [200, 30, 30],
        "b/hard.png": [1, 2, 3],
        "b/soft.png": [1, 2, 3],
        "b/before.png": [9, 9, 9],
        "c/im.png": [1, 2, 3],
        "c/im2.png": [200, 30, 30],
        "z/last.png": [9, 9, 9],
    }
    assert [b.member for b in report.broken] == ["l.tar#b/gone.png"]
    assert sum(1 for _ in members(path, follow_links=False)) == 3
