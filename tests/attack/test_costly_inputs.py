"""Small files that are costly to decode: refused by their header, or read within bounds."""

import io
import struct
import tarfile
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.images import decode_image
from terraseek.catalogue.importing.tables import read_table, read_without_vectors
from terraseek.catalogue.tars import Member, members
from terraseek.embeddings import embed_catalogue
from terraseek.embeddings.store import HAS_IMAGE
from terraseek.encoders.base import fit_square
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import SceneTooLargeError, SourceError
from terraseek.scenes import Scene
from terraseek.scenes.sequential import average_rows


def png(width: int, height: int, bits: int = 8) -> bytes:
    """A black grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + width * bits // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff_of_one_strip(width: int, height: int, compression: int) -> bytes:
    """A grey TIFF that claims one strip, of which it has 4 bytes."""
    fields = {
        256: width, 257: height, 258: 8, 259: compression, 262: 1,
        273: 170, 277: 1, 278: height, 279: 4,
    }  # fmt: skip
    out = b"II*\0" + struct.pack("<IH", 8, len(fields))
    out += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    return (out + bytes(4)).ljust(174, b"\0")


def test_a_strip_of_pixels_does_not_stop_an_embedding(tmp_path: Path) -> None:
    chips = tmp_path / "chips"
    chips.mkdir()
    (chips / "strip.png").write_bytes(png(2_000_000, 1))
    Image.new("RGB", (40, 40), "red").save(chips / "red.png")
    import_source(chips, tmp_path / "cat", check=False)
    catalogue = Catalogue.open(tmp_path / "cat")
    store = embed_catalogue(catalogue, FakeEncoder())
    found = dict(zip(catalogue.items()["image"], store.flags & HAS_IMAGE, strict=True))
    assert found == {"strip.png": 0, "red.png": HAS_IMAGE}
    report = import_source(chips, tmp_path / "checked")
    assert report.added == 1
    assert "200 to 1" in report.broken[0].reason


def test_an_encoder_crops_a_strip_before_it_resizes_it() -> None:
    strip = np.zeros((2, 100_001, 3), np.uint8)
    strip[:, 49_998:50_003] = 255
    square = fit_square(strip, 224)
    assert square.shape == (224, 224, 3)
    assert square.min() == 255


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_a_tiff_that_claims_a_gigapixel(tmp_path: Path, compression: int) -> None:
    chips = tmp_path / "chips"
    chips.mkdir()
    (chips / "huge.tif").write_bytes(tiff_of_one_strip(30_000, 30_000, compression))
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"huge\.tif"):
        import_source(chips, tmp_path / "cat")
    assert time.monotonic() - started < 10


def test_sixteen_bits_count_four_times() -> None:
    # 49 megapixels: allowed as 8-bit, but not as 16-bit, which is stretched in float32
    with pytest.raises(SceneTooLargeError, match="7000x7000"):
        decode_image(png(7000, 7000, bits=16), "deep.png")


def test_a_png_of_16_bits_is_decoded_once_for_a_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(6000, 6000, bits=16))
    with Scene.open(tmp_path / "a.png") as scene:
        scene.window(0, 0, 500, 500)  # imports, stretch
        started = time.process_time()
        scene.window(0, 0, 6000, 6000)
        decoded = time.process_time()
        rgb, valid = scene.preview(64)
        shrunk = time.process_time()
    assert rgb.shape == (64, 64, 3)
    assert valid.all()
    assert shrunk - decoded < 2 * (decoded - started)


def test_a_png_of_more_than_a_gigabyte_of_pixels_is_refused(tmp_path: Path) -> None:
    header = png(8, 1, bits=16).replace(
        struct.pack(">II", 8, 1), struct.pack(">II", 25_000, 25_000)
    )
    start = header.index(b"IHDR")
    crc = zlib.crc32(header[start : start + 17])
    header = header[: start + 17] + struct.pack(">I", crc) + header[start + 21 :]
    (tmp_path / "a.png").write_bytes(header)
    with pytest.raises(SceneTooLargeError, match=r"1,250 MB.*cogeo"):
        Scene.open(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(5, 7), (4, 9), (60, 91), (1, 1)])
def test_average_of_rows_equals_the_mean_of_the_area(size: tuple[int, int]) -> None:
    values = np.random.default_rng(1).random((2, 60, 91)).astype(np.float32)
    valid = np.ones((60, 91), bool)
    valid[:20, :30] = False
    found, known = average_rows(lambda a, b: (values[:, a:b], valid[a:b]), (60, 91), size)
    # oracle: repeat each pixel so that every area is a whole number of pixels
    height, width = size
    big = values.repeat(height, 1).repeat(width, 2).astype(np.float64)
    mask = valid.repeat(height, 0).repeat(width, 1)
    areas = (2, height, 60, width, 91)
    sums = (big * mask).reshape(areas).sum((2, 4))
    counts = mask.reshape(areas[1:]).sum((1, 3))
    np.testing.assert_array_equal(known, counts > 0)
    np.testing.assert_allclose(found[:, known], (sums / np.maximum(counts, 1))[:, known], rtol=1e-4)


def test_a_sparse_tar_of_a_terabyte(tmp_path: Path) -> None:
    tar = tmp_path / "a.tar"
    with tarfile.open(tar, "w") as out:
        info = tarfile.TarInfo("first.png")
        info.size = 3
        out.addfile(info, io.BytesIO(b"abc"))
    second = io.BytesIO()
    with tarfile.open(fileobj=second, mode="w") as out:
        out.addfile(tarfile.TarInfo("second.png"))
    with tar.open("r+b") as file:
        file.seek(1 << 40)
        file.write(second.getvalue())
        file.truncate(1 << 41)
    started = time.monotonic()
    found = [entry.name for entry in members(tar) if isinstance(entry, Member)]
    assert found == ["first.png", "second.png"]
    assert time.monotonic() - started < 10


def test_a_tar_of_zeros(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SourceError, match="tar"):
        list(members(tmp_path / "a.tar"))


def test_tables_with_too_many_columns_or_too_long_lines(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(3000)]
    wide = pd.DataFrame(np.zeros((1, 3000)), columns=names)
    wide.to_csv(tmp_path / "a.csv", index=False)
    wide.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    wide.to_parquet(tmp_path / "a.parquet")
    wide.to_pickle(tmp_path / "a.pkl")
    for suffix in ("csv", "tsv", "parquet", "pkl"):
        with pytest.raises(SourceError, match="3,000 columns, the limit is 2,000"):
            read_table(tmp_path / f"a.{suffix}")
    with pytest.raises(SourceError, match="3,000 columns"):
        read_without_vectors(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("img_name,caption\na.png,one\nb.png," + "x" * (5 << 20))
    with pytest.raises(SourceError, match="4 MB in line 3"):
        read_table(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("img_name,caption\n" + "a.png,one\n" * 600_000)
    assert len(read_table(tmp_path / "c.csv")) == 600_000
