"""Captions from metadata, after the stage `geo`; long ones are split so that none is cut."""

import json
import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train.corpus.captions.metadata_sentences import (
    fields_of,
    metadata_sentences,
    pack_sentences,
)
from terraseek_train.corpus.items import set_column
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput
from terraseek_train.corpus.vectors import encoder_of

__all__ = ["MetadataCaptions"]


@dataclass(frozen=True)
class MetadataCaptions(BatchStage):
    """Add `metadata_captions`, a list per item, and the first of them as caption if it has none."""

    model: str = DEFAULT_MODEL
    """Registered encoder whose text tower counts tokens."""
    as_published: bool = False
    """As RS5M: all sentences in one caption, however long, before the item's own caption."""
    seed: int = 0

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`."""
        count_tokens = encoder_of(self.model).token_count
        rows = items.to_pylist()
        found: list[list[str]] = []
        for row in rows:
            extra = json.loads(row["extra"] or "{}")
            rng = np.random.default_rng([self.seed, zlib.crc32(row["item"].encode())])
            sentences = metadata_sentences(fields_of(row, extra), rng)
            if self.as_published:
                found.append([" ".join(sentences)] if sentences else [])
                if sentences:
                    row["caption"] = f"{found[-1][0]} {row['caption']}".strip()
                    row["caption_source"] = row["caption_source"] or "metadata"
                continue
            found.append(pack_sentences(sentences, count_tokens))
            if not row["caption"] and found[-1]:
                row |= {"caption": found[-1][0], "caption_source": "metadata"}
        for name in ("caption", "caption_source"):
            items = set_column(items, name, [row[name] for row in rows])
        column = pa.array(found, pa.list_(pa.string()))
        return StageOutput(set_column(items, "metadata_captions", column), [""] * len(items))
