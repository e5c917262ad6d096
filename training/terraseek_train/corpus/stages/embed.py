"""Vectors of all images, computed once for the later stages that need them."""

from dataclasses import dataclass

import pyarrow as pa

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train.corpus.items import set_column
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput
from terraseek_train.corpus.vectors import encoder_of, image_vectors, vector_column, vector_name

__all__ = ["Embed"]


@dataclass(frozen=True)
class Embed(BatchStage):
    """Add the column of an encoder's image vectors; items whose image cannot be read are rejected.

    The stages duplicates, outliers and captions use the column if they name the same encoder.
    """

    model: str = DEFAULT_MODEL
    """Registered encoder."""

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`."""
        encoder = encoder_of(self.model)
        vectors = image_vectors(items, encoder)
        reasons = ["" if row.any() else "no image" for row in vectors]
        return StageOutput(set_column(items, vector_name(encoder), vector_column(vectors)), reasons)
