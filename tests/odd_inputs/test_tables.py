"""Tables and shards as other programs write them: encodings, missing values, geometry, names."""

import io
import json
import os
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyproj import CRS, Transformer

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.filters.areas import Area
from terraseek.catalogue.importing.columns.cells import plain_columns, plain_value
from terraseek.catalogue.metadata.location import parse_degrees
from terraseek.errors import QueryError, SourceError, TerraSeekError
from terraseek.review import import_ratings
from terraseek.review.log import open_review
from terraseek.review.ratings import RS5M_COLUMNS
from terraseek.search.batch import read_queries
from terraseek.text_files import read_text_table
from terraseek_train.config import DataSource
from terraseek_train.data.read_source import listed_samples
from terraseek_train.data.sources import Sample, open_images, read_captions
from terraseek_train.evaluate.run import read_labels

NAMES = [f"im{n}.png" for n in range(4)]
LON, LAT = [10.0, 11.0, 12.0, 13.0], [50.0, 51.0, 52.0, 53.0]


def png(colour=(200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for n, name in enumerate(NAMES):
        (source / name).write_bytes(png((20 * n, 99, 0)))
    return source


def imported(source, tmp_path, **options):
    report = import_source(source, tmp_path / "cat", **options)
    return report, Catalogue.open(tmp_path / "cat").items().set_index("image")


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark", "utf-16-be with mark"]
SEPARATORS = [",", ";", "\t", "|"]


def encode(text: str, encoding: str) -> bytes:
    mark = "\ufeff" if "with mark" in encoding else ""
    return (mark + text).encode(encoding.split()[0])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_tables_of_every_encoding_and_separator(tmp_path, encoding, separator, end):
    lines = [["filename", "caption", "lat"], ["a.png", '"forêt, ""dense""; 東京"', "1"]]
    text = end.join(separator.join(line) for line in lines) + end
    (tmp_path / "t.csv").write_bytes(encode(text, encoding))
    found, separator_found = read_text_table(tmp_path / "t.csv")
    assert separator_found == separator
    assert "forêt" in found
    (tmp_path / "a.png").write_bytes(png())
    _, items = imported(tmp_path / "t.csv", tmp_path)
    assert items.at["a.png", "caption"] == 'forêt, "dense"; 東京'
    query = text.replace("caption", "query")
    (tmp_path / "q.csv").write_bytes(encode(query, encoding))
    assert read_queries(tmp_path / "q.csv")[0].query.sentences[0].startswith("forêt")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "gb18030"])
def test_other_encodings_are_refused_in_one_line(tmp_path, encoding):
    text = (
        "filename,query,lat\na.png,中文,1\n"
        if encoding == "gb18030"
        else "filename,query\na,forêt\n"
    )
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    for read in (read_queries, read_text_table):
        with pytest.raises(SourceError, match=r"^t.csv is not UTF-8.*save it as 'CSV UTF-8'"):
            read(tmp_path / "t.csv")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_ratings_labels_and_captions_use_the_same_reader(tmp_path, encoding, separator):
    def write(name, text):
        (tmp_path / name).write_bytes(encode(text.replace(",", separator), encoding))
        return tmp_path / name

    ratings = write("r.csv", ",".join(RS5M_COLUMNS) + "\na.png,19.3° forêt,5,4,3\n")
    (tmp_path / "a.png").write_bytes(png())
    import_source(tmp_path / "a.png", tmp_path / "cat")
    log = open_review(tmp_path / "cat")
    report = import_ratings(log, ratings)
    assert (report.added, report.problems) == (1, [])
    assert [r.caption for r in log.current()] == ["19.3° forêt"]
    labels = write("l.csv", "filename,label\na.png,forêt\n")
    source = DataSource("set", images=str(tmp_path), labels=str(labels))
    assert [(s.image, s.label) for s in listed_samples(source)] == [("a.png", "forêt")]
    assert read_labels(labels, open_images(tmp_path)) == {"a.png": "forêt"}
    captions = write("c.csv", "filename,title\na.png,une forêt\n")
    assert read_captions(captions) == [Sample("a.png", ("une forêt",))]
    (tmp_path / "a.wkt").write_bytes(encode("POLYGON((0 0, 1 0, 1 1, 0 0))", encoding))
    area = Area.read(str(tmp_path / "a.wkt"))
    assert area.contains(np.array([0.9]), np.array([0.5])).tolist() == [True]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_of_every_encoding(tmp_path, encoding):
    (tmp_path / "a.png").write_bytes(png())
    sentences = [{"raw": "une forêt"}]
    captions = {"images": [{"filename": "a.png", "split": "train", "sentences": sentences}]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "été", "bbox": [1, 2, 3, 4]}
    item |= {"assets": {"a": {"href": "./a.png", "roles": ["visual"]}}, "properties": {}}
    for name, value, caption in (("c.json", captions, "une forêt"), ("s.json", item, "")):
        text = json.dumps(value, ensure_ascii=False)
        (tmp_path / name).write_bytes(encode(text, encoding))
        report = import_source(tmp_path / name, tmp_path / f"cat-{name}")
        assert report.added == 1, report
        items = Catalogue.open(tmp_path / f"cat-{name}").items()
        assert items.at[0, "caption"] == caption
    assert items.at[0, "lon"] == 2.0


DEGREES = [
    ("48.85", 48.85),
    ("48,85", 48.85),
    ("-2,35", -2.35),
    ("48°51'24\"N", 48 + 51 / 60 + 24 / 3600),
    ("2°21'07\"W", -(2 + 21 / 60 + 7 / 3600)),
    ("48° 51\u2032 24.5\u2033 S", -(48 + 51 / 60 + 24.5 / 3600)),
    ("33.5 S", -33.5),
    ("1,234,567", None),
    ("somewhere", None),
    ("", None),
    (None, None),
    (7, 7.0),
]


@pytest.mark.parametrize(("text", "expected"), DEGREES)
def test_degrees_as_people_write_them(text, expected):
    assert parse_degrees(text) == (None if expected is None else pytest.approx(expected))


def test_european_excel_and_swapped_coordinates(folder, tmp_path):
    text = "filename;lat;lon\nim0.png;48,85;2,35\nim1.png;139,7;35,6\n"
    (folder / "t.csv").write_bytes(text.encode("utf-8-sig"))
    report, items = imported(folder / "t.csv", tmp_path)
    assert (items.at["im0.png", "lon"], items.at["im0.png", "lat"]) == (2.35, 48.85)
    assert np.isnan(items.at["im1.png", "lon"])
    assert "1 bad coordinates, 1 without a place" in report.summary()


@pytest.mark.parametrize("value", ["", "nan", "NaN", "None", "null", "NULL", "<NA>", " NaN "])
def test_words_for_nothing_are_no_captions(folder, tmp_path, value):
    rows = [
        f"{NAMES[0]},a pier,harbour",
        f"{NAMES[1]},{value},forest",
        f"{NAMES[2]},{value},{value}",
    ]
    (folder / "t.csv").write_text("filename,caption,label\n" + "\n".join(rows))
    _, items = imported(folder / "t.csv", tmp_path)
    assert items["caption"].tolist() == ["a pier", "a satellite image of forest", ""]
    assert items["label"].tolist() == ["harbour", "forest", ""]


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, [], {}, b"x", np.array([])])
def test_cells_without_a_value(value):
    assert plain_value(value) is None
    assert plain_columns({"caption": value, "label": "a"}) == {"label": "a"}


def test_list_columns_of_parquet_are_kept_as_text(folder, tmp_path):
    table = pa.table(
        {
            "filename": NAMES,
            "captions": [["a pier", "a quay"], [], None, ["one"]],
            "bbox": [[1.0, 2.0]] * 4,
            "lat": LAT,
            "lon": LON,
        }
    )
    pq.write_table(table, folder / "t.parquet")
    for source, options in (
        (folder / "t.parquet", {}),
        (folder / "im0.png", {"geometa": folder / "t.parquet"}),
    ):
        report = import_source(source, tmp_path / source.suffix, **options)
        items = Catalogue.open(tmp_path / source.suffix).items().set_index("image")
        assert report.broken == []
        assert items.at["im0.png", "caption"] == "a pier"
        assert items.at["im0.png", "caption_2"] == "a quay"
        assert items.at["im0.png", "lon"] == 10
        assert json.loads(items.at["im0.png", "bbox"]) == [1.0, 2.0]


def geo(encoding="WKB", crs="absent", name="geometry", version="1.1.0"):
    column = {"encoding": encoding, "geometry_types": []}
    if crs != "absent":
        column["crs"] = crs
    value = {"version": version, "primary_column": name, "columns": {name: column}}
    return {b"geo": json.dumps(value).encode()}


UTM = CRS.from_epsg(32632)
X, Y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(LON, LAT)
POINTS, SQUARES = (
    shapely.points(LON, LAT),
    shapely.buffer(shapely.points(LON, LAT), 0.1, cap_style=3),
)
XY = [{"x": x, "y": y} for x, y in zip(LON, LAT, strict=True)]
GEOMETRIES = {
    "wkb points": (pa.array(shapely.to_wkb(POINTS)), geo()),
    "wkb squares": (pa.array(shapely.to_wkb(SQUARES)), geo(version="1.0.0")),
    "utm": (pa.array(shapely.to_wkb(shapely.points(X, Y))), geo(crs=UTM.to_json_dict())),
    "epsg 4326": (pa.array(shapely.to_wkb(POINTS)), geo(crs=CRS.from_epsg(4326).to_json_dict())),
    "no crs": (pa.array(shapely.to_wkb(POINTS)), geo(crs=None)),
    "native points": (pa.array(XY), geo("point")),
    "native list points": (
        pa.array([[p["x"], p["y"]] for p in XY], pa.list_(pa.float64(), 2)),
        geo("point"),
    ),
    "native polygons": (
        pa.array([[[{"x": x, "y": y} for x, y in s.exterior.coords]] for s in SQUARES]),
        geo("polygon"),
    ),
    "wkt without metadata": (pa.array(shapely.to_wkt(POINTS)), {}),
    "wkb without metadata": (pa.array(shapely.to_wkb(POINTS)), {}),
}


@pytest.mark.parametrize("form", list(GEOMETRIES))
@pytest.mark.parametrize("name", ["geometry", "geom"])
def test_geoparquet_gives_places(folder, tmp_path, form, name):
    cells, metadata = GEOMETRIES[form]
    metadata = {k: v.replace(b'"geometry"', f'"{name}"'.encode()) for k, v in metadata.items()}
    table = pa.table({"filename": NAMES, name: cells}).replace_schema_metadata(metadata)
    pq.write_table(table, folder / "t.parquet")
    report, items = imported(folder / "t.parquet", tmp_path)
    assert items["lon"].tolist() == pytest.approx(LON, abs=1e-6)
    assert items["lat"].tolist() == pytest.approx(LAT, abs=1e-6)
    assert report.unused == {}
    assert ("footprint" in items) == (form in ("wkb squares", "native polygons"))


@pytest.mark.parametrize("name", ["geometry", "WKT", "geom", "Geometry"])
def test_wkt_columns_of_csv(folder, tmp_path, name):
    rows = [f"{n},POINT ({x} {y})" for n, x, y in zip(NAMES, LON, LAT, strict=True)]
    rows[3] = f"{NAMES[3]},somewhere"
    (folder / "t.csv").write_text(f"filename,{name}\n" + "\n".join(rows))
    report, items = imported(folder / "t.csv", tmp_path)
    assert items["lon"].tolist()[:3] == LON[:3]
    assert "1 without a place" in report.summary()
    names = pq.read_schema(tmp_path / "cat" / "items.parquet").names
    assert [n for n in names if n.lower() == "geometry"] == ["geometry"]


def test_coordinates_come_before_geometry(folder, tmp_path):
    (folder / "t.csv").write_text("filename,lat,lon,geometry\nim0.png,50,10,POINT (1 2)\n")
    _, items = imported(folder / "t.csv", tmp_path)
    assert (items.at["im0.png", "lon"], items.at["im0.png", "lat"]) == (10, 50)


def test_columns_that_differ_by_case_are_told_apart(folder, tmp_path):
    text = 'filename,ID,id,Label,label,sp ace,"qu""ote",order\nim0.png,1,5,a,b,1,2,3\n'
    (folder / "t.csv").write_text(text)
    report, items = imported(folder / "t.csv", tmp_path)
    assert report.renamed == {"id": "id_2", "Label": "Label_2"}
    assert "column 'id' is now 'id_2'" in report.summary()
    catalogue = Catalogue.open(tmp_path / "cat")
    for where in (
        "ID = 1",
        "id_2 = 5",
        '"sp ace" = 1',
        '"qu""ote" = 2',
        '"order" = 3',
        "Label_2 = 'a'",
    ):
        assert catalogue.mask(Filter(sql=where)).sum() == 1, where
    assert items.at["im0.png", "label"] == "b"


def test_names_of_windows_and_macos_are_found(tmp_path):
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    for name in ("sub/im0.png", "sub/im1.png", "café.png", "im2.png", "x/A.png", "x/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png())
    names = [r"sub\im0.png", r"C:\data\sub\im1.png", unicodedata.normalize("NFD", "café.png")]
    names += ["IM2.PNG", "X/A.PNG", "gone.png"]
    (folder / "t.csv").write_text("filename\n" + "\n".join(names), encoding="utf-8")
    report, items = imported(folder / "t.csv", tmp_path)
    assert items.index.tolist() == names[:4]
    assert [b.reason for b in report.broken] == [
        "no image 'X/A.PNG' beside the table",
        "no image 'gone.png' beside the table",
    ]


def test_rows_without_a_name_are_listed(folder, tmp_path):
    names = [None, "im0.png", "", "im1.png"]
    table = pa.table({"filename": names, "caption": ["a", "b", "c", None]})
    pq.write_table(table, folder / "t.parquet")
    report, items = imported(folder / "t.parquet", tmp_path)
    assert items["caption"].to_dict() == {"im0.png": "b", "im1.png": ""}
    assert [b.reason for b in report.broken] == ["it names no image"] * 2
    metadata = pa.table({"filename": [None, "im2.png"], "lat": [9.0, 1.0], "lon": [9.0, 2.0]})
    pq.write_table(metadata, tmp_path / "geo.parquet")
    (folder / "t.parquet").unlink()
    _, items = imported(folder, tmp_path, geometa=tmp_path / "geo.parquet", name="other")
    assert items["lat"].dropna().to_dict() == {"im2.png": 1.0}


def shard(path, members):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_keys_with_dots_keep_captions_and_places(tmp_path):
    members = []
    for n, key in enumerate(["48.8566_2.3522", "48.8570_2.3530", "-33.4_151.2"]):
        place = json.dumps({"lat": n + 1, "lon": n + 2, "caption": None}).encode()
        members += [(f"{key}.png", png()), (f"{key}.txt", b"words"), (f"{key}.json", place)]
    shard(tmp_path / "k-0000.tar", members)
    report, items = imported(tmp_path / "k-0000.tar", tmp_path)
    assert report.kinds == {"shards": 3}
    assert items["caption"].tolist() == ["words"] * 3
    assert items["lat"].tolist() == [1, 2, 3]


def test_masks_stay_with_their_image(tmp_path):
    members = [("a.png", png()), ("a.seg.png", png()), ("a.txt", b"one")]
    shard(tmp_path / "m-0000.tar", [*members, ("b.png", png()), ("b.txt", b"null")])
    report, items = imported(tmp_path / "m-0000.tar", tmp_path)
    assert (report.added, items["caption"].tolist()) == (2, ["one", ""])


def test_member_names_in_latin_1(tmp_path):
    with tarfile.open(
        tmp_path / "l.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as tar:
        for name in ("für/Zürich.png", "für/Bern.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png())
            tar.addfile(info, io.BytesIO(png()))
    report, items = imported(tmp_path / "l.tar", tmp_path)
    assert report.added == 2
    assert "l.tar#für/Zürich.png" in items.index


def test_file_names_that_are_no_utf_8_are_listed(folder, tmp_path):
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(png())
    report, _ = imported(folder, tmp_path)
    assert report.added == 4
    assert [b.reason for b in report.broken] == ["its name is no UTF-8; rename it"]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["t.csv", "t.tsv"]))
def test_any_bytes_are_a_table_of_queries_or_one_line(tmp_path_factory, data, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(b"id,query\n" + data)
    message = ""
    try:
        read_queries(path)
    except (SourceError, QueryError, TerraSeekError) as error:
        message = str(error)
    assert "\n" not in message.strip()
