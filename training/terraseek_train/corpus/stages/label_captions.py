"""Captions for items that have a label only: template sentences, several per item."""

import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from terraseek.catalogue.metadata.label_captions import readable_label
from terraseek_train.corpus.items import set_column, texts
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput
from terraseek_train.data.sources.templates import concept_of, concept_texts

__all__ = ["LabelCaptions"]


@dataclass(frozen=True)
class LabelCaptions(BatchStage):
    """Make captions of the label of items without a caption; adds `captions`."""

    count: int = 5
    """Sentences per item, drawn without repetition; the first is the caption."""
    reject_empty: bool = True
    """Reject items with neither caption nor label."""
    seed: int = 0

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`."""
        captions, origins = texts(items, "caption"), texts(items, "caption_source")
        found: list[list[str]] = []
        reasons = [""] * len(items)
        rows = zip(texts(items, "item"), texts(items, "label"), strict=True)
        for row, (item, label) in enumerate(rows):
            if not captions[row] and label:
                rng = np.random.default_rng([self.seed, zlib.crc32(item.encode())])
                sentences = _sentences(label)
                order = rng.permutation(len(sentences))[: self.count]
                found.append([sentences[n] for n in order])
                captions[row], origins[row] = found[-1][0], "label"
            else:
                found.append([captions[row]] if captions[row] else [])
            if not captions[row] and self.reject_empty:
                reasons[row] = "no caption and no label"
        items = set_column(items, "caption", captions)
        items = set_column(items, "caption_source", origins)
        items = set_column(items, "captions", pa.array(found, pa.list_(pa.string())))
        return StageOutput(items, reasons)


def _sentences(label: str) -> list[str]:
    concept = concept_of(label)
    if concept is not None:
        return concept_texts(concept)
    words = readable_label(label)
    return [
        f"a satellite image of {words}",
        f"an aerial photo of {words}",
        f"a remote sensing image of {words}",
        f"{words} seen from above",
        f"an overhead view of {words}",
    ]
