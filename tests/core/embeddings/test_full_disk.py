"""A disk without room ends a job with one message and leaves nothing behind."""

import errno
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings import embed_catalogue, mapped_files
from terraseek.embeddings.compact import compact_catalogue
from terraseek.embeddings.mapped_files import create_array, require_space
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import OutputError
from terraseek.index.build import write_codes


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    chips = tmp_path / "chips"
    chips.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(chips / f"{seed}.png")
    import_source(chips, tmp_path / "cat")
    return Catalogue.open(tmp_path / "cat")


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of this process cannot grow above 50,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_byte_is_allocated_before_the_first_write(tmp_path: Path) -> None:
    array = create_array(tmp_path / "a.npy", (3000, 512), np.float16)
    status = (tmp_path / "a.npy").stat()
    assert status.st_blocks * 512 >= status.st_size > 3000 * 512 * 2
    assert not array.any()


def test_without_fallocate_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.posix_fallocate")
    create_array(tmp_path / "a.npy", (3000, 512), np.float16)[5] = 1
    status = (tmp_path / "a.npy").stat()
    assert status.st_blocks * 512 >= status.st_size
    assert np.load(tmp_path / "a.npy").sum() == 512


def test_the_message_says_how_much_is_missing(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(OutputError, match=r"the store needs .* make room for [\d,.]+ MB more"):
        require_space(tmp_path, free + (5 << 30), "the store")


@pytest.mark.usefixtures("small_files")
def test_int8_codes_that_do_not_fit_leave_no_file(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    vectors = np.ones((1000, 64), np.float16)
    with pytest.raises(OutputError, match="no room"):
        write_codes(vectors, tmp_path / "index" / "int8-1.npy")
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["int8-1.scale.npy"]


FULL = """
import sys
from terraseek.catalogue import Catalogue
from terraseek.embeddings import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import OutputError
try:
    embed_catalogue(Catalogue.open(sys.argv[1]), FakeEncoder())
except OutputError as error:
    print("refused:", error)
"""


def test_embedding_to_a_full_disk(catalogue: Catalogue, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        shutil.copytree(catalogue.path, disk / "cat")
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - 12_288))
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(disk / "cat")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1)  # SIGBUS would be -7
        assert "refused" in done.stdout or "No space left" in done.stderr
        assert not list((disk / "cat").rglob(".*.npy"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_files_of_killed_jobs_are_removed(catalogue: Catalogue) -> None:
    store = embed_catalogue(catalogue, FakeEncoder())
    dead = [
        store.folder / ".vectors.npy.x1y2.npy",
        store.folder / ".manifest.json.abcd.json",
        store.folder / "parts" / ".12ab.npz.ef.npz",
        catalogue.path / ".compact" / "fake" / "vectors.npy",
    ]
    for path in dead:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    again = embed_catalogue(catalogue, FakeEncoder())
    assert again.count == 4
    assert [path for path in dead if path.exists()] == []
    assert not (catalogue.path / ".compact").exists()


def test_a_compaction_without_room_removes_its_copies(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terraseek.catalogue.deletion import delete_items

    embed_catalogue(catalogue, FakeEncoder())
    delete_items(catalogue.path, [catalogue.item_ids[0].decode()])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped_files, "_allocate", full)
    with pytest.raises(OutputError, match="no room"):
        compact_catalogue(catalogue.path)
    assert not (catalogue.path / ".compact").exists()
    assert Catalogue.open(catalogue.path).count == 3
