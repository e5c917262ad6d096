"""Show fewer of the hits, or show them in another order; their ranks stay."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from terraseek.search.hits import Hit

__all__ = ["ORDERS", "Order", "refine"]

Order = Literal["score", "date", "place"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""Orders of hits: best first, latest first, or by name of the place."""


def refine(
    hits: Sequence[Hit],
    order: Order = "score",
    *,
    keys: Mapping[str, str] | None = None,
    min_score: float | None = None,
    only_significant: bool = False,
) -> list[Hit]:
    """Hits that pass the cuts, in an order.

    Args:
        hits: best first.
        order: one of `ORDERS`; equal ones and those without a key follow, best first.
        keys: date (ISO 8601) or name of the place by item id; needed for those orders.
        min_score: lowest score shown.
        only_significant: leave out hits that are not `likely`; those of unknown significance stay.
    """
    kept = [
        hit
        for hit in hits
        if (min_score is None or hit.score >= min_score)
        and not (only_significant and hit.significant is False)
    ]
    if order == "score":
        return kept
    by_id = keys or {}
    known = [hit for hit in kept if by_id.get(hit.item_id)]
    known.sort(key=lambda hit: by_id[hit.item_id].casefold(), reverse=order == "date")
    return [*known, *(hit for hit in kept if not by_id.get(hit.item_id))]
