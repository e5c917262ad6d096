"""Leakage gate: no image of an evaluation set, nor a copy of one, stays in the corpus."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import pyarrow as pa

from terraseek.errors import SceneError
from terraseek.files import home
from terraseek.imagehash import FLAT, ORIENTATIONS, image_hashes
from terraseek_train.corpus.items import image_refs, read_pixels, texts
from terraseek_train.corpus.leakage.evaluation_sets import evaluation_source
from terraseek_train.corpus.stage import CorpusStage, Decision, Shard
from terraseek_train.data.leakage import (
    MAX_BITS,
    MIN_CORRELATION,
    Fingerprints,
    Leak,
    find_leaks,
    fingerprints,
)

__all__ = ["Leakage"]

_SIDE = 32
_MOST = 0.5
"""Share of an evaluation set's images in one source from which it is said to have the set."""


@dataclass(frozen=True)
class Leakage(CorpusStage):
    """Reject items whose image is in an evaluation set, turned, mirrored or recompressed too."""

    evaluation: tuple[str, ...] = ()
    """Evaluation sets: `IMAGES`, or a JSON object with the keys of a training config's source."""
    allow: tuple[str, ...] = ()
    """Names of evaluation sets whose images are counted, but stay."""
    max_bits: int = MAX_BITS
    min_correlation: float = MIN_CORRELATION

    version: ClassVar[int] = 2

    def files(self) -> tuple[str, ...]:
        """See `Stage.files`."""
        return tuple(source.images for source in map(evaluation_source, self.evaluation))

    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """See `CorpusStage.measure`; hashes and thumbnails as `evaluate leakage` has them."""
        hashes = np.zeros((len(items), len(ORIENTATIONS)), np.uint64)
        thumbs = np.zeros((len(items), _SIDE, _SIDE), np.uint8)
        refs = image_refs(items)
        for row, ref in enumerate(refs):
            try:
                rgb = read_pixels(ref, 4 * _SIDE)
            except (SceneError, FileNotFoundError):
                continue
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            hashes[row] = image_hashes(rgb)
            thumbs[row] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        return pa.table(
            {
                "hashes": [row.tobytes() for row in hashes],
                "thumb": [thumb.tobytes() for thumb in thumbs],
                "has_image": [ref is not None for ref in refs],
            }
        )

    def decide(self, measured: pa.Table) -> Decision:
        """See `CorpusStage.decide`; evaluation sets are not read if no item has an image."""
        names = texts(measured, "item")
        corpus = _fingerprints(names, measured)
        missing = len(names) - sum(measured.column("has_image").to_pylist())
        facts: dict[str, Any] = {"found": {}}
        found: dict[str, str] = {}
        sets = list(map(evaluation_source, self.evaluation))
        source_of = dict(zip(names, texts(measured, "source"), strict=True))
        for evaluation in sets if missing < len(names) else ():
            known = fingerprints(evaluation, home() / "fingerprints")
            leaks = find_leaks(corpus, known, self.max_bits, self.min_correlation)
            _describe(facts, evaluation.name, leaks, len(known.names), source_of)
            if evaluation.name in self.allow:
                facts.setdefault("kept", []).append(evaluation.name)
                continue
            for leak in leaks:
                found.setdefault(leak.train, f"{leak.eval_source}: {leak.eval}")
        reasons = [f"in evaluation set: {found[n]}" if n in found else "" for n in names]
        if missing:
            facts |= {"without image": missing, "sets": [one.name for one in sets]}
        if unread := int((corpus.hashes[:, 0] == FLAT).sum()) - missing:
            facts["not compared"] = unread
        return Decision(reasons, facts=facts)


def _fingerprints(names: Sequence[str], measured: pa.Table) -> Fingerprints:
    hashes = b"".join(measured.column("hashes").to_pylist())
    thumbs = b"".join(measured.column("thumb").to_pylist())
    return Fingerprints(
        "corpus",
        tuple(names),
        np.frombuffer(hashes, np.uint64).reshape(-1, len(ORIENTATIONS)),
        np.frombuffer(thumbs, np.uint8).reshape(-1, _SIDE, _SIDE),
    )


def _describe(
    facts: dict[str, Any],
    name: str,
    leaks: Sequence[Leak],
    images: int,
    source_of: dict[str, str],
) -> None:
    """Add what was found of one evaluation set, and in which sources.

    Args:
        facts: of the decision.
        name: of the set.
        leaks: what was found.
        images: number of images of the set.
        source_of: source of each item.
    """
    items = {leak.train for leak in leaks}
    facts["found"][name] = len(items)
    if not items:
        return
    counts = Counter(source_of[item] for item in items)
    facts.setdefault("in sources", {})[name] = dict(counts.most_common())
    theirs: dict[str, set[str]] = {}
    for leak in leaks:
        theirs.setdefault(source_of[leak.train], set()).add(leak.eval)
    most = sorted(s for s, found in theirs.items() if len(found) > _MOST * images)
    if most:
        facts.setdefault("most in", {})[name] = most
