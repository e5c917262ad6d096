"""Random damage of every format that is imported: a report or one line, never another exception.

The default run tries a few examples of each format; `pytest -m slow tests/odd_inputs` tries more.
"""

import io
import json
import shutil
import tarfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.odd_files import encoded, red_pixels
from helpers.rasters import write_raster
from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.images import decode_image
from terraseek.errors import CatalogueError, SceneError, TerraSeekError
from terraseek.scenes import Scene
from terraseek.scenes.opening import verify_bytes


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(2):
            members = {"png": encoded("PNG"), "txt": b"a pier", "json": b'{"lat": 1, "lon": 2}'}
            for ending, data in members.items():
                info = tarfile.TarInfo(f"{number}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _pickle() -> bytes:
    out = io.BytesIO()
    pd.DataFrame({"img_name": ["a.png"], "lat": [1.5], "caption": ["x"]}).to_pickle(out)
    return out.getvalue()


def _stac() -> bytes:
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "bbox": [1, 2, 3, 4]}
    item |= {"geometry": shapely.geometry.mapping(shapely.box(1, 2, 3, 4))}
    item |= {"properties": {"datetime": "2020-01-01T00:00:00Z", "proj:code": "EPSG:32633"}}
    return json.dumps(item | {"assets": {"a": {"href": "a.png", "roles": ["visual"]}}}).encode()


def _geotiff(folder: Path) -> bytes:
    return write_raster(folder / "made.tif", np.moveaxis(red_pixels(), -1, 0)).read_bytes()


@lru_cache
def original(name: str, folder: Path) -> bytes:
    """Undamaged bytes of a source, by its file name."""
    captions = {"images": [{"filename": "a.png", "split": "train", "sentences": [{"raw": "x"}]}]}
    boxes = {"xmin": 1.0, "ymin": 2.0, "xmax": 3.0, "ymax": 4.0}
    makers = {
        "t.csv": lambda: b"filename,caption,lat,lon\na.png,a pier,1,2\nb.png,x,,\n",
        "s-0000.tar": _tar,
        "t.parquet": lambda: _parquet(
            filename=["a.png"], lat=[1.0], geometry=[b"\0"], bbox=[boxes]
        ),
        "h.parquet": lambda: _parquet(
            image=[{"bytes": encoded("PNG"), "path": "a.png"}], label=[1]
        ),
        "t.pkl": _pickle,
        "i.json": _stac,
        "c.json": lambda: json.dumps(captions).encode(),
        "g.tif": lambda: _geotiff(folder),
        "p.jpg": lambda: encoded("JPEG"),
    }
    return makers[name]()


NAMES = (
    "t.csv",
    "s-0000.tar",
    "t.parquet",
    "h.parquet",
    "t.pkl",
    "i.json",
    "c.json",
    "g.tif",
    "p.jpg",
)


def damaged(data: bytes, draw: st.DataObject) -> bytes:
    """Bytes with some changed, a piece repeated or removed, or the end cut off."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 6), "number")):
        place = draw.draw(st.integers(0, max(len(changed) - 1, 0)), "place")
        length = draw.draw(st.integers(0, 40), "length")
        kind = draw.draw(st.sampled_from(("set", "bits", "repeat", "remove", "cut")), "kind")
        if kind == "set":
            changed[place : place + 1] = bytes([draw.draw(st.integers(0, 255))])
        elif kind == "bits":
            changed[place : place + length] = bytes(
                b ^ 0x55 for b in changed[place : place + length]
            )
        elif kind == "repeat":
            changed[place:place] = changed[place : place + length]
        elif kind == "remove":
            del changed[place : place + length]
        else:
            del changed[max(place, 8) :]
    return bytes(changed)


def check_import(folder: Path, name: str, data: bytes) -> None:
    """Import damaged bytes; what comes of it can be read, and is said in one line otherwise."""
    shutil.rmtree(folder / "source", ignore_errors=True)
    shutil.rmtree(folder / "cat", ignore_errors=True)
    (folder / "source").mkdir()
    (folder / "source" / "a.png").write_bytes(encoded("PNG"))
    (folder / "source" / name).write_bytes(data)
    try:
        report = import_source(folder / "source" / name, folder / "cat")
    except TerraSeekError as error:
        message = str(error)
        assert "Traceback" not in message
        return
    assert "\n" not in report.summary()
    catalogue = Catalogue.open(folder / "cat")
    items = catalogue.items()
    assert len(items) == report.added
    lat = items["lat"].dropna()
    assert lat.between(-90, 90).all()
    for key in items["item_id"]:
        with suppress(CatalogueError):  # an item of STAC may have no image
            assert catalogue.read_image(key).dtype == np.uint8


quick = settings(
    deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
long = settings(quick, max_examples=300)


@quick
@given(draw=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_damaged_sources(tmp_path, name, draw):
    check_import(tmp_path, name, damaged(original(name, tmp_path), draw))


@pytest.mark.slow
@long
@given(draw=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_many_damaged_sources(tmp_path, name, draw):
    check_import(tmp_path, name, damaged(original(name, tmp_path), draw))


def accepts(read: object, *arguments: object) -> bool:
    try:
        read(*arguments)  # type: ignore[operator]
    except SceneError:
        return False
    return True


def read_scene(path: Path) -> None:
    with Scene.open(path) as scene:
        scene.preview(max(scene.width, scene.height))


def read_item(data: bytes, name: str) -> None:
    decode_image(data, name)
    verify_bytes(data, name)


@pytest.mark.slow
@long
@given(draw=st.data())
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_items_and_scenes_accept_the_same_damage(tmp_path, kind, draw):
    pixels = Image.fromarray(red_pixels(96, 160))
    data = damaged(encoded(kind, pixels), draw)
    name = f"a.{'jpg' if kind == 'JPEG' else kind.lower()}"
    (tmp_path / name).write_bytes(data)
    assert accepts(read_item, data, name) == accepts(read_scene, tmp_path / name)
