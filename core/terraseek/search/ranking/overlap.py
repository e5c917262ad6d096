"""How much two rankings agree."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Overlap", "compare_rankings"]

_PERSISTENCE = 0.9
"""Weight of each further rank relative to the one before in rank-biased overlap."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Agreement of two rankings."""

    common: tuple[str, ...]
    """Items in both, in the order of the first."""
    n_first: int
    """Length of the first ranking."""
    n_second: int
    """Length of the second ranking."""
    rbo: float
    """Rank-biased overlap, 0 (nothing in common) to 1 (equal); the top counts most."""
    rank_changes: tuple[tuple[str, int, int], ...]
    """(item, rank in the first, rank in the second) of the common items, ranks from 1."""

    @property
    def jaccard(self) -> float:
        """Common items divided by all items of both; 1 for two empty rankings."""
        union = self.n_first + self.n_second - len(self.common)
        return len(self.common) / union if union else 1.0


def compare_rankings(first: Sequence[str], second: Sequence[str]) -> Overlap:
    """Compare two rankings of item ids, best first, each without repetition.

    `rbo` is the extrapolated rank-biased overlap (Webber, Moffat, Zobel 2010, eq. 32 for rankings
    cut at the same depth), with persistence p = 0.9: the first ten ranks have 86 % of its weight.
    It is computed to the length of the shorter ranking.
    """
    ranks = {item: rank for rank, item in enumerate(second, 1)}
    common = tuple(item for item in first if item in ranks)
    changes = tuple(
        (item, rank, ranks[item]) for rank, item in enumerate(first, 1) if item in ranks
    )
    return Overlap(common, len(first), len(second), _rank_biased(first, second), changes)


def _rank_biased(first: Sequence[str], second: Sequence[str]) -> float:
    depth = min(len(first), len(second))
    if depth == 0:
        return 1.0 if len(first) == len(second) else 0.0
    seen_first: set[str] = set()
    seen_second: set[str] = set()
    shared, total = 0, 0.0
    for rank in range(1, depth + 1):
        one, other = first[rank - 1], second[rank - 1]
        shared += one == other or (one in seen_second) + (other in seen_first)
        seen_first.add(one)
        seen_second.add(other)
        total += shared / rank * _PERSISTENCE**rank
    agreement = shared / depth
    weight = (1 - _PERSISTENCE) / _PERSISTENCE
    return agreement * _PERSISTENCE**depth + weight * total
