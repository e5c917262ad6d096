"""Keyword filter: captions that name remote sensing, its applications, companies or sensors.

RS5M paper (arXiv 2306.11300), appendix B2. Patterns are stems, found anywhere in the caption and in
any case: "aerial imag" matches "Aerial imagery".
"""

import re
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from terraseek.catalogue.metadata.rs_keywords import APPLICATIONS, NOUNS
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput

__all__ = ["GROUPS", "Keywords"]

GROUPS = {"nouns": NOUNS, "applications": APPLICATIONS}
"""Patterns by group, in lower case."""


@dataclass(frozen=True)
class Keywords(BatchStage):
    """Keep an item if any pattern is in its caption."""

    groups: tuple[str, ...] = ("nouns", "applications")
    """Groups of patterns."""
    more: tuple[str, ...] = ()
    """Further patterns, as plain text."""

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """All patterns, in lower case."""
        own = (pattern.lower() for pattern in self.more)
        return (*(p for group in self.groups for p in GROUPS[group]), *own)

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`; facts are captions per pattern of the accepted items."""
        captions = items.column("caption")
        found = matches_any(captions, self.patterns)
        facts = count_patterns(captions.filter(found), self.patterns)
        reasons = pc.if_else(found, "", "no keyword")
        return StageOutput(items, reasons, facts)


def matches_any(captions: pa.ChunkedArray, patterns: tuple[str, ...]) -> pa.ChunkedArray:
    """Whether any pattern is in a caption, in any case; null is not."""
    expression = "|".join(re.escape(pattern) for pattern in patterns)
    found = pc.match_substring_regex(captions, expression, ignore_case=True)
    return pc.fill_null(found, False)


def count_patterns(captions: pa.ChunkedArray, patterns: tuple[str, ...]) -> dict[str, int]:
    """Number of captions that contain each pattern; patterns without one are left out."""
    lower = pc.utf8_lower(captions)
    counts = {
        pattern: pc.sum(pc.match_substring(lower, pattern)).as_py() or 0 for pattern in patterns
    }
    return {pattern: count for pattern, count in counts.items() if count}
