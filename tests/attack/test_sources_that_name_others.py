"""No table, caption file, STAC item, link or tar makes an import read outside of its source."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

from terraseek.catalogue import Catalogue, import_source
from terraseek.errors import CatalogueError, FilterError, NotAnImageError
from terraseek_app.server.uploads import keep_upload, upload_folder

NOISE = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One good picture, and a private one beside the source."""
    folder = tmp_path / "source"
    (folder / "below").mkdir(parents=True)
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(folder / "below" / "good.png")
    Image.fromarray(NOISE).save(tmp_path / "private.png")
    return folder


def _csv(source: Path, name: str) -> Path:
    pd.DataFrame({"filename": ["below/good.png", name], "caption": "a"}).to_csv(source / "t.csv")
    return source / "t.csv"


def _parquet(source: Path, name: str) -> Path:
    path = source / "t.parquet"
    pd.DataFrame({"filename": ["below/good.png", name], "caption": "a"}).to_parquet(path)
    return path


def _captions(source: Path, name: str) -> Path:
    entries = [{"filename": n, "sentences": [{"raw": "a"}]} for n in ("below/good.png", name)]
    (source / "dataset.json").write_text(json.dumps({"images": entries}))
    return source / "dataset.json"


def _clip_retrieval(source: Path, name: str) -> Path:
    (source / "metadata").mkdir()
    (source / "img_emb").mkdir()
    frame = pd.DataFrame({"image_path": ["below/good.png", name], "caption": "a"})
    frame.to_parquet(source / "metadata" / "metadata_0.parquet")
    np.save(source / "img_emb" / "img_emb_0.npy", np.zeros((2, 4), np.float32))
    return source


def _stac(source: Path, name: str) -> Path:
    for number, href in enumerate(("below/good.png", name)):
        item = {
            "type": "Feature", "stac_version": "1.0.0", "id": f"i{number}", "geometry": None,
            "properties": {}, "links": [],
            "assets": {"visual": {"href": href, "type": "image/png"}},
        }  # fmt: skip
        (source / f"{number}.json").write_text(json.dumps(item))
    return source


def _link(source: Path, name: str) -> Path:
    os.symlink(source / name, source / "link.png")
    return source


def _folder_link(source: Path, name: str) -> Path:
    os.symlink((source / name).resolve().parent, source / "link")
    return source


def _link_in_a_table(source: Path, name: str) -> Path:
    os.symlink(source / name, source / "link.png")
    return _csv(source, "link.png")


@pytest.mark.parametrize("form", ["absolute", "dots", "inner dots"])
@pytest.mark.parametrize("write", [_csv, _parquet, _captions, _clip_retrieval, _stac])
def test_a_name_outside_is_not_followed(
    write: Callable[[Path, str], Path], form: str, source: Path, tmp_path: Path
) -> None:
    private = tmp_path / "private.png"
    name = {"absolute": str(private), "dots": "../private.png"}.get(form, "below/../../private.png")
    _nothing_private(write(source, name), tmp_path)


@pytest.mark.parametrize("write", [_link, _folder_link, _link_in_a_table])
def test_a_link_out_is_listed_and_not_followed(
    write: Callable[[Path, str], Path], source: Path, tmp_path: Path
) -> None:
    report = _nothing_private(write(source, "../private.png"), tmp_path)
    assert ["outside of the source" in broken.reason for broken in report.broken] == [True]


def test_a_stac_file_address_outside_is_not_followed(source: Path, tmp_path: Path) -> None:
    report = _nothing_private(_stac(source, (tmp_path / "private.png").as_uri()), tmp_path)
    assert "outside of the source" in report.broken[0].reason


def _nothing_private(given: Path, tmp_path: Path):
    report = import_source(given, tmp_path / "c", name="s")
    catalogue = Catalogue.open(tmp_path / "c")
    for item in catalogue.items().to_dict("records"):
        try:
            pixels = catalogue.read_image(str(item["item_id"]))
        except CatalogueError:  # it came without its picture
            continue
        assert not np.array_equal(pixels, NOISE), "the private picture is an item"
    assert report.added + len(report.broken) == 2
    return report


@pytest.mark.parametrize("write", [_csv, _captions, _stac, _clip_retrieval])
def test_an_absolute_path_inside_is_fine(
    write: Callable[[Path, str], Path], source: Path, tmp_path: Path
) -> None:
    Image.fromarray(NOISE).save(source / "below" / "other.png")
    report = import_source(
        write(source, str(source / "below" / "other.png")), tmp_path / "c", name="s"
    )
    assert (report.added, report.broken) == (2, [])


def test_links_inside_are_followed(source: Path, tmp_path: Path) -> None:
    os.symlink(source / "below" / "good.png", source / "again.png")
    report = import_source(source, tmp_path / "c", kind="folder", name="s")
    assert (report.added, report.broken) == (2, [])


def test_another_folder_may_be_named_by_the_user(source: Path, tmp_path: Path) -> None:
    report = import_source(_csv(source, "private.png"), tmp_path / "c", images=tmp_path, name="s")
    assert (report.added, report.broken) == (2, [])


def test_a_tar_with_links_and_dots_gives_nothing_of_this_computer(
    source: Path, tmp_path: Path
) -> None:
    good = (source / "below" / "good.png").read_bytes()
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for name in ("a/one.png", "../../two.png"):
            info = tarfile.TarInfo(name)
            info.size = len(good)
            tar.addfile(info, io.BytesIO(good))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(f"a/link{kind.decode()}.png")
            info.type, info.linkname = kind, str(tmp_path / "private.png")
            tar.addfile(info)
    report = import_source(tmp_path / "t.tar", tmp_path / "c", name="s")
    assert report.added == 2
    assert not (tmp_path.parent / "two.png").exists()


def test_a_link_out_of_the_scenes_is_not_shown(
    serve: Callable[[Path], TestClient], source: Path, tmp_path: Path
) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    os.symlink(tmp_path / "private.png", scenes / "scene.png")
    Image.fromarray(NOISE).save(scenes / "own.png")
    found = serve(scenes).get("/api/scenes").json()["scenes"]
    assert [scene["name"] for scene in found] == ["own.png"]


@pytest.mark.parametrize(
    "name",
    ["a.tif.aux.xml", "a.ovr", "a.OVR", "a.msk", "a.prj", "a.hdr", "a.tfw", "a.vrt", "x/../a"],
)
def test_an_upload_is_never_named_like_a_sidecar(name: str, tmp_path: Path) -> None:
    token = keep_upload(io.BytesIO(b"abc"), name, tmp_path / "up", 1 << 20)
    assert Path(token).suffix == ""
    assert [path.name for path in upload_folder(tmp_path / "up").iterdir()] == [token]


@pytest.mark.parametrize(
    "area",
    [
        "CURVEPOLYGON (CIRCULARSTRING (0 0, 4 0, 4 4, 0 4, 0 0))",
        "MULTISURFACE (((0 0, 1 0, 1 1, 0 0)))",
        "COMPOUNDCURVE ((0 0, 1 1))",
        "CIRCULARSTRING (0 0, 1 1, 2 0)",
        "GEOMETRYCOLLECTION (CURVEPOLYGON (CIRCULARSTRING (0 0, 4 0, 4 4, 0 4, 0 0)))",
        "TRIANGLE ((0 0, 1 0, 1 1, 0 0))",
    ],
)
def test_curved_areas_are_refused_in_words(
    area: str, serve: Callable[[Path], TestClient], tmp_path: Path
) -> None:
    from terraseek.catalogue.filters.areas import Area

    with pytest.raises(FilterError):
        Area.parse(area)
    answer = serve(tmp_path / "scenes").get("/api/search", params={"q": "red", "polygon": area})
    assert (answer.status_code, answer.json()["error"]) == (400, "FilterError")


@pytest.mark.parametrize(
    "head", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\xd7\xcd\xc6\x9a", b"8BPS"]
)
def test_pillow_decodes_listed_formats_only(head: bytes) -> None:
    from terraseek.catalogue.images import decode_image

    with pytest.raises(NotAnImageError):
        decode_image(head.ljust(400, b"\0"), "a.png")


def test_sql_reads_no_file(tmp_path: Path) -> None:
    from terraseek.catalogue.filters.database import cursor

    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(Exception, match=r"disabled|Permission"):
        cursor().execute(f"SELECT * FROM read_csv('{tmp_path}/a.csv')")
