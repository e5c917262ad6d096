"""Pickled frames, STAC, clip-retrieval, Major TOM, and spellings of names in RS5M's tables."""

import csv
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.importing.pickled.frame import read_pickled_frame
from terraseek.errors import CatalogueError, MissingColumnError, SourceError


def images(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


class Evil:
    def __reduce__(self):
        return (os.system, ("echo owned",))


class TestPickles:
    frames = (
        pd.DataFrame({"img_name": ["a.png", "b.png"], "n": [1, 2], "x": [0.5, None]}),
        pd.DataFrame(
            {"o": pd.Series(["é", None], dtype=object), "t": pd.to_datetime(["2017"] * 2)}
        ),
        pd.DataFrame({"i": [1]}, index=[7]),
    )

    @pytest.mark.parametrize("frame", frames)
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_frames_come_back(self, tmp_path, frame, protocol):
        path = tmp_path / "frame.pkl"
        path.write_bytes(pickle.dumps(frame, protocol))
        pd.testing.assert_frame_equal(read_pickled_frame(path), frame)

    @pytest.mark.parametrize("value", [Evil(), {"a": Evil()}, eval, Path("x")])
    def test_anything_but_a_table_is_refused_before_it_runs(self, tmp_path, value):
        path = tmp_path / "evil.pkl"
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(SourceError, match=r"is refused: it uses .* for CSV or Parquet"):
            read_pickled_frame(path)

    def test_a_list_is_no_table(self, tmp_path):
        path = tmp_path / "list.pkl"
        path.write_bytes(pickle.dumps([1, 2]))
        with pytest.raises(SourceError, match="contains a list, not a pandas table"):
            read_pickled_frame(path)

    @given(st.binary(max_size=60), st.integers(0, 400))
    @settings(max_examples=60, deadline=None)
    def test_damaged_bytes_are_refused(self, tmp_path_factory, noise, cut):
        path = tmp_path_factory.mktemp("pickles") / "cut.pkl"
        for data in (noise, pickle.dumps(self.frames[0])[:cut]):
            path.write_bytes(data)
            with pytest.raises(SourceError):
                read_pickled_frame(path)

    def test_a_pickled_frame_is_a_table_of_metadata(self, tmp_path):
        source = images(tmp_path / "pics", ["fmow_a_rgb.png"])
        table = pd.DataFrame({"img_name": ["fmow_a_rgb.png"], "country": ["Kenya"]})
        table.to_pickle(tmp_path / "RS5M_rs3_label.pkl")
        import_source(source, tmp_path / "cat", geometa=tmp_path / "RS5M_rs3_label.pkl")
        assert Catalogue.open(tmp_path / "cat").items()["country"].tolist() == ["Kenya"]


def test_all_spellings_of_names_in_rs5m_tables_are_matched(tmp_path):
    names = ["ben_12.png", "fmow_port_1_rgb.png", "yfcc_7.png"]
    source = images(tmp_path / "pics", names)
    ben, fmow, yfcc = (tmp_path / f"{n}_geometa.csv" for n in ("ben", "fmow", "yfcc"))
    said = "in Summer, utm zone 29N, 11 o'clock, July 3, 2017."
    ben.write_text(f'img_name,geometa_cap,country,month,utm\n12,"{said}",,7,29N\n')
    fmow.write_text(
        "img_name,geometa_cap,country,month,latitude,longitude,utm\n"
        "port_1_rgb.png,,Benin,11,6.36,2.43,31N\n"
    )
    yfcc.write_text("img_name,country,longitude,latitude\nyfcc_7.jpg,Peru,-77.0,-12.0\n")
    report = import_source(source, tmp_path / "cat", geometa=[ben, fmow, yfcc])
    assert (report.geometa_missing, report.geometa_unused) == (0, 0)
    items = Catalogue.open(tmp_path / "cat").items().set_index("img_name")
    assert items["location_precision"].tolist() == ["utm_zone", "point", "point"]
    # the same letter means the northern hemisphere here, the latitude band at the equator there
    assert items["utm_kind"].tolist()[:2] == ["hemisphere", "band"]
    assert items.loc["ben_12.png", "captured_at"] == "2017-07-03T11:00:00Z"


def test_intermediate_rs5m_tables_are_read_by_column_position(tmp_path):
    images(tmp_path, ["one.png", "two.png"])
    (tmp_path / "val_intermediate.csv").write_text("a,b\none.png,a port\ntwo.png,a field\n")
    import_source(tmp_path / "val_intermediate.csv", tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["caption"].tolist() == ["a port", "a field"]
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MissingColumnError):
        import_source(tmp_path / "numbers.csv", tmp_path / "cat2")


def test_unusable_members_are_listed_in_a_file(tmp_path):
    source = images(tmp_path / "pics", ["good.png", "bad.png"])
    (source / "bad.png").write_bytes(b"no picture")
    report = import_source(source, tmp_path / "cat")
    with open(report.broken_file, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["member"] for row in rows] == ["bad.png"]
    assert "not an image" in rows[0]["reason"]
    images(source, ["good.png", "bad.png"])
    again = import_source(source, tmp_path / "cat")
    assert (again.added, again.broken_file) == (1, "")
    assert not Path(report.broken_file).exists()


def stac(key: str, href: str, **changes: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": key,
        "bbox": [10.0, 50.0, 11.0, 52.0],
        "geometry": {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 52], [10, 50]]]},
        "properties": {"datetime": "2020-05-01T10:00:00Z", "gsd": 10, "eo:cloud_cover": 3.5},
        "assets": {
            "meta": {"href": "meta.xml", "type": "application/xml"},
            "visual": {"href": href, "type": "image/png"},
        },
        **changes,
    }


def test_stac_items_become_items(tmp_path):
    folder = images(tmp_path / "stac", ["one.png"])
    box = [179.0, -1.0, -179.0, 1.0]
    pacific = stac("two", "https://example.org/two.tif", bbox=box, geometry=None)
    (folder / "one.json").write_text(json.dumps(stac("one", "./one.png")))
    (folder / "more.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": [pacific, {"type": "Feature"}]})
    )
    (folder / "lost.json").write_text(json.dumps(stac("lost", "gone.png")))
    (folder / "torn.json").write_text('{"stac_version": ')
    report = import_source(folder, tmp_path / "cat")
    assert (report.added, report.kinds) == (2, {"stac": 2})
    assert sorted(b.member for b in report.broken) == [
        "lost.json", "more.json features[1]", "torn.json",
    ]  # fmt: skip
    catalogue = Catalogue.open(tmp_path / "cat")
    items = catalogue.items().set_index("img_name")
    one, two = items.loc["one"], items.loc["two"]
    assert (one["lon"], one["lat"], one["gsd_m"], one["cloud_percent"]) == (10.5, 51.0, 10.0, 3.5)
    assert (one["captured_at"], one["location_precision"]) == ("2020-05-01T10:00:00Z", "exact")
    assert abs(two["lon"]) == 180.0
    assert catalogue.read_image(one["item_id"]).shape == (8, 8, 3)
    with pytest.raises(CatalogueError, match="has no image: its source"):
        catalogue.image_bytes(two["item_id"])


def test_a_clip_retrieval_folder_becomes_items(tmp_path):
    folder = tmp_path / "clips"
    for part in (0, 1, 10):
        for kind in ("metadata", "img_emb"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        names = [f"p{part}_{i}.png" for i in range(2)]
        images(folder, names[:1])
        frame = pd.DataFrame({"image_path": names, "caption": ["a", "b"], "url": ["", "http://u"]})
        frame.to_parquet(folder / f"metadata/metadata_{part}.parquet")
        np.save(folder / f"img_emb/img_emb_{part}.npy", np.eye(2, 4, dtype=np.float16))
    np.save(folder / "img_emb/img_emb_10.npy", np.eye(3, 4, dtype=np.float16))
    report = import_source(folder, tmp_path / "cat")
    assert (report.added, len(report.broken)) == (4, 1)
    assert "has 3 rows, not 2" in report.broken[0].reason
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["img_name"].tolist() == ["p0_0.png", "p0_1.png", "p1_0.png", "p1_1.png"]
    assert items["vector_row"].tolist() == [0, 1, 0, 1]
    assert items["vector_file"].map(lambda p: Path(p).name).tolist() == [
        "img_emb_0.npy", "img_emb_0.npy", "img_emb_1.npy", "img_emb_1.npy",
    ]  # fmt: skip


def test_major_tom_embeddings_become_points(tmp_path):
    path = tmp_path / "part.parquet"
    pd.DataFrame(
        {
            "unique_id": ["u1", "u2"],
            "embedding": [[0.1, 0.2], [0.3, 0.4]],
            "timestamp": ["20180503T101031", "20180503T101031"],
            "grid_cell": ["922D_249L", "922D_250L"],
            "centre_lat": [-82.8, -82.9],
            "centre_lon": [-14.5, -14.6],
            "utm_crs": ["EPSG:32728"] * 2,
            "pixel_bbox": [[0, 0, 9, 9]] * 2,
        }
    ).to_parquet(path)
    report = import_source(path, tmp_path / "cat")
    assert report.kinds == {"major-tom": 2}
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["lon"].tolist() == [-14.5, -14.6]
    assert items["captured_at"].tolist() == ["2018-05-03T10:10:31Z"] * 2
    assert items["vector_row"].tolist() == [0, 1]
    assert "embedding" not in items
