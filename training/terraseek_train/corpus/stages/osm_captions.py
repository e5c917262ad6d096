"""Captions from OpenStreetMap tags that a source has in a column."""

import json
from dataclasses import dataclass

import pyarrow as pa

from terraseek_train.corpus.captions.osm_sentences import osm_sentences, read_tags
from terraseek_train.corpus.items import set_column
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput

__all__ = ["OsmCaptions"]


@dataclass(frozen=True)
class OsmCaptions(BatchStage):
    """Make captions of the tags of items without a caption; adds `captions`."""

    column: str = "osm_tags"
    """Column of the source with the tags."""
    reject_empty: bool = False
    """Reject items that have neither a caption nor a tag that says what is there."""

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`; the most detailed sentence is the caption."""
        rows = items.to_pylist()
        found: list[list[str]] = []
        for row in rows:
            extra = json.loads(row["extra"] or "{}")
            sentences = osm_sentences(read_tags(extra.get(self.column)))[::-1]
            if not row["caption"] and sentences:
                row |= {"caption": sentences[0], "caption_source": "osm"}
            found.append(sentences or ([row["caption"]] if row["caption"] else []))
        for name in ("caption", "caption_source"):
            items = set_column(items, name, [row[name] for row in rows])
        items = set_column(items, "captions", pa.array(found, pa.list_(pa.string())))
        empty = "no caption and no tag" if self.reject_empty else ""
        return StageOutput(items, ["" if row["caption"] else empty for row in rows])
