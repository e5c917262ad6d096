"""RS5M's tables in the spelling of its released scripts, joined to images, alone and together."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.image_names import canonical_name
from terraseek.catalogue.importing.readers.metadata import is_metadata
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import CatalogueError
from terraseek.search import Query, Searcher

FMOW = (
    "img_name,geometa_cap,country,month,latitude,longitude,utm\n"
    'fmow_port_7_rgb.jpg,"above Cotonou, Benin in Summer, port at the center and top-left blocks. '
    "the ground sample distance is 0.52m. the utm zone 31N and the timestamp 10 o'clock, July 12, "
    '2016. 3% cloud cover, scanned forward, target azimuth: 112.50° and off-nadir: 21.00°.",'
    "Benin,July,6.36,2.43,31N\n"
)
BEN = (
    "img_name,geometa_cap,country,month,utm\n"
    "489390,\"in Summer, 'pastures, mixed forest' in utm zone 29N, "
    "dated 11 o'clock, July 3, 2017.\""
    ",,July,29N\n"
)
YFCC = (
    "img_name,text,url,download_status,meta_caption,country,month,longitude,latitude\n"
    "yfcc15m_0_7,from the plane,http://x/1.jpg,True,\"above Lima, Peru in Summer, at 15 o'clock, "
    'July 4, 2012.",Peru,July,-77.03,-12.04\n'
    "yfcc15m_0_8,another,http://x/2.jpg,True,a place in Peru,Peru,,,\n"
)
CC3M = (
    "img_name,text,url,download_status,meta_caption,country,month\n"
    'cc3m_0_1,aerial view of the sea,http://x/3.jpg,True,"an aerial photo of beach, sea, park",,\n'
)
REDCAPS = (
    "img_name,text,url,download_status,meta_caption,country,month\n"
    'redcaps_0_1,my town,http://x/4.jpg,True,"posted in Winter, on January 5, 2019.",,January\n'
)
NER = (
    "img_name,text,entity\n"
    "laion2b_0_0,aerial view of Reykjavík,\"['Reykjavík']\"\n"
    "laion2b_0_1,Paris from above,\"['Paris']\"\n"
    "laion2b_0_2,\"Paris, France\",\"['Paris', 'France']\"\n"
    "yfcc15m_0_7,from the plane,\"['Cusco']\"\n"
    "coyo700m_0_3,a field,[]\n"
)
PUB11 = (
    "img_name,text,url,download_status,meta_caption,country,month\n"
    "laion2b_0_0,aerial view of Reykjavík,http://x/5.jpg,True,,,\n"
    "laion2b_0_1,Paris from above,http://x/6.jpg,True,,,\n"
)
RS3 = (
    "img_name,subset_name,country,month,utm,latitude,longitude,meta_caption,top_cap,ssl_cap\n"
    "fmow_port_7_rgb.jpg,fmow,Benin,July,31N,6.36,2.43,,a busy port,a port with ships\n"
    "ben_489390.jpg,ben,,July,29N,,,,green hills,green fields\n"
    "millionaid_P0000001.jpg,millionaid,,,,,,,a road,a road in a forest\n"
)
INTERMEDIATE = "laion2b_0_0,aerial view of Reykjavík\nlaion2b_0_1,Paris from above\n"
MERGED = (
    "img_name,text_x,url,text_y,download_status\n"
    "laion2b_0_0,,http://x/5.jpg,aerial view of Reykjavík,True\n"
    "laion2b_0_1,Paris from above,http://x/6.jpg,Paris,True\n"
)
IMAGES = (
    "fmow_port_7_rgb.jpg",
    "ben_489390.jpg",
    "millionaid_P0000001.jpg",
    "yfcc15m_0_7.jpg",
    "yfcc15m_0_8.jpg",
    "cc3m_0_1.jpg",
    "redcaps_0_1.jpg",
    "laion2b_0_0.jpg",
    "laion2b_0_1.jpg",
    "laion2b_0_2.jpg",
    "coyo700m_0_3.jpg",
)
TABLES = {
    "fmow_geometa_train_coord": FMOW,
    "ben_geometa_train_coord": BEN,
    "yfcc14m_geometa_coord": YFCC,
    "cc3m_geometa": CC3M,
    "redcaps_geometa": REDCAPS,
    "pub11_NER_geolocation_info": NER,
    "pub11_train_metadata": PUB11,
    "RS5M_rs3_label": RS3,
    "pub11_train_intermediate": INTERMEDIATE,
    "RS5M_pub11_train": MERGED,
}
EXPECTED = {
    "fmow_port_7_rgb.jpg": {
        "month": 7,
        "country": "Benin",
        "location_precision": "point",
        "lon": 2.43,
        "captured_at": "2016-07-12T10:00:00Z",
        "gsd_m": 0.52,
        "label": "port",
    },
    "ben_489390.jpg": {
        "month": 7,
        "location_precision": "utm_zone",
        "utm": "29N",
        "utm_kind": "hemisphere",
        "season": "Summer",
        "label": "pastures, mixed forest",
    },
    "yfcc15m_0_7.jpg": {
        "month": 7,
        "place": "Lima",
        "country": "Peru",
        "location_precision": "point",
        "lat": -12.04,
        "season": "Summer",
        "captured_at": "2012-07-04T15:00:00Z",
        "caption": "from the plane",
    },
    "yfcc15m_0_8.jpg": {"country": "Peru", "location_precision": "place_name"},
    "cc3m_0_1.jpg": {"geometa_cap": "an aerial photo of beach, sea, park", "label": None},
    "redcaps_0_1.jpg": {"month": 1, "season": "Winter", "captured_at": "2019-01-05"},
    "laion2b_0_0.jpg": {
        "place": "Reykjavík",
        "country": "Iceland",
        "location_precision": "place_name",
        "caption": "aerial view of Reykjavík",
    },
    "laion2b_0_1.jpg": {
        "place": "Paris",
        "country": None,
        "lon": None,
        "location_precision": "place_name",
        "caption": "Paris from above",
    },
    "laion2b_0_2.jpg": {"country": "France", "location_precision": "place_name"},
    "millionaid_P0000001.jpg": {"subset_name": "millionaid", "caption": "a road in a forest"},
}


def write_tables(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.csv").write_text(TABLES[name], encoding="utf-8")
    return [folder / f"{name}.csv" for name in names]


def images(folder: Path) -> Path:
    folder.mkdir()
    for seed, name in enumerate(IMAGES):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def items_by_name(catalogue: Path) -> dict[str, dict]:
    opened = Catalogue.open(catalogue)
    ids = opened.items(["item_id"])["item_id"]
    return {item["img_name"]: item for item in map(opened.item, ids)}


def check(found: dict, expected: dict) -> None:
    known = {name: found.get(name) for name in expected}
    assert known == expected, json.dumps(found, indent=1)


NAMES_IN = {
    "fmow_geometa_train_coord": ["fmow_port_7_rgb.jpg"],
    "ben_geometa_train_coord": ["ben_489390.jpg"],
    "yfcc14m_geometa_coord": ["yfcc15m_0_7.jpg", "yfcc15m_0_8.jpg"],
    "cc3m_geometa": ["cc3m_0_1.jpg"],
    "redcaps_geometa": ["redcaps_0_1.jpg"],
    "pub11_NER_geolocation_info": ["laion2b_0_0.jpg", "laion2b_0_1.jpg", "laion2b_0_2.jpg"],
    "RS5M_rs3_label": ["millionaid_P0000001.jpg"],
}


@pytest.mark.parametrize("table", NAMES_IN)
def test_each_table_joined_alone(tmp_path: Path, table: str):
    paths = write_tables(tmp_path / "tables", table)
    report = import_source(images(tmp_path / "pics"), tmp_path / "cat", geometa=paths)
    assert report.geometa_unused == 0
    items = items_by_name(tmp_path / "cat")
    for name in NAMES_IN[table]:
        check(items[name], EXPECTED[name])


@pytest.mark.parametrize("table", ["pub11_train_intermediate", "RS5M_pub11_train"])
def test_captions_of_tables_without_a_header_and_of_merged_columns(tmp_path: Path, table: str):
    paths = write_tables(tmp_path / "tables", table)
    report = import_source(images(tmp_path / "pics"), tmp_path / "cat", geometa=paths)
    assert report.geometa_unused == 0
    items = items_by_name(tmp_path / "cat")
    assert items["laion2b_0_0.jpg"]["caption"] == "aerial view of Reykjavík"
    assert items["laion2b_0_1.jpg"]["caption"] == "Paris from above"


def test_all_tables_joined_together(tmp_path: Path):
    paths = write_tables(tmp_path / "tables", *TABLES)
    report = import_source(images(tmp_path / "pics"), tmp_path / "cat", geometa=paths)
    assert (report.geometa_missing, report.geometa_unused, report.geometa_duplicates) == (0, 0, 0)
    items = items_by_name(tmp_path / "cat")
    for name, expected in EXPECTED.items():
        check(items[name], expected)
    # the coordinates of YFCC outrank the entity of its caption
    assert json.loads(json.dumps(items["yfcc15m_0_7.jpg"]["entity"])) == "['Cusco']"


def test_the_precision_of_coordinates_is_that_of_their_own_table(tmp_path: Path):
    (fmow,) = write_tables(tmp_path / "tables", "fmow_geometa_train_coord")
    own = tmp_path / "tables" / "own.csv"
    own.write_text("img_name,latitude,longitude\nben_489390.jpg,38.5,-8.1\n")
    joined = Geometa.read(fmow, own)
    assert joined.find("fmow_port_7_rgb.jpg")["location_precision"] == "point"
    assert joined.find("ben_489390.jpg")["location_precision"] == "exact"
    import_source(images(tmp_path / "pics"), tmp_path / "cat", geometa=[fmow, own])
    items = items_by_name(tmp_path / "cat")
    assert items["fmow_port_7_rgb.jpg"]["location_precision"] == "point"
    assert items["ben_489390.jpg"]["location_precision"] == "exact"


def test_rows_of_two_tables_complete_each_other_but_a_place_is_taken_whole(tmp_path: Path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("img_name,latitude,longitude\na.jpg,1.5,2.5\nb.jpg,,\n")
    two.write_text(
        "img_name,geometa_cap,country,latitude,longitude\na.jpg,,Togo,9,9\nb.jpg,,Mali,7,8\n"
    )
    joined = Geometa.read(one, two)
    assert joined.find("a.jpg") == {
        "lat": "1.5",
        "lon": "2.5",
        "location_precision": "exact",
        "country": "Togo",
    }
    assert joined.find("b.jpg")["lat"] == "7"
    assert joined.find("b.jpg")["location_precision"] == "point"


def test_a_month_that_is_none_is_reported(tmp_path: Path):
    folder = tmp_path / "pics"
    images(folder)
    (tmp_path / "g.csv").write_text(
        "img_name,month\nben_489390.jpg,Juli\ncc3m_0_1.jpg,Sep\nredcaps_0_1.jpg,12.0\n"
        "laion2b_0_0.jpg,13\n"
    )
    report = import_source(folder, tmp_path / "cat", geometa=tmp_path / "g.csv")
    items = items_by_name(tmp_path / "cat")
    months = [items[n].get("month") for n in ("ben_489390.jpg", "cc3m_0_1.jpg", "redcaps_0_1.jpg")]
    assert months == [None, 9, 12]
    assert report.unused == {"month that is neither a number nor a name": 2}


def shard(path: Path, names: list[str], captions: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as out:
        for key, name in enumerate(names):
            pixels = np.random.default_rng(key).integers(0, 256, (8, 8, 3), np.uint8)
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, "png")
            caption = (captions or {}).get(name, "")
            for extension, value in (
                ("img_content", data.getvalue()),
                ("img_name", name.encode()),
                ("caption", caption.encode()),
            ):
                info = tarfile.TarInfo(f"{key:06d}.{extension}")
                info.size = len(value)
                out.addfile(info, io.BytesIO(value))
    return path


ALONE = {
    "fmow_geometa_train_coord": {"fmow_port_7_rgb.jpg": EXPECTED["fmow_port_7_rgb.jpg"]},
    "ben_geometa_train_coord": {"489390": EXPECTED["ben_489390.jpg"]},
    "yfcc14m_geometa_coord": {
        "yfcc15m_0_7": EXPECTED["yfcc15m_0_7.jpg"],
        "yfcc15m_0_8": EXPECTED["yfcc15m_0_8.jpg"],
    },
    "cc3m_geometa": {"cc3m_0_1": EXPECTED["cc3m_0_1.jpg"]},
    "redcaps_geometa": {"redcaps_0_1": EXPECTED["redcaps_0_1.jpg"]},
    "pub11_NER_geolocation_info": {
        "laion2b_0_0": EXPECTED["laion2b_0_0.jpg"],
        "laion2b_0_1": EXPECTED["laion2b_0_1.jpg"],
        "laion2b_0_2": EXPECTED["laion2b_0_2.jpg"],
    },
    "pub11_train_metadata": {"laion2b_0_1": {"caption": "Paris from above", "place": None}},
    "RS5M_rs3_label": {"millionaid_P0000001.jpg": EXPECTED["millionaid_P0000001.jpg"]},
    "pub11_train_intermediate": {
        "laion2b_0_0": {"caption": "aerial view of Reykjavík"},
        "laion2b_0_1": {"caption": "Paris from above"},
    },
    "RS5M_pub11_train": {
        "laion2b_0_0": {"caption": "aerial view of Reykjavík"},
        "laion2b_0_1": {"caption": "Paris from above"},
    },
}


@pytest.mark.parametrize("table", ALONE)
def test_each_table_alone_makes_items_without_images(tmp_path: Path, table: str):
    (path,) = write_tables(tmp_path / "tables", table)
    report = import_source(path, tmp_path / "cat")
    items = items_by_name(tmp_path / "cat")
    rows = TABLES[table].count("\n") - (0 if "intermediate" in table else 1)
    assert (report.kinds, report.added, len(items)) == ({"metadata": rows}, rows, rows)
    for name, expected in ALONE[table].items():
        check(items[name], expected)
    with pytest.raises(CatalogueError, match="has no image"):
        Catalogue.open(tmp_path / "cat").image_ref(items[next(iter(ALONE[table]))]["item_id"])
    again = import_source(path, tmp_path / "cat")
    assert (again.added, again.skipped) == (0, rows)


def test_tables_imported_one_after_the_other_complete_the_same_items(tmp_path: Path):
    paths = write_tables(tmp_path / "tables", *TABLES)
    together = tmp_path / "joined"
    import_source(images(tmp_path / "pics"), together, geometa=paths)
    reports = [import_source(path, tmp_path / "cat") for path in paths]
    found = {canonical_name(n): item for n, item in items_by_name(tmp_path / "cat").items()}
    for name, expected in EXPECTED.items():
        check(found[canonical_name(name)], expected)
    assert len(found) == len(IMAGES)
    assert sum(report.added for report in reports) == len(IMAGES)
    # fMoW and BigEarthNet of RS3's labels, YFCC and two of PUB11 in later tables
    assert [report.completed > 0 for report in reports[-4:]] == [True, True, False, False]


def test_shards_attach_the_images_of_metadata(tmp_path: Path):
    fmow, ben, ner = write_tables(
        tmp_path / "tables",
        "fmow_geometa_train_coord",
        "ben_geometa_train_coord",
        "pub11_NER_geolocation_info",
    )
    for path in (fmow, ben, ner):
        import_source(path, tmp_path / "cat")
    before = {canonical_name(n): i for n, i in items_by_name(tmp_path / "cat").items()}
    names = ["ben_489390.jpg", "fmow_port_7_rgb.jpg", "laion2b_0_1.jpg", "millionaid_P1.jpg"]
    said = f"{before['port_7_rgb']['geometa_cap']} a port with two ships"
    tar = shard(tmp_path / "in" / "rs3-train-0000.tar", names, {names[1]: said, names[2]: "other"})
    report = import_source(tar, tmp_path / "cat")
    assert (report.added, report.attached, report.skipped) == (1, 3, 3)
    catalogue = Catalogue.open(tmp_path / "cat")
    after = {canonical_name(n): i for n, i in items_by_name(tmp_path / "cat").items()}
    for name in ("489390", "port_7_rgb", "laion2b_0_1"):
        item = after[name]
        assert item["item_id"] == before[name]["item_id"]
        assert (item["width"], item["height"]) == (8, 8)
        assert catalogue.read_image(item["item_id"]).shape == (8, 8, 3)
        assert item["image"].startswith("rs3-train-0000.tar#")
    # a caption composed of metadata gives way, one of the source stays
    assert after["port_7_rgb"]["caption"] == said
    assert after["port_7_rgb"]["sentence"] == "a port with two ships"
    assert after["laion2b_0_1"]["caption"] == "Paris from above"
    check(after["port_7_rgb"], EXPECTED["fmow_port_7_rgb.jpg"])
    again = import_source(tar, tmp_path / "cat")
    assert (again.added, again.attached, again.skipped) == (0, 0, 4)


def test_metadata_after_the_shards_completes_their_items(tmp_path: Path):
    tar = shard(tmp_path / "in" / "rs3-train-0000.tar", ["ben_489390.jpg", "fmow_port_7_rgb.jpg"])
    import_source(tar, tmp_path / "cat")
    (fmow,) = write_tables(tmp_path / "tables", "fmow_geometa_train_coord")
    report = import_source(fmow, tmp_path / "cat")
    assert (report.added, report.completed) == (0, 1)
    items = items_by_name(tmp_path / "cat")
    check(items["fmow_port_7_rgb.jpg"], EXPECTED["fmow_port_7_rgb.jpg"])
    assert items["fmow_port_7_rgb.jpg"]["width"] == 8
    assert items["ben_489390.jpg"].get("country") is None


def test_items_without_images_are_counted_filtered_and_found_by_caption(tmp_path: Path):
    paths = write_tables(tmp_path / "tables", "fmow_geometa_train_coord", "RS5M_rs3_label")
    for path in paths:
        import_source(path, tmp_path / "cat")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert len(catalogue.points().row) == 1
    assert catalogue.mask(Filter(sql="country = 'Benin' AND month = 7")).sum() == 1
    encoder = FakeEncoder()
    store = embed_catalogue(catalogue, encoder)
    assert (store.manifest.captioned, store.manifest.unreadable) == (3, 3)
    query = Query(text="a road in a forest", alpha=0.5)
    (best, *_) = Searcher(catalogue, encoder).search(query, 3).hits
    assert best.caption == "a road in a forest"
    assert best.image_score is None


def test_a_table_beside_its_images_is_no_metadata(tmp_path: Path):
    folder = images(tmp_path / "pics")
    (folder / "fmow.csv").write_text(FMOW, encoding="utf-8")
    assert import_source(folder / "fmow.csv", tmp_path / "cat").kinds == {"table": 1}
    (tmp_path / "fmow.csv").write_text(FMOW, encoding="utf-8")
    assert not is_metadata(folder / "fmow.csv")
    assert is_metadata(tmp_path / "fmow.csv")
    report = import_source(tmp_path / "fmow.csv", tmp_path / "cat2", images=folder)
    assert report.kinds == {"table": 1}
