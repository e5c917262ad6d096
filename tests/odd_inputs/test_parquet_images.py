"""Images inside Parquet files, as Hugging Face's `datasets` and other programs write them."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, embedded_images, import_source
from terraseek.errors import SceneError, SourceError

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200)]


def encoded(number: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8 + number, 8), COLOURS[number]).save(out, kind)
    return out.getvalue()


def features(**described) -> dict[bytes, bytes]:
    return {b"huggingface": json.dumps({"info": {"features": described}}).encode()}


LABEL = {"_type": "ClassLabel", "names": ["airport", "beach", "forest"]}


def dataset(path, rows=5, metadata=None, **columns):
    images = [{"bytes": encoded(n), "path": f"im{n}.png"} for n in range(rows)]
    table = pa.table({"image": pa.array(images), **columns})
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)
    return path


def imported(source, tmp_path, **options):
    report = import_source(source, tmp_path / "cat", **options)
    return report, Catalogue.open(tmp_path / "cat")


def test_a_hugging_face_file_gives_images_captions_labels_and_split(tmp_path):
    path = dataset(
        tmp_path / "train-00000-of-00001.parquet",
        metadata=features(label=LABEL, image={"_type": "Image"}),
        label=[0, 1, 2, -1, None],
        captions=[["a pier", "a quay"], ["a sand"], [], None, ["last"]],
        lat=[1.0, 2.0, 3.0, 4.0, 5.0],
        lon=[11.0, 12.0, 13.0, 14.0, 15.0],
    )
    report, catalogue = imported(path, tmp_path)
    assert (report.added, report.broken, report.kinds) == (5, [], {"parquet-images": 5})
    items = catalogue.items()
    assert items["image"].tolist() == [f"train-00000-of-00001.parquet#im{n}.png" for n in range(5)]
    assert items["label"].tolist() == ["airport", "beach", "forest", "", ""]
    assert items["caption"].tolist()[:2] == ["a pier", "a sand"]
    assert items.at[0, "caption_2"] == "a quay"
    assert items["lon"].tolist() == [11.0, 12.0, 13.0, 14.0, 15.0]
    assert set(items["split"]) == {"train"}
    for number, key in enumerate(items["item_id"]):
        rgb = catalogue.read_image(key)
        assert rgb.shape == (8, 8 + number, 3)
        assert tuple(rgb[0, 0]) == COLOURS[number]
        assert catalogue.image_bytes(key) == encoded(number)
    again = import_source(path, tmp_path / "cat")
    assert (again.added, again.skipped) == (0, 5)


@pytest.mark.parametrize("options", [{}, {"compression": "none"}, {"use_dictionary": False}])
@pytest.mark.parametrize("form", ["struct", "bytes", "large bytes", "nameless", "foreign name"])
def test_every_form_of_a_column_of_images(tmp_path, form, options):
    data = [encoded(n, kind) for n, kind in enumerate(["PNG", "JPEG", "WEBP", "TIFF", "GIF"])]
    columns = {
        "struct": {"image": [{"bytes": d, "path": None} for d in data]},
        "bytes": {"image": pa.array(data)},
        "large bytes": {"image": pa.array(data, pa.large_binary())},
        "nameless": {"image": pa.array([{"bytes": d} for d in data])},
        "foreign name": {"pixels": pa.array(data), "filename": ["x.png"] * 5},
    }[form]
    if form == "foreign name":
        del columns["filename"]
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=3, **options)
    report, catalogue = imported(tmp_path / "t.parquet", tmp_path)
    assert (report.added, report.broken) == (5, [])
    items = catalogue.items()
    assert items["image"].str.partition("#")[2].tolist() == [
        "0.png",
        "1.jpg",
        "2.webp",
        "3.tif",
        "4.gif",
    ]
    for number, key in enumerate(items["item_id"]):
        pixel = catalogue.read_image(key)[4, 4].astype(int)
        assert np.abs(pixel - COLOURS[number]).max() < 8, number


def test_labels_of_several_classes_and_of_another_name(tmp_path):
    path = dataset(
        tmp_path / "t.parquet",
        metadata=features(labels={"_type": "Sequence", "feature": LABEL}, fine=LABEL),
        labels=[[0, 1], [], None, [2], [9]],
        fine=[2, 1, 0, 7, None],
    )
    _, catalogue = imported(path, tmp_path)
    items = catalogue.items()
    assert json.loads(items.at[0, "labels"]) == ["airport", "beach"]
    assert items["fine"].tolist() == ["forest", "beach", "airport", "", ""]
    (tmp_path / "b").mkdir()
    metadata = features(fine=LABEL)
    path = dataset(tmp_path / "b" / "t.parquet", metadata=metadata, fine=[0, 1, 2, 0, 1])
    _, catalogue = imported(path, tmp_path / "b")
    assert catalogue.items()["label"].tolist() == ["airport", "beach", "forest", "airport", "beach"]


def test_class_numbers_without_names_are_labels(tmp_path):
    _, catalogue = imported(dataset(tmp_path / "t.parquet", rows=2, label=[0, 1]), tmp_path)
    assert catalogue.items()["label"].tolist() == ["0", "1"]


def test_a_folder_and_a_list_of_files(tmp_path):
    data = tmp_path / "eurosat" / "data"
    data.mkdir(parents=True)
    names = ["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"]
    paths = [dataset(data / f"{name}.parquet", rows=n + 1) for n, name in enumerate(names)]
    pq.write_table(pa.table({"a": [1]}), data / "notes.parquet")
    report, catalogue = imported(tmp_path / "eurosat", tmp_path)
    assert (report.source, report.added) == ("eurosat", 6)
    assert report.unused == {"Parquet files without images": 1}
    assert catalogue.items()["split"].value_counts().to_dict() == {"train": 3, "test": 3}
    assert "1 not used: Parquet files without images" in report.summary()
    listed = import_source(paths[:2], tmp_path / "other")
    assert (listed.source, listed.added) == ("eurosat", 3)
    braces = import_source(f"{data}/train-{{00000..00001}}-of-00002.parquet", tmp_path / "other")
    assert (braces.added, braces.skipped) == (0, 3)


def test_rows_without_bytes_name_files_or_are_listed(tmp_path):
    (tmp_path / "beside.png").write_bytes(encoded(3))
    (tmp_path / "secret.png").write_bytes(encoded(4))
    source = tmp_path / "source"
    source.mkdir()
    (source / "beside.png").write_bytes(encoded(3))
    rows = [
        {"bytes": None, "path": "beside.png"},
        {"bytes": None, "path": str(tmp_path / "secret.png")},
        None,
        {"bytes": b"", "path": None},
        {"bytes": b"no image", "path": "x.png"},
    ]
    mask = [{"bytes": encoded(0), "path": "m.png"}] * 5
    pq.write_table(pa.table({"mask": mask, "image": rows}), source / "t.parquet")
    report, catalogue = imported(source / "t.parquet", tmp_path)
    assert report.added == 1
    assert catalogue.read_image(catalogue.items().at[0, "item_id"])[0, 0].tolist() == [200, 200, 30]
    assert report.unused == {"images in further columns (mask)": 5}
    reasons = {b.member: b.reason for b in report.broken}
    assert "lies outside of the source" in reasons["t.parquet row 1"]
    assert reasons["t.parquet row 2"] == reasons["t.parquet row 3"] == "its image is null"
    assert "is not an image of a known format" in reasons["t.parquet#x.png"]


def test_a_table_of_file_names_with_thumbnails_stays_a_table(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(1))
    table = pa.table({"filename": ["a.png"], "thumbnail": pa.array([encoded(0)])})
    pq.write_table(table, tmp_path / "t.parquet")
    report, catalogue = imported(tmp_path / "t.parquet", tmp_path)
    assert report.kinds == {"table": 1}
    assert tuple(catalogue.read_image(catalogue.items().at[0, "item_id"])[0, 0]) == COLOURS[1]


def test_a_replaced_or_damaged_file_is_one_line(tmp_path):
    path = dataset(tmp_path / "t.parquet")
    _, catalogue = imported(path, tmp_path)
    last = catalogue.items()["item_id"].iloc[-1]
    dataset(path, rows=2)
    with pytest.raises(SceneError, match=r"has no image in row 4; was it replaced"):
        catalogue.read_image(last)
    data = bytearray(path.read_bytes())
    data[40:200] = bytes(160)
    path.write_bytes(bytes(data))
    with pytest.raises(SceneError):
        catalogue.read_image(catalogue.items()["item_id"].iloc[0])
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(SceneError, match=r"t\.parquet"):
        catalogue.read_image(last)


def test_one_large_image_repeated_costs_no_memory(tmp_path, monkeypatch):
    big = encoded(0) + bytes(1_000_000)
    images = pa.array([{"bytes": big, "path": "a.png"}] * 300)
    table = pa.table({"image": images})
    pq.write_table(table, tmp_path / "t.parquet", dictionary_pagesize_limit=1 << 28)
    array = embedded_images.row_group_images(tmp_path / "t.parquet", 0, "image")
    assert len(array) == 300
    assert array.dictionary.nbytes < 1_100_000
    monkeypatch.setattr(embedded_images, "MAX_GROUP_BYTES", 300_000)
    with pytest.raises(SourceError, match=r"1 MB of images in one row group.*row_group_size=100"):
        import_source(tmp_path / "t.parquet", tmp_path / "cat")
