"""Duplicates by address, exact bytes, perceptual hash or embedding; one item per group survives.

RS5M (appendix B4) removes equal addresses, then clusters embeddings with `fastdup`: the five
nearest neighbours by cosine, joined to connected components. Which member survives: one whose
source has the smallest rank (RS5M prefers LAION-2B, LAION-400M and COYO, and takes LAION-COCO
last), at random among those.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from terraseek.catalogue.records import ImageRef
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import ConfigError, SceneError
from terraseek.imagehash import ORIENTATIONS, Pairs, components, image_hashes
from terraseek_train.corpus.items import image_refs, read_encoded, read_pixels, texts
from terraseek_train.corpus.neighbours import equal_pairs, hash_pairs, vector_pairs
from terraseek_train.corpus.stage import CorpusStage, Decision, Shard
from terraseek_train.corpus.vectors import encoder_of, image_vectors, vector_column, vectors_of

__all__ = ["Duplicates", "survivors"]

By = Literal["url", "sha256", "phash", "embedding"]


@dataclass(frozen=True)
class Duplicates(CorpusStage):
    """Keep one item of each group of duplicates."""

    by: By
    """What is compared."""
    max_bits: int = 10
    """Most different bits of two hashes of 64, for `phash`, and for `embedding` to confirm a
    pair; 64 confirms every pair, as in the paper."""
    min_cosine: float = 0.9
    """Smallest cosine of two images, for `embedding`."""
    neighbours: int = 5
    """Nearest neighbours of each image that are compared, for `embedding`."""
    model: str = DEFAULT_MODEL
    """Registered encoder, for `embedding`."""
    ranks: dict[str, int] = field(default_factory=dict)
    """Rank of each source; a member of the smallest rank survives."""
    seed: int = 0
    """Of the choice among members of the same rank."""

    def __post_init__(self) -> None:
        if self.by not in ("url", "sha256", "phash", "embedding"):
            raise ConfigError(f"duplicates by {self.by!r}; use url, sha256, phash or embedding")

    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """See `CorpusStage.measure`; an image that cannot be read equals no other."""
        if self.by == "url":
            return pa.table({"key": [normal_url(url) for url in texts(items, "url")]})
        if self.by == "sha256":
            return pa.table({"key": [_sha256(ref) for ref in image_refs(items)]})
        columns = {"hash": _fixed([_hashes(ref) for ref in image_refs(items)])}
        if self.by == "embedding":
            vectors = image_vectors(items, encoder_of(self.model))
            columns["vector"] = vector_column(vectors)
        return pa.table(columns)

    def decide(self, measured: pa.Table) -> Decision:
        """See `CorpusStage.decide`; the reason names the survivor."""
        group = components(len(measured), self._pairs(measured))
        items, sources = texts(measured, "item"), texts(measured, "source")
        keep = survivors(group, items, [self.ranks.get(s, 1) for s in sources], self.seed)
        reasons = [
            "" if row == kept else f"{self.by}: same as {items[kept]}"
            for row, kept in enumerate(keep.tolist())
        ]
        sizes = np.bincount(group)
        return Decision(
            reasons, facts={"groups": int((sizes > 1).sum()), "largest": int(sizes.max(initial=0))}
        )

    def _pairs(self, measured: pa.Table) -> Pairs:
        if self.by in ("url", "sha256"):
            return equal_pairs(texts(measured, "key"))
        hashes = measured.column("hash").combine_chunks().flatten().to_numpy().reshape(-1, 8)
        if self.by == "phash":
            return hash_pairs(hashes, self.max_bits)
        return vector_pairs(
            vectors_of(measured, "vector"), self.neighbours, self.min_cosine, hashes, self.max_bits
        )


def survivors(
    group: Int64[np.ndarray, " n"], items: Sequence[str], ranks: Sequence[int], seed: int
) -> Int64[np.ndarray, " n"]:
    """Row of the surviving member of each row's group.

    Of the members with the smallest rank, the one with the smallest hash of seed and id survives:
    a random choice that does not depend on the order of the items.
    """
    # 8 bytes of a hash: a sort key with a negligible chance of equal values
    chance = np.array(
        [
            int.from_bytes(hashlib.blake2b(f"{seed} {item}".encode(), digest_size=8).digest())
            for item in items
        ],
        np.uint64,
    )
    order = np.lexsort((chance, np.asarray(ranks, np.int64), group))
    first = np.unique(group[order], return_index=True)[1]
    winner = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
    winner[group[order][first]] = order[first]
    rows: Int64[np.ndarray, " n"] = winner[group]
    return rows


def normal_url(url: str) -> str:
    """Address without scheme, fragment, default port and upper case of the host; "" stays empty."""
    if not url:
        return ""
    parts = urlsplit(url.strip())
    host = parts.netloc.lower().removesuffix(":80").removesuffix(":443").removeprefix("www.")
    return urlunsplit(("", host, parts.path, parts.query, ""))


def _sha256(ref: ImageRef | None) -> str:
    try:
        return hashlib.sha256(read_encoded(ref)).hexdigest()
    except (SceneError, FileNotFoundError):
        return ""


def _hashes(ref: ImageRef | None) -> np.ndarray:
    try:
        return image_hashes(read_pixels(ref, 256))
    except (SceneError, FileNotFoundError):
        return np.zeros(len(ORIENTATIONS), np.uint64)


def _fixed(rows: list[np.ndarray]) -> pa.FixedSizeListArray:
    values = np.array(rows, np.uint64).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(values), len(ORIENTATIONS))
