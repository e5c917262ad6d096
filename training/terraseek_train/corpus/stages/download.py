"""Download of the images of web captions into shards of img2dataset's layout."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa

from terraseek.catalogue.images import open_image
from terraseek.catalogue.importing.bounded_map import bounded_map
from terraseek.errors import ConfigError, SceneError
from terraseek_train.corpus.download.errors import DownloadError
from terraseek_train.corpus.download.fetch import Fetcher, Limits
from terraseek_train.corpus.download.tar_shard import Download, Stored, write_shard
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
    limits: dict[str, Any] | None = None
    """Values of `Limits` that differ from its defaults."""

    def __post_init__(self) -> None:
        known = {item.name for item in fields(Limits)}
        unknown = sorted(set(self.limits or {}) - known)
        if unknown:
            raise ConfigError(
                f"download has no limit {unknown[0]!r}; known: {', '.join(sorted(known))}"
            )

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`; adds `sha256` of the bytes."""
        columns = (texts(items, name) for name in ("item", "url", "caption", "image_file"))
        rows = list(zip(*columns, strict=True))
        wanted = [row for row, entry in enumerate(rows) if entry[1] and not entry[3]]
        fetcher = _fetcher(_limits(self.limits))
        folder = shard.folder / "images"
        with ThreadPoolExecutor(self.threads) as pool:
            downloads = bounded_map(
                pool, partial(_download, fetcher), (rows[row] for row in wanted), 2 * self.threads
            )
            stored = write_shard(folder, shard.number, downloads)
        return _placed(items, wanted, stored, str(folder / f"{shard.number:05}.tar"))


def _limits(values: dict[str, Any] | None) -> Limits:
    given: dict[str, Any] = dict(values or {})
    for name in ("refusals", "private_hosts"):
        if name in given:
            given[name] = tuple(given[name])
    return Limits(**given)


@lru_cache(maxsize=4)
def _fetcher(limits: Limits) -> Fetcher:
    """One fetcher per process, which remembers hosts from shard to shard."""
    return Fetcher(limits)


def _download(fetcher: Fetcher, row: tuple[str, ...]) -> Download:
    item, url, caption = row[:3]
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


def _placed(items: pa.Table, wanted: list[int], stored: list[Stored], tar: str) -> StageOutput:
    names = ("image_file", "image_member", "image_offset", "image_size")
    columns = {name: items.column(name).to_pylist() for name in names}
    reasons, sha256 = [""] * len(items), [""] * len(items)
    for row, entry in zip(wanted, stored, strict=True):
        reasons[row], sha256[row] = entry.error, entry.sha256
        if entry.member:
            values = (tar, entry.member, entry.offset, entry.size)
            for name, value in zip(names, values, strict=True):
                columns[name][row] = value
    for row, url in enumerate(texts(items, "url")):
        if not url and not columns["image_file"][row]:
            reasons[row] = "no address"
    for name, values in columns.items():
        items = set_column(items, name, values)
    return StageOutput(set_column(items, "sha256", sha256), reasons)
