"""Tables as R, Excel, pandas and PostGIS write them, and rows that do not fit their header."""

import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image

from terraseek.catalogue import Catalogue, ImportReport, import_source
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.catalogue.metadata.location import parse_degrees
from terraseek.errors import SourceError, UnknownSourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(4):
        Image.new("RGB", (32, 32), (60 * number, 10, 10)).save(tmp_path / "in" / f"im{number}.png")
    return tmp_path / "in"


def imported(
    folder: Path, table: str | bytes | pa.Table, name: str = "t.csv"
) -> tuple[ImportReport, pd.DataFrame]:
    """Report and items, by image, of the import of a table."""
    path = folder / name
    if isinstance(table, pa.Table):
        pq.write_table(table, path)
    else:
        path.write_bytes(table.encode() if isinstance(table, str) else table)
    report = import_source(path, folder.parent / "cat")
    return report, Catalogue.open(folder.parent / "cat").items().set_index("image")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_line_in_which_excel_names_the_separator(folder: Path, separator: str) -> None:
    rows = [["filename", "lat", "lon"], ["im0.png", "1.5", "2.5"]]
    lines = [f"sep={separator}", *(separator.join(row) for row in rows)]
    _, items = imported(folder, "\r\n".join(lines) + "\r\n")
    assert items.loc["im0.png", ["lat", "lon"]].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("end", [",", ",,", ", "])
def test_rows_with_empty_cells_at_their_end_are_not_shifted(folder: Path, end: str) -> None:
    _, items = imported(folder, f"filename,lat,lon\nim0.png,1,2{end}\nim1.png,3,4{end}\n")
    assert items[["lat", "lon"]].to_numpy().tolist() == [[1, 2], [3, 4]]


def test_names_of_rows_as_r_writes_them(folder: Path) -> None:
    text = '"filename","lat","lon"\n"1","im0.png",1,2\n"2","im1.png",3,4\n'
    _, items = imported(folder, text)
    assert items[["lat", "lon"]].to_numpy().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("rows", ["im0.png,1,2,3\n", "im0.png,1,2\nim1.png,3,4,5\n"])
def test_a_row_with_more_cells_than_the_header_is_one_line(folder: Path, rows: str) -> None:
    with pytest.raises(SourceError, match=r"3 columns, and 4 cells|Expected 3 fields") as caught:
        imported(folder, f"filename,lat,lon\n{rows}")
    assert "\n" not in str(caught.value)


def test_numbers_of_a_table_without_a_header_are_no_captions(folder: Path) -> None:
    _, items = imported(folder, "im0.png,1,2\nim1.png,3,4\n")
    assert items["caption"].tolist() == ["", ""]
    _, items = imported(folder, "im2.png,a pier,2\n", "u.csv")
    assert items.loc["im2.png", "caption"] == "a pier"


@pytest.mark.parametrize("byte_order", ["be", "le"])
def test_utf_16_without_a_mark_is_named(folder: Path, byte_order: str) -> None:
    text = "filename\tlat\tlon\tcaption\r\nim0.png\t1\t2\tgrün\r\n"
    with pytest.raises(SourceError, match="perhaps UTF-16"):
        imported(folder, text.encode(f"utf-16-{byte_order}"))


def test_columns_that_were_the_index_of_a_frame_are_read(folder: Path) -> None:
    frame = pd.DataFrame({"lat": [1.0], "lon": [2.0]}, index=pd.Index(["im0.png"], name="filename"))
    frame.to_parquet(folder / "t.parquet")
    _, items = imported(folder, (folder / "t.parquet").read_bytes(), "t.parquet")
    assert items.loc["im0.png", ["lat", "lon"]].tolist() == [1, 2]
    frame = pd.DataFrame({"filename": ["im1.png"]}, index=pd.Index([7]))
    frame.to_parquet(folder / "u.parquet")
    _, items = imported(folder, (folder / "u.parquet").read_bytes(), "u.parquet")
    assert not [name for name in items.columns if "index" in name]


def test_the_first_of_two_columns_with_one_name_counts(folder: Path) -> None:
    cells = [pa.array(["im0.png"]), pa.array([1.0]), pa.array([2.0]), pa.array([9.0])]
    table = pa.Table.from_arrays(cells, names=["filename", "lat", "lon", "lat"])
    _, items = imported(folder, table, "t.parquet")
    assert items.loc["im0.png", ["lat", "lon", "lat.1"]].tolist() == [1, 2, 9]


POINT = shapely.Point(10, 50)
GEOMETRIES = {
    "wkb": shapely.to_wkb(POINT, hex=True),
    "ewkb": shapely.to_wkb(shapely.set_srid(POINT, 4326), hex=True, include_srid=True),
    "ewkb in metres": shapely.to_wkb(
        shapely.set_srid(shapely.Point(1113194.9079327357, 6446275.841017158), 3857),
        hex=True,
        include_srid=True,
    ),
    "ewkt": "SRID=4326;POINT (10 50)",
    "ewkt in metres": "SRID=3857;POINT (1113194.9079327357 6446275.841017158)",
    "lower case": shapely.to_wkb(POINT, hex=True).lower(),
    "geojson": '{""type"": ""Point"", ""coordinates"": [10, 50]}',
    "3d": "POINT Z (10 50 300)",
}


@pytest.mark.parametrize("form", GEOMETRIES)
def test_geometries_as_postgis_and_gis_write_them(folder: Path, form: str) -> None:
    _, items = imported(folder, f'filename,geometry\nim0.png,"{GEOMETRIES[form]}"\n')
    assert items.loc["im0.png", ["lon", "lat"]].tolist() == pytest.approx([10, 50], abs=1e-6)


@pytest.mark.parametrize("text", ["somewhere", "SRID=999999;POINT (1 2)", '{""type"": 3}', "0101"])
def test_geometries_that_are_none_are_counted(folder: Path, text: str) -> None:
    report, items = imported(folder, f'filename,geometry\nim0.png,"{text}"\nim1.png,\n')
    assert items["lon"].isna().all()
    assert report.unused == {"geometry that is no WKT, WKB or GeoJSON": 1}


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1609459200", "2021-01-01T00:00:00Z"),
        ("1609459200000", "2021-01-01T00:00:00Z"),
        ("1609459200.0", "2021-01-01T00:00:00Z"),
        ("31 Dec 2020", "2020-12-31"),
        ("December 31, 2020", "2020-12-31"),
        ("12/31/2020", "2020-12-31"),
        ("31/12/2020", "2020-12-31"),
        ("05/05/2020", "2020-05-05"),
        ("03/04/2020", ""),
        ("31/31/2020", ""),
        ("2020-13-45", ""),
    ],
)
def test_dates_as_people_write_them(text: str, date: str) -> None:
    assert iso_date(text) == date


def test_dates_that_cannot_be_read_are_counted(folder: Path) -> None:
    report, items = imported(folder, "filename,date\nim0.png,03/04/2020\nim1.png,\nim2.png,soon\n")
    assert items["captured_at"].tolist() == ["", "", ""]
    assert list(report.unused.values()) == [2]
    assert "date that cannot be read" in report.summary()


def test_times_of_parquet_tables(folder: Path) -> None:
    when = pa.array([datetime.datetime(2020, 1, 2, 3, 4)], pa.timestamp("ns", tz="UTC"))
    table = pa.table({"filename": ["im0.png"], "datetime": when})
    _, items = imported(folder, table, "t.parquet")
    assert items.loc["im0.png", "captured_at"] == "2020-01-02T03:04:00Z"


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("S 33.4", -33.4), ("48°51.4' N", 48.856667), ("\N{MINUS SIGN}33.4", -33.4), ("w12,5", -12.5)],
)
def test_more_degrees_as_people_write_them(text: str, degrees: float) -> None:
    assert parse_degrees(text) == pytest.approx(degrees, abs=1e-6)


def test_two_letters_are_no_degrees() -> None:
    assert parse_degrees("N 48 S") is None


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.xlsx", "workbook"),
        ("a.csv.gz", "compressed"),
        ("a.jsonl", "JSON lines"),
        ("a.geojson", "vector file"),
        ("a.txt", "suffix .csv"),
        ("a.nc", "array or record"),
        ("a.json", "JSON of another layout"),
    ],
)
def test_a_file_that_no_reader_reads_is_said_to_be_what_it_is(
    folder: Path, name: str, what: str
) -> None:
    (folder / name).write_text("{}")
    with pytest.raises(UnknownSourceError, match=what):
        import_source(folder / name, folder.parent / "cat")
