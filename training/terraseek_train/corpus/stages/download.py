"""Download of the images of web captions into shards of img2dataset's layout."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from terraseek.catalogue.images import open_image
from terraseek.catalogue.importing.bounded_map import bounded_map
from terraseek.errors import SceneError
from terraseek_train.corpus.download.errors import DownloadError
from terraseek_train.corpus.download.fetch import Fetcher, Limits
from terraseek_train.corpus.download.tar_shard import Download, write_shard
from terraseek_train.corpus.items import set_column, texts
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput

__all__ = ["DownloadImages"]


@dataclass(frozen=True)
class DownloadImages(BatchStage):
    """Download the image of every item that has an address and no image yet.

    Shards are written below the stage's folder in `images/`; a shard that is complete is not
    downloaded again (img2dataset's `incremental`). Items of other sources pass.
    """

    threads: int = 32
    """Downloads at the same time per worker."""
    limits: dict[str, object] | None = None
    """Values of `Limits` that differ from its defaults."""

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`; adds `sha256` of the bytes."""
        started = time.time()
        rows = list(
            zip(*(texts(items, c) for c in ("item", "url", "caption", "image_file")), strict=True)
        )
        wanted = [row for row, entry in enumerate(rows) if entry[1] and not entry[3]]
        fetcher = _fetcher(_limits(self.limits))
        with ThreadPoolExecutor(self.threads) as pool:
            entries = (rows[row][:3] for row in wanted)
            downloads = list(
                bounded_map(pool, lambda e: _download(fetcher, *e), entries, 2 * self.threads)
            )
        folder = shard.folder / "images"
        places = write_shard(folder, shard.number, downloads, (started, time.time()))
        return _placed(items, wanted, downloads, places, str(folder / f"{shard.number:05}.tar"))


def _limits(values: dict[str, object] | None) -> Limits:
    return Limits(**(values or {}))  # type: ignore[arg-type]  # checked by the dataclass


@lru_cache(maxsize=4)
def _fetcher(limits: Limits) -> Fetcher:
    """One fetcher per process, which remembers hosts from shard to shard."""
    return Fetcher(limits)


def _download(fetcher: Fetcher, item: str, url: str, caption: str) -> Download:
    try:
        content = fetcher.fetch(url)
    except DownloadError as error:
        return Download(item, url, caption, None, str(error))
    try:
        with open_image(content, url) as image:
            width, height = image.size
    except SceneError:
        width = height = 0  # the stage `broken` says why
    digest = hashlib.sha256(content).hexdigest()
    return Download(item, url, caption, content, "", width, height, digest)


def _placed(
    items: pa.Table,
    wanted: list[int],
    downloads: list[Download],
    places: list[tuple[str, int, int]],
    tar: str,
) -> StageOutput:
    columns = {
        name: items.column(name).to_pylist()
        for name in ("image_file", "image_member", "image_offset", "image_size")
    }
    reasons, sha256 = [""] * len(items), [""] * len(items)
    for row, download, (member, offset, size) in zip(wanted, downloads, places, strict=True):
        reasons[row], sha256[row] = download.error, download.sha256
        if member:
            columns["image_file"][row], columns["image_member"][row] = tar, member
            columns["image_offset"][row], columns["image_size"][row] = offset, size
    for row, (url, file) in enumerate(zip(texts(items, "url"), columns["image_file"], strict=True)):
        if not url and not file:
            reasons[row] = "no address"
    for name, values in columns.items():
        items = set_column(items, name, values)
    return StageOutput(set_column(items, "sha256", sha256), reasons)
