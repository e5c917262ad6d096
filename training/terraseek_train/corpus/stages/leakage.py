"""Leakage gate: no image of an evaluation set, nor a copy of one, stays in the corpus."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from terraseek.errors import ConfigError, SceneError
from terraseek.files import home
from terraseek.imagehash import FLAT, ORIENTATIONS, image_hashes
from terraseek_train.config import DataSource
from terraseek_train.corpus.items import image_refs, read_pixels, texts
from terraseek_train.corpus.stage import CorpusStage, Decision, Shard
from terraseek_train.data.leakage import (
    MAX_BITS,
    MIN_CORRELATION,
    Fingerprints,
    find_leaks,
    fingerprints,
)

__all__ = ["Leakage"]

_SIDE = 32


@dataclass(frozen=True)
class Leakage(CorpusStage):
    """Reject items whose image is in an evaluation set, turned, mirrored or recompressed too."""

    evaluation: tuple[str, ...] = ()
    """Evaluation sets: `IMAGES`, or a JSON object with the keys of a training config's source."""
    max_bits: int = MAX_BITS
    min_correlation: float = MIN_CORRELATION

    def files(self) -> tuple[str, ...]:
        """See `Stage.files`."""
        return tuple(source.images for source in map(_source, self.evaluation))

    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """See `CorpusStage.measure`; hashes and thumbnails as `evaluate leakage` has them."""
        hashes = np.zeros((len(items), len(ORIENTATIONS)), np.uint64)
        thumbs = np.zeros((len(items), _SIDE, _SIDE), np.uint8)
        for row, ref in enumerate(image_refs(items)):
            try:
                rgb = read_pixels(ref, 4 * _SIDE)
            except (SceneError, FileNotFoundError):
                continue
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            hashes[row] = image_hashes(rgb)
            thumbs[row] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        return pa.table(
            {"hashes": [row.tobytes() for row in hashes], "thumb": [t.tobytes() for t in thumbs]}
        )

    def decide(self, measured: pa.Table) -> Decision:
        """See `CorpusStage.decide`."""
        names = texts(measured, "item")
        hashes = b"".join(measured.column("hashes").to_pylist())
        thumbs = b"".join(measured.column("thumb").to_pylist())
        train = Fingerprints(
            "corpus",
            tuple(names),
            np.frombuffer(hashes, np.uint64).reshape(-1, len(ORIENTATIONS)),
            np.frombuffer(thumbs, np.uint8).reshape(-1, _SIDE, _SIDE),
        )
        found: dict[str, str] = {}
        counts: dict[str, int] = {}
        for source in map(_source, self.evaluation):
            known = fingerprints(source, home() / "fingerprints")
            leaks = find_leaks(train, known, self.max_bits, self.min_correlation)
            for leak in leaks:
                found.setdefault(leak.train, f"{leak.eval_source}: {leak.eval}")
            counts[source.name] = len({leak.train for leak in leaks})
        reasons = [f"in evaluation set: {found[n]}" if n in found else "" for n in names]
        facts: dict[str, Any] = {"found": counts}
        if unseen := int((train.hashes[:, 0] == FLAT).sum()):
            facts["not compared"] = unseen
        return Decision(reasons, facts=facts)


def _source(text: str) -> DataSource:
    if not text.startswith("{"):
        return DataSource(Path(text).name, text)
    try:
        return DataSource(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"leakage: evaluation set {text!r} cannot be used: {error}") from error
