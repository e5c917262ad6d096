"""Repeated and partial imports, wrong targets, moved files, dates, locations and captions."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, catalogue_stats, import_source
from terraseek.catalogue.items import build_frame
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.catalogue.metadata.label_captions import compose_caption, readable_label
from terraseek.catalogue.metadata.location import locate
from terraseek.catalogue.records import item_id
from terraseek.catalogue.stats import utm_zones
from terraseek.errors import (
    CatalogueError,
    CatalogueExistsError,
    CatalogueNotFoundError,
    FilterError,
    ItemNotFoundError,
    SourceError,
    TruncatedImageError,
)


def folder_of(path: Path, seeds: range) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        pixels = np.full((6, 6, 3), seed, np.uint8)
        Image.fromarray(pixels).save(path / f"{seed:03d}.png")
    return path


def image_table(path: Path, seeds: range) -> Path:
    folder_of(path / "img", seeds)
    lines = [f"img/{s:03d}.png,thing {s},{s % 60},{s - 90},{s}" for s in seeds]
    (path / "items.csv").write_text("filename,caption,lat,lon,extra\n" + "\n".join(lines) + "\n")
    return path / "items.csv"


def digest(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_importing_again_changes_nothing(tmp_path: Path):
    source, out = image_table(tmp_path / "a", range(5)), tmp_path / "cat"
    import_source(source, out)
    before = digest(out)
    report = import_source(source, out)
    assert (report.added, report.skipped, report.total) == (0, 5, 5)
    assert digest(out) == before


def test_new_images_are_appended_and_old_items_keep_id_and_row(tmp_path: Path):
    out = tmp_path / "cat"
    import_source(folder_of(tmp_path / "a", range(3)), out)
    ids = Catalogue.open(out).items()["item_id"].tolist()
    report = import_source(folder_of(tmp_path / "a", range(6)), out)
    after = Catalogue.open(out)
    assert (report.added, report.skipped) == (3, 3)
    assert after.items()["item_id"].tolist()[:3] == ids
    assert after.count == 6
    assert ids[0] == item_id("a", "000.png")


def test_a_rebuilt_catalogue_has_the_same_ids(tmp_path: Path):
    source = image_table(tmp_path / "a", range(5))
    import_source(source, tmp_path / "one")
    import_source(source, tmp_path / "two")
    one, two = Catalogue.open(tmp_path / "one"), Catalogue.open(tmp_path / "two")
    assert one.items()["item_id"].tolist() == two.items()["item_id"].tolist()
    assert all(len(key) == 12 and key.isalnum() for key in one.items()["item_id"])


def test_two_sources_in_one_catalogue(tmp_path: Path):
    out = tmp_path / "cat"
    import_source(image_table(tmp_path / "a", range(4)), out)
    import_source(folder_of(tmp_path / "b", range(3)), out)
    catalogue = Catalogue.open(out)
    assert catalogue.sources == ["a", "b"]
    assert len(catalogue.items(where=Filter(sources=("b",)))) == 3
    assert catalogue.items()["extra"].tolist()[:4] == [0, 1, 2, 3]
    assert catalogue.items()["extra"][4:].isna().all()
    points = catalogue.points()
    assert points.row.tolist() == [0, 1, 2, 3]
    assert points.lon.tolist() == [-90, -89, -88, -87]
    manifest = json.loads((out / "catalogue.json").read_text())
    assert manifest["items"] == 7
    assert set(manifest["sources"]) == {"a", "b"}


def test_folders_with_the_same_name_are_different_sources(tmp_path: Path):
    out = tmp_path / "cat"
    import_source(folder_of(tmp_path / "x" / "img", range(3)), out)
    import_source(folder_of(tmp_path / "y" / "img", range(3)), out)
    assert Catalogue.open(out).sources == ["img", "img-2"]
    assert import_source(tmp_path / "y" / "img", out).skipped == 3
    named = import_source(folder_of(tmp_path / "z" / "img", range(2, 5)), out, name="img")
    assert (named.added, named.skipped) == (2, 1)  # the given name says it is the same source


def test_items_of_a_moved_source_are_relinked(tmp_path: Path):
    out = tmp_path / "cat"
    import_source(folder_of(tmp_path / "old" / "img", range(3)), out)
    (tmp_path / "old").rename(tmp_path / "new")
    key = Catalogue.open(out).items()["item_id"][0]
    with pytest.raises(CatalogueError, match="import the source again from its new location"):
        Catalogue.open(out).image_bytes(key)
    report = import_source(tmp_path / "new" / "img", out)
    assert (report.source, report.relinked, report.added) == ("img", 3, 0)
    assert Catalogue.open(out).read_image(key).shape == (6, 6, 3)


def test_catalogue_and_images_moved_together_still_work(tmp_path: Path):
    import_source(image_table(tmp_path / "world" / "a", range(3)), tmp_path / "world" / "cat")
    (tmp_path / "world").rename(tmp_path / "elsewhere")
    catalogue = Catalogue.open(tmp_path / "elsewhere" / "cat")
    assert catalogue.read_image(catalogue.items()["item_id"][2])[0, 0, 0] == 2


def test_the_items_file_is_geoparquet(tmp_path: Path):
    import geopandas

    import_source(image_table(tmp_path / "a", range(3)), tmp_path / "cat")
    import_source(folder_of(tmp_path / "b", range(2)), tmp_path / "cat")
    frame = geopandas.read_parquet(tmp_path / "cat" / "items.parquet")
    assert frame.crs.equals("OGC:CRS84")
    assert frame.geometry.iloc[2].coords[0] == (-88.0, 2.0)
    assert frame.geometry.isna().tolist() == [False, False, False, True, True]
    assert frame["label"].isna().all()  # unknown text is null in the file
    assert frame["caption"].tolist()[3:] == ["", ""]


def test_a_failed_import_does_not_change_the_catalogue(tmp_path: Path):
    out = tmp_path / "cat"
    import_source(folder_of(tmp_path / "a", range(3)), out)
    before = digest(out)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "x.png").write_bytes(b"junk")
    with pytest.raises(SourceError, match=r"contains no usable image; x.png"):
        import_source(bad, out)
    assert digest(out) == before
    with pytest.raises(SourceError, match="contains no usable image"):
        import_source(bad, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_folders_and_files_that_are_no_catalogue_are_refused(tmp_path: Path):
    source = folder_of(tmp_path / "a", range(2))
    with pytest.raises(CatalogueExistsError, match="contains other files"):
        import_source(source, source)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CatalogueExistsError, match="is a file"):
        import_source(source, tmp_path / "file")
    with pytest.raises(CatalogueNotFoundError, match="terraseek import SOURCE"):
        Catalogue.open(tmp_path / "a")


HOLD = """
import sys
from pathlib import Path
from terraseek.catalogue.locking import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_two_imports_at_once_are_refused(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "cat")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(CatalogueError, match="being changed by another process"):
            import_source(folder_of(tmp_path / "a", range(2)), tmp_path / "cat")
        other.communicate("done\n")
    assert other.returncode == 0
    assert not (tmp_path / "cat").exists()
    assert import_source(tmp_path / "a", tmp_path / "cat").added == 2


def test_a_damaged_table_is_named_in_the_error(tmp_path: Path):
    import_source(folder_of(tmp_path / "a", range(2)), tmp_path / "cat")
    path = tmp_path / "cat" / "items.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CatalogueError, match="damaged"):
        Catalogue.open(tmp_path / "cat")


def test_lookup_errors_name_the_item_column_or_source(tmp_path: Path):
    import_source(image_table(tmp_path / "a", range(3)), tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    with pytest.raises(ItemNotFoundError, match="no item 'nope'"):
        catalogue.item("nope")
    with pytest.raises(FilterError, match="no column 'smell'"):
        catalogue.items(["smell"])
    with pytest.raises(FilterError, match="no item has the source 'c'; there are: a"):
        catalogue.mask(Filter(sources=("c",)))
    assert catalogue.items(["lon", "extra"]).columns.tolist() == ["lon", "extra"]
    assert catalogue.items()["item_id"].tolist() == [b.decode() for b in catalogue.item_ids]
    item = catalogue.item(catalogue.items()["item_id"][1])
    assert json.loads(json.dumps(item)) == item
    assert item["label"] is None
    assert not any(key.startswith("_") for key in item)


def test_a_shortened_shard_raises(tmp_path: Path):
    import tarfile

    folder_of(tmp_path / "img", range(2))
    with tarfile.open(tmp_path / "a.tar", "w") as out:
        out.add(tmp_path / "img", "img")
    import_source(tmp_path / "a.tar", tmp_path / "cat")
    (tmp_path / "a.tar").write_bytes(b"")
    catalogue = Catalogue.open(tmp_path / "cat")
    with pytest.raises(TruncatedImageError, match=r"was .*a\.tar replaced"):
        catalogue.image_bytes(catalogue.items()["item_id"][0])


def test_stats_count_what_the_paper_counts(tmp_path: Path):
    import_source(image_table(tmp_path / "a", range(3)), tmp_path / "cat")
    import_source(folder_of(tmp_path / "b", range(2)), tmp_path / "cat")
    counts = catalogue_stats(Catalogue.open(tmp_path / "cat"))
    assert (counts["items"], counts["located"], counts["captioned"]) == (5, 3, 3)
    assert counts["source"] == {"a": 3, "b": 2}
    assert counts["precision"] == {"exact": 3, "none": 2}
    assert counts["utm_zone"] == {"16N": 3, "": 2}
    assert counts["extent"] == [-90, 0, -88, 2]


def test_without_check_images_are_not_decoded(tmp_path: Path):
    source = folder_of(tmp_path / "a", range(2))
    (source / "bad.png").write_bytes(b"junk")
    assert import_source(source, tmp_path / "cat", check=False).added == 3


def test_catalogue_folder_can_be_copied_alone(tmp_path: Path):
    import_source(folder_of(tmp_path / "a", range(2)), tmp_path / "cat")
    shutil.copytree(tmp_path / "cat", tmp_path / "deep" / "copy")
    catalogue = Catalogue.open(tmp_path / "deep" / "copy")
    assert catalogue.read_image(catalogue.items()["item_id"][1])[0, 0, 0] == 1


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"lon": "5", "lat": "6"}, (5, 6, "exact", False)),
        ({"lon": 5, "lat": 6, "location_precision": "point"}, (5, 6, "point", False)),
        ({"lon": 359, "lat": 6}, (-1, 6, "exact", False)),
        ({"lon": 0, "lat": 0}, (None, None, "none", True)),
        ({"lon": 5, "lat": 91}, (None, None, "none", True)),
        ({"lon": 5, "lat": "x", "utm": "32U"}, (None, None, "utm_zone", True)),
        ({"lon": float("nan"), "lat": None, "country": "Peru"}, (None, None, "place_name", False)),
        ({}, (None, None, "none", False)),
    ],
)
def test_location_rules(columns, expected):
    assert locate(columns, None) == expected


def test_explicit_precision_applies_only_to_coordinates():
    assert locate({"lon": 1, "lat": 2}, "point")[2] == "point"
    assert locate({"utm": "1N"}, "point")[2] == "utm_zone"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2017", "2017"),
        ("2017-08", "2017-08"),
        ("2017-13", ""),
        ("2017-08-25", "2017-08-25"),
        ("2017/08/25", "2017-08-25"),
        ("25.08.2017", "2017-08-25"),
        ("2017-08-25 16:30:00", "2017-08-25T16:30:00Z"),
        ("2017-08-25T16:30:00+02:00", "2017-08-25T14:30:00Z"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_dates_are_normalised_to_iso(text, iso):
    assert iso_date(text) == iso


def test_captions_composed_from_labels():
    assert readable_label("AnnualCrop") == "annual crop"
    assert readable_label("Bare / sparse_vegetation") == "bare / sparse vegetation"
    assert compose_caption({"caption": " a  b ", "geometa_cap": "c"}) == ("a b", "source")
    assert compose_caption({"caption": "", "geometa_cap": "c"}) == ("c", "geometa")
    assert compose_caption({}) == ("", "")


def test_utm_zones_with_their_exceptions():
    places = [(-95.4, 29.8), (5, 60), (10, 75), (179.99, -79), (0, 84.5), (-180, 0)]
    frame = build_frame(
        [{"item_id": str(i), "lon": x, "lat": y} for i, (x, y) in enumerate(places)]
    )
    assert utm_zones(frame).tolist() == ["15R", "32V", "33X", "60C", "", "1N"]
