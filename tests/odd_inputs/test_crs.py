"""Coordinate systems that mislead: pixels beside the globe, boxes of rows, files named by a CRS."""

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from PIL import Image
from pyproj import CRS

from helpers.rasters import write_rgb
from terraseek.catalogue import Catalogue, import_source
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import SourceError, UnsupportedSceneError
from terraseek.geo import file_named_by_crs
from terraseek.localization import localize, regions, regions_geojson
from terraseek.localization.output.outlines import to_lonlat
from terraseek.scenes import Scene

FULL_DISK = "+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=GRS80 +units=m"
SIDE = 320
RADIUS_M = 5_500_000
GRID = Affine.translation(-RADIUS_M, RADIUS_M) @ Affine.scale(
    2 * RADIUS_M / SIDE, -2 * RADIUS_M / SIDE
)


@pytest.fixture
def disk(tmp_path):
    """Grey full disk with a red area at its rim and another one in the corner beside it."""
    rgb = np.full((SIDE, SIDE, 3), 110, np.uint8)
    rgb += np.random.default_rng(0).integers(0, 20, rgb.shape).astype(np.uint8)
    rgb[40:120, 0:90] = (230, 20, 20)
    rgb[280:320, 280:320] = (230, 20, 20)
    return write_rgb(tmp_path / "disk.tif", rgb, crs=FULL_DISK, transform=GRID)


def test_outlines_end_at_the_rim_of_a_full_disk(disk):
    with Scene.open(disk) as scene:
        georef = scene.georef
    assert georef.footprint is None
    across = to_lonlat(shapely.box(0, 40, 90, 120), georef)
    assert across.is_valid
    west, south, east, north = across.bounds
    assert -90 < west < east < 0 < south < north < 90
    inner = to_lonlat(shapely.box(100, 100, 140, 140), georef)
    lon, lat = georef.pixel_to_lonlat(120, 120)
    assert inner.contains(shapely.Point(lon, lat))
    assert to_lonlat(shapely.box(290, 290, 320, 320), georef) is None


def test_regions_of_a_full_disk_are_never_in_pixels(disk):
    with Scene.open(disk) as scene:
        heat = localize(scene, "red", FakeEncoder())
    found = regions(heat)
    collection = regions_geojson(heat, found)
    assert "space" not in collection
    assert len(found) >= 2
    shapes = [f["geometry"] for f in collection["features"]]
    assert all(shapes)
    beside = replace(found[0], polygon=shapely.box(300, 300, 320, 320))
    assert regions_geojson(heat, [beside])["features"][0]["geometry"] is None
    for shape in filter(None, shapes):
        west, south, east, north = shapely.geometry.shape(shape).bounds
        assert -180 <= west <= east <= 180
        assert -90 <= south <= north <= 90
    assert all(region.area_m2 > 0 for region in found)


def image(folder, name="a.png"):
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(out, "PNG")
    (folder / name).write_bytes(out.getvalue())


def covered(box="bbox", crs=None, **edges):
    covering = {"bbox": {edge: [box, edge] for edge in ("xmin", "ymin", "xmax", "ymax")}}
    column = {"encoding": "WKB", "geometry_types": [], "covering": covering}
    if crs:
        column["crs"] = crs
    value = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}
    return {b"geo": json.dumps(value).encode()}


def test_boxes_of_rows_place_what_has_no_geometry(tmp_path):
    for n in range(4):
        image(tmp_path, f"{n}.png")
    boxes = [
        {"xmin": 10.0, "ymin": 50.0, "xmax": 12.0, "ymax": 52.0},
        {"xmin": 179.0, "ymin": 0.0, "xmax": -179.0, "ymax": 2.0},
        None,
        {"xmin": 1.0, "ymin": 1.0, "xmax": 2.0, "ymax": 2.0},
    ]
    table = pa.table(
        {
            "filename": [f"{n}.png" for n in range(4)],
            "geom": pa.array([None, None, None, shapely.Point(7, 8).wkb], pa.binary()),
            "bbox": boxes,
        }
    )
    pq.write_table(table.replace_schema_metadata(covered()), tmp_path / "t.parquet")
    import_source(tmp_path / "t.parquet", tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["lat"].tolist() == pytest.approx([51.0, 1.0, np.nan, 8.0], nan_ok=True)
    assert items["lon"].abs().tolist() == pytest.approx([11.0, 180.0, np.nan, 7.0], nan_ok=True)
    assert "bbox" not in items.columns


NAMED = [
    "+proj=longlat +ellps=WGS84 +nadgrids=/srv/private.gsb +no_defs",
    "+proj=longlat +ellps=WGS84 +nadgrids=@../private.gsb +no_defs",
    "+proj=pipeline +step +proj=hgridshift +grids=/srv/private.tif",
    "+init=/srv/private:27700",
    'BOUNDCRS[SOURCECRS[...],PARAMETERFILE["Latitude difference file","/srv/private.gsb"]]',
    '{"parameters": [{"name": "Geoid model file", "value": "/srv/private.tif"}]}',
]


@pytest.mark.parametrize("text", NAMED)
def test_files_that_a_crs_names_are_found(text):
    assert "private" in file_named_by_crs(text)


@pytest.mark.parametrize("epsg", [4326, 3857, 27700, 32633, 2056, 31467, 7415])
def test_usual_crs_name_no_file(epsg):
    crs = CRS.from_epsg(epsg)
    texts = (crs.to_wkt(), crs.to_wkt("WKT1_GDAL"), crs.to_json())
    assert [file_named_by_crs(text) for text in texts] == ["", "", ""]
    assert not file_named_by_crs("+proj=longlat +nadgrids=conus,@null +no_defs")


def test_a_crs_that_names_a_file_is_refused_at_each_door(tmp_path):
    private = tmp_path / "private.gsb"
    private.write_bytes(b"secret")
    named = f"+proj=longlat +ellps=intl +nadgrids={private} +no_defs"
    folder = tmp_path / "f"
    folder.mkdir()
    image(folder)
    rgb = np.full((16, 16, 3), 99, np.uint8)
    grid = Affine(0.1, 0, 5, 0, -0.1, 50)
    scene = write_rgb(folder / "b.tif", rgb, crs=named, transform=grid)
    with pytest.raises(UnsupportedSceneError, match=r"names a file of this computer.*gdalwarp"):
        Scene.open(scene).pixel_to_lonlat(1, 1)
    report = import_source(folder, tmp_path / "cat")
    assert [b.member for b in report.broken] == ["b.tif"]
    assert "names a file of this computer" in report.broken[0].reason
    table = pa.table({"filename": ["a.png"], "geom": [shapely.Point(1, 2).wkb]})
    metadata = covered(crs=CRS.from_string(named).to_json_dict())
    pq.write_table(table.replace_schema_metadata(metadata), folder / "t.parquet")
    with pytest.raises(SourceError, match="names a file of this computer"):
        import_source(folder / "t.parquet", tmp_path / "cat2")
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x"}
    item |= {"assets": {"a": {"href": "./a.png", "roles": ["visual"]}}}
    item |= {"properties": {"proj:wkt2": CRS.from_string(named).to_wkt()}}
    item["properties"] |= {"proj:bbox": [1, 2, 3, 4]}
    (folder / "t.parquet").unlink()
    (folder / "i.json").write_text(json.dumps(item))
    import_source(folder / "i.json", tmp_path / "cat3")
    assert Catalogue.open(tmp_path / "cat3").items()["lon"].isna().all()


def test_vector_files_outside_of_the_source_are_not_taken(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    for n in range(2):
        image(folder, f"{n}.png")
    np.save(tmp_path / "private.npy", np.eye(4, dtype=np.float32))
    np.save(folder / "own.npy", np.eye(4, dtype=np.float32))
    rows = [f"0.png,{tmp_path / 'private.npy'},1", "1.png,own.npy,2"]
    (folder / "t.csv").write_text("filename,vector_file,vector_row\n" + "\n".join(rows))
    report = import_source(folder / "t.csv", tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    assert items["vector_file"].tolist() == ["", str(folder / "own.npy")]
    assert report.unused == {"vector files outside of the source": 1}
