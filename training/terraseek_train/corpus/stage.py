"""What a stage is: a function from a table of items to the accepted and the rejected ones.

A stage is a frozen dataclass whose fields are its parameters in a recipe. A `BatchStage` needs one
shard at a time. A `CorpusStage` compares items of all shards: it measures each shard, decides once
about all of them, and the decision splits each shard.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["BatchStage", "CorpusStage", "Decision", "Shard", "Stage", "StageOutput", "reason_kind"]


@dataclass(frozen=True)
class Shard:
    """Which shard a stage works on."""

    number: int
    """Number of the shard in the corpus, from 0."""
    folder: Path
    """Folder of the stage, for files that it writes beside its tables."""


@dataclass(frozen=True)
class StageOutput:
    """Items after a stage, in the order of its input, with the reason of each rejection."""

    items: pa.Table
    """All items, with the columns that the stage has changed or added."""
    reasons: Sequence[str] | pa.ChunkedArray
    """Empty text for an accepted item; else `kind` or `kind: detail`."""
    facts: dict[str, int] = field(default_factory=dict)
    """Counts that add up over shards, such as captions per keyword."""

    @property
    def reason_array(self) -> pa.ChunkedArray:
        """The reasons as Arrow text."""
        if isinstance(self.reasons, pa.ChunkedArray):
            return self.reasons
        return pa.chunked_array([pa.array(self.reasons, pa.string())])

    def split(self) -> tuple[pa.Table, pa.Table]:
        """Split into accepted items, and rejected ones with the column `reason`."""
        reasons = self.reason_array
        kept = pc.equal(reasons, "")
        rejected = self.items.append_column("reason", reasons).filter(pc.invert(kept))
        return self.items.filter(kept), rejected


@dataclass(frozen=True)
class Decision:
    """What a stage over the whole corpus has decided."""

    reasons: Sequence[str]
    """One per measured row; empty text for an accepted item."""
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)
    """New columns, one value per measured row."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the status and the data card show; a JSON object."""


class Stage:
    """Base of all stages."""

    version: ClassVar[int] = 1
    """Raised when the same parameters give another output, so that stored output is not used."""

    def files(self) -> Sequence[str | Path]:
        """Files and folders that the stage reads; a change of one changes the output."""
        return ()


class BatchStage(Stage, ABC):
    """A stage that needs one shard at a time."""

    @abstractmethod
    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """Accept or reject each item; the output has as many rows as the input."""


class CorpusStage(Stage, ABC):
    """A stage that compares items of all shards."""

    @abstractmethod
    def measure(self, items: pa.Table, shard: Shard) -> pa.Table:
        """Measure what the decision needs: a table with one row per item, in order."""

    @abstractmethod
    def decide(self, measured: pa.Table) -> Decision:
        """Decide about all items of the corpus.

        Args:
            measured: rows of `measure` of all shards in order, with the columns `item` and
                `source`.
        """


def reason_kind(reason: str) -> str:
    """Kind of a reason: the text before its first colon."""
    return reason.partition(":")[0]
