"""Every kind of source is imported; damaged members are reported and do not stop the import."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.importing.readers.registry import (
    KINDS,
    READERS,
    expand_braces,
    reader_of,
)
from terraseek.errors import AnnotationError, MissingColumnError, SourceError, UnknownSourceError


def image(seed: int, side: int = 12, kind: str = "png") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind)
    return data.getvalue()


def tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as out:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def sample(key: int, name: str, caption: str = "", old: bool = False) -> list[tuple[str, bytes]]:
    parts = (
        ("input.image", "input.name", "input.caption")
        if old
        else (
            "img_content",
            "img_name",
            "caption",
        )
    )
    values = (image(key), name.encode(), caption.encode())
    return [(f"{key:08d}.{part}", value) for part, value in zip(parts, values, strict=True)]


def shards(folder: Path, count: int = 2, each: int = 3, old: bool = False) -> Path:
    for shard in range(count):
        members = []
        for i in range(each):
            key = shard * each + i
            members += sample(key, f"pic_{key}.jpg", f"caption {key} of 5° north", old)
        tar(folder / f"set-train-{shard:04d}.tar", members)
    return folder


def image_seeds(catalogue: Catalogue) -> list[int]:
    """Seed of the `image` of each item."""
    known = {image(seed): seed for seed in range(40)}
    return [known[catalogue.image_bytes(key)] for key in catalogue.items()["item_id"]]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("form", ["braces", "list", "folder"])
def test_both_shard_layouts_given_in_every_form(tmp_path: Path, old: bool, form: str):
    folder = shards(tmp_path / "in", old=old)
    source = {
        "braces": str(folder / "set-train-{0000..0001}.tar"),
        "list": sorted(folder.glob("*.tar")),
        "folder": folder,
    }[form]
    report = import_source(source, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert (report.added, report.source, report.kinds) == (6, "set", {"shards": 6})
    assert image_seeds(catalogue) == [0, 1, 2, 3, 4, 5]
    first = catalogue.item(catalogue.items()["item_id"][0])
    assert first["caption"] == "caption 0 of 5° north"
    assert first["img_name"] == "pic_0.jpg"
    assert first["split"] == "train"
    assert first["location_precision"] == "none"
    assert np.array_equal(
        catalogue.read_image(first["item_id"]), np.array(Image.open(io.BytesIO(image(0))))
    )


def test_usual_webdataset_members_with_json(tmp_path: Path):
    members = []
    for key in range(3):
        facts = {"lat": 10 + key, "longitude": -20, "sensor": "x"}
        members += [
            (f"{key:04d}.jpg", image(key, kind="jpeg")),
            (f"{key:04d}.json", json.dumps(facts).encode()),
            (f"{key:04d}.txt", b"words"),
        ]
    import_source(tar(tmp_path / "a.tar", members), tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["lat"].tolist() == [10, 11, 12]
    assert items["lon"].tolist() == [-20, -20, -20]
    assert set(items["sensor"]) == {"x"}
    assert set(items["caption"]) == {"words"}


def test_geometa_is_joined_by_name_and_its_problems_are_counted(tmp_path: Path):
    folder = shards(tmp_path / "in")
    (tmp_path / "g.csv").write_text(
        "img_name,geometa_cap,country,month,latitude,longitude,utm,mood\n"
        "pic_0.jpg,,Peru,9,-12.5,-77.0,18L,calm\n"
        "pic_0.jpg,,Chile,9,1,1,18L,again\n"  # listed twice: the first counts
        "pic_1.jpg,,Peru,8,0,0,18L,\n"  # 0,0
        "pic_2.jpg,,Peru,8,95,10,,\n"  # latitude out of range
        "pic_3.jpg,,,8,nan,,,\n"
        "nobody.jpg,,Peru,1,1,1,,\n"
    )
    report = import_source(folder, tmp_path / "cat", geometa=tmp_path / "g.csv")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["location_precision"].tolist() == [
        "point",  # the RS5M layout gives a corner of the scene
        "utm_zone",
        "place_name",
        "none",
        "none",
        "none",
    ]
    assert items["lon"][0] == -77.0
    assert items["lat"][0] == -12.5
    assert items["lon"][1:].isna().all()
    assert items["mood"][0] == "calm"
    assert items["month"].tolist()[:3] == [9, 8, 8]
    assert (report.bad_coordinates, report.geometa_duplicates) == (2, 1)
    assert (report.geometa_missing, report.geometa_unused) == (2, 1)


def test_table_beside_shards_is_joined_and_captions_are_made_from_labels(tmp_path: Path):
    members = [m for key in range(2) for m in sample(key, f"p{key}.jpg")]
    tar(tmp_path / "in" / "eu-val-0000.tar", members)
    (tmp_path / "in" / "coord.csv").write_text(
        "img_name,latitude,longitude,label\np0.jpg,50,10,SeaLake\np1.jpg,51,11,HerbaceousVegetation\n"
    )
    report = import_source(tmp_path / "in", tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["caption"].tolist() == [
        "a satellite image of sea lake",
        "a satellite image of herbaceous vegetation",
    ]
    assert set(items["caption_source"]) == {"label"}
    assert set(items["location_precision"]) == {"exact"}
    assert report.geometa == "coord.csv"


def test_damaged_samples_are_reported_and_the_others_imported(tmp_path: Path):
    cut = image(3)[: len(image(3)) // 2]
    members = [
        *sample(0, "a.jpg"),
        ("00000001.img_content", b"not a picture"),
        ("00000001.img_name", b"b.jpg"),
        ("00000002.img_name", b"c.jpg"),
        ("00000002.caption", b"no picture here"),
        ("00000003.img_content", cut),
        ("00000003.img_name", b"d.jpg"),
        ("00000004.img_content", b""),
        *sample(5, "e.jpg"),
        *sample(6, "a.jpg"),  # a repeated name
    ]
    report = import_source(tar(tmp_path / "x.tar", members), tmp_path / "cat")
    assert image_seeds(Catalogue.open(tmp_path / "cat")) == [0, 5]
    reasons = {broken.member: broken.reason for broken in report.broken}
    assert len(reasons) == 4
    assert "not an image" in reasons["x.tar#00000001.img_content"]
    assert "no image among caption, img_name" in reasons["x.tar#00000002"]
    assert "cut short" in reasons["x.tar#00000003.img_content"]
    assert "no bytes" in reasons["x.tar#00000004.img_content"]
    assert report.duplicates == 1
    assert json.dumps(report.to_json())
    assert "4 broken" in report.summary()


def test_a_truncated_tar_yields_the_members_before_the_cut(tmp_path: Path):
    path = shards(tmp_path / "in", count=1, each=6) / "set-train-0000.tar"
    path.write_bytes(path.read_bytes()[: 512 * 21 + 100])
    report = import_source(path, tmp_path / "cat")
    assert 1 <= report.added < 6
    assert image_seeds(Catalogue.open(tmp_path / "cat")) == list(range(report.added))
    assert report.broken


def test_reading_continues_after_damaged_bytes(tmp_path: Path):
    path = shards(tmp_path / "in", count=1, each=6) / "set-train-0000.tar"
    data = bytearray(path.read_bytes())
    header = data.index(b"00000002.img_content")
    data[header : header + 512] = b"\xaa" * 512
    path.write_bytes(bytes(data))
    report = import_source(path, tmp_path / "cat")
    assert image_seeds(Catalogue.open(tmp_path / "cat")) == [0, 1, 3, 4, 5]
    assert any("damaged bytes" in broken.reason for broken in report.broken)


@pytest.mark.parametrize("form", ["tar", "folder"])
def test_class_folders_give_labels(tmp_path: Path, form: str):
    names = [f"SET/{label}/{i}.png" for label in ("storage_tank", "forest") for i in range(2)]
    if form == "tar":
        source = tar(tmp_path / "SET.tar", [(n, image(i)) for i, n in enumerate(names)])
    else:
        source = tmp_path / "SET"
        for i, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image(i))
    report = import_source(source, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert report.kinds == {"classes": 4}
    assert catalogue.labels == ["forest", "storage_tank"]
    items = catalogue.items()
    tanks = items["label"] == "storage_tank"
    assert set(items.loc[tanks, "caption"]) == {"a satellite image of storage tank"}
    assert sorted(image_seeds(catalogue)) == [0, 1, 2, 3]


def test_a_single_folder_is_not_a_class(tmp_path: Path):
    path = tar(tmp_path / "a.tar", [(f"images/{i}.png", image(i)) for i in range(3)])
    import_source(path, tmp_path / "cat")
    assert Catalogue.open(tmp_path / "cat").labels == []


def test_table_with_column_aliases_more_captions_and_unknown_columns(tmp_path: Path):
    (tmp_path / "chips").mkdir()
    for i in range(3):
        (tmp_path / "chips" / f"00{i}.png").write_bytes(image(i))
    (tmp_path / "items.csv").write_text(
        "\ufefffilename,Title,caption_2,category,Latitude,LNG,GSD,date,code,polygons,score\n"
        'chips/000.png,a lake,water,lake,1.5,2.5,0.5,2021-03-04,007,"[[1, 2]]",1.5\n'
        "001.png,a field,,field,-1.5,190,10,2021/03/05,008,,2\n"
        "gone.png,a ghost,,ghost,1,1,1,2021,009,,3\n"
    )
    report = import_source(tmp_path / "items.csv", tmp_path / "cat", name="world")
    catalogue = Catalogue.open(tmp_path / "cat")
    items = catalogue.items()
    assert items["caption"].tolist() == ["a lake", "a field"]
    assert items["caption_2"].tolist() == ["water", ""]
    assert items["label"].tolist() == ["lake", "field"]
    assert items["lon"].tolist() == [2.5, -170]
    assert items["lat"].tolist() == [1.5, -1.5]
    assert items["gsd_m"].tolist() == [0.5, 10]
    assert items["captured_at"].tolist() == ["2021-03-04", "2021-03-05"]
    assert items["code"].tolist() == ["007", "008"]
    assert items["score"].tolist() == [1.5, 2.0]
    assert items["polygons"].tolist() == ["[[1, 2]]", ""]
    assert items["image"].tolist() == ["chips/000.png", "001.png"]
    assert image_seeds(catalogue) == [0, 1]
    assert [b.member for b in report.broken] == ["items.csv line 4"]


def test_parquet_table_with_images_in_a_tar_elsewhere(tmp_path: Path):
    import pandas as pd

    images = tar(tmp_path / "there" / "x.tar", [(f"x/{i}.png", image(i)) for i in range(2)])
    frame = pd.DataFrame(
        {"image": ["0.png", "1.png"], "y": [3.0, 4.0], "x": [5.0, 6.0], "month": [2, 3]}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    import_source(tmp_path / "t.parquet", tmp_path / "cat", images=images)
    catalogue = Catalogue.open(tmp_path / "cat")
    assert image_seeds(catalogue) == [0, 1]
    assert catalogue.items()["lat"].tolist() == [3, 4]
    assert catalogue.items()["month"].tolist() == [2, 3]


def test_rsicd_json_uses_the_tar_with_most_of_its_names(tmp_path: Path):
    folder = tmp_path / "rsicd"
    tar(folder / "A_wide.tar", [(f"w/{i}.png", image(10 + i)) for i in range(2)])
    tar(folder / "images.tar", [(f"images/{i}.png", image(i)) for i in range(3)])
    entries = [
        {
            "filename": f"{i}.png",
            "split": "val",
            "imgid": i,
            "sentences": [{"raw": f"  one {i} . "}, {"raw": "two"}, {"raw": "two"}],
        }
        for i in range(3)
    ]
    (folder / "dataset_x.json").write_text(json.dumps({"images": entries}))
    report = import_source(folder, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert (report.added, report.source) == (3, "rsicd")
    assert image_seeds(catalogue) == [0, 1, 2]
    items = catalogue.items()
    assert items["caption"].tolist() == ["one 0 .", "one 1 .", "one 2 ."]
    assert set(items["caption_2"]) == {"two"}
    assert "caption_3" not in items
    assert set(items["split"]) == {"val"}
    assert items["imgid"].tolist() == [0, 1, 2]


def test_geotiffs_give_their_location(tmp_path: Path):
    import rasterio
    from affine import Affine

    folder = tmp_path / "tifs"
    folder.mkdir()
    profile = {"driver": "GTiff", "width": 40, "height": 20, "count": 1, "dtype": "uint16"}
    values = np.arange(800, dtype=np.uint16).reshape(1, 20, 40) * 50
    profile |= {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
    with rasterio.open(folder / "a.tif", "w", **profile) as out:
        out.write(values)
    (folder / "plain.png").write_bytes(image(1))
    import_source(folder, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    raster, plain = (catalogue.item(key) for key in catalogue.items()["item_id"])
    assert raster["location_precision"] == "exact"
    assert raster["lon"] == pytest.approx(15.002, abs=0.001)
    assert raster["lat"] == pytest.approx(36.143, abs=0.005)
    assert raster["gsd_m"] == pytest.approx(10, rel=0.01)
    corners = json.loads(raster["footprint"])
    assert len(corners) == 4
    assert corners[0][0] == pytest.approx(15.0, abs=1e-6)
    assert plain["location_precision"] == "none"
    assert (raster["width"], raster["height"]) == (40, 20)
    assert catalogue.read_image(raster["item_id"]).shape == (20, 40, 3)
    assert catalogue.read_image(raster["item_id"], max_side=10).shape == (5, 10, 3)


def test_16_bit_png_is_stretched(tmp_path: Path):
    values = np.linspace(1000, 3000, 100).reshape(10, 10).astype(np.uint16)
    (tmp_path / "d").mkdir()
    Image.fromarray(values).save(tmp_path / "d" / "deep.png")
    import_source(tmp_path / "d", tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    rgb = catalogue.read_image(catalogue.items()["item_id"][0])
    assert rgb.min() == 0
    assert rgb.max() == 255


def test_a_decompression_bomb_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("terraseek.catalogue.images.MAX_PIXELS", 100)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "big.png").write_bytes(image(0, side=30))
    (tmp_path / "d" / "small.png").write_bytes(image(1, side=10))
    report = import_source(tmp_path / "d", tmp_path / "cat")
    assert report.added == 1
    assert "30x30 pixels" in report.broken[0].reason


def test_errors_of_unreadable_sources_give_the_reason(tmp_path: Path):
    out = tmp_path / "cat"
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.tar").write_bytes(b"x" * 2000)
    (tmp_path / "bad.json").write_text('{"images": "filename"}')
    with gzip.open(tmp_path / "z.tar", "wb") as packed:
        packed.write(b"x")
    with pytest.raises(SourceError, match="no such file or folder"):
        import_source(tmp_path / "nowhere", out)
    with pytest.raises(UnknownSourceError, match=r"notes.txt cannot be imported"):
        import_source(tmp_path / "notes.txt", out)
    with pytest.raises(UnknownSourceError, match="known are shards, clip-retrieval"):
        import_source(tmp_path / "notes.txt", out, kind="magic")
    with pytest.raises(UnknownSourceError, match="contains no images"):
        import_source(tmp_path / "empty", out)
    with pytest.raises(MissingColumnError, match="no column of image names"):
        import_source(tmp_path / "t.csv", out)
    with pytest.raises(SourceError, match="check that it is complete"):
        import_source(tmp_path / "junk.tar", out)
    with pytest.raises(SourceError, match="uncompress it first"):
        import_source(tmp_path / "z.tar", out)
    with pytest.raises(AnnotationError, match="no list `images`"):
        import_source(tmp_path / "bad.json", out, kind="captions")
    assert not out.exists()


def test_geometa_without_names_is_refused(tmp_path: Path):
    folder = shards(tmp_path / "in")
    (tmp_path / "g.csv").write_text("lat,lon\n1,2\n")
    with pytest.raises(MissingColumnError, match="no column of image names"):
        import_source(folder, tmp_path / "cat", geometa=tmp_path / "g.csv")


def test_brace_ranges_are_expanded():
    assert expand_braces("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand_braces("{0..1}{a}{0..1}") == ["0{a}0", "0{a}1", "1{a}0", "1{a}1"]
    assert expand_braces("plain.tar") == ["plain.tar"]


def test_every_reader_has_its_own_kind():
    assert len(set(KINDS)) == len(READERS)
    assert [reader_of(kind) for kind in KINDS] == list(READERS)
