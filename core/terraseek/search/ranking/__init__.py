"""What is done with ranked hits: other orders, cuts, and comparison of two rankings."""

from terraseek.search.ranking.overlap import Overlap, compare_rankings
from terraseek.search.ranking.refine import ORDERS, refine

__all__ = ["ORDERS", "Overlap", "compare_rankings", "refine"]
