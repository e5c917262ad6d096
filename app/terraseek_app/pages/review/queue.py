"""What a rater works through: kinds of queues, their items, and where to go next."""

from collections.abc import Callable, Sequence

import pandas as pd

from terraseek.review import ReviewLog

__all__ = ["KINDS", "following", "queue_items"]

KINDS = {
    "search": "Hits of the search in Explore",
    "open": "Not reviewed by anybody else",
    "all": "The whole catalogue",
    "mine": "Reviewed by me, to look again",
    "skipped": "Skipped by me",
}
"""Kind of queue → its name for people."""
_REVISITS = ("mine", "skipped")


def queue_items(
    kind: str,
    items: pd.DataFrame,
    log: ReviewLog,
    rater: str,
    *,
    hits: Sequence[str] = (),
    sources: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> list[str]:
    """Item ids of a queue in working order.

    Args:
        kind: key of `KINDS`.
        items: columns item_id, source, label.
        log: whose records decide the kinds that depend on reviews.
        rater: who is working.
        hits: item ids of the search, best first.
        sources: keep these; empty keeps all.
        labels: keep these; empty keeps all.
    """
    kept = pd.Series(True, index=items.index)
    if sources:
        kept &= items["source"].isin(list(sources))
    if labels:
        kept &= items["label"].isin(list(labels))
    ids = items.loc[kept, "item_id"].astype(str).tolist()
    if kind == "search":
        known = set(ids)
        return [item for item in hits if item in known]
    belongs = _membership(kind, log, rater)
    return [item for item in ids if belongs(item)]


def following(
    kind: str, queue: Sequence[str], log: ReviewLog, rater: str, after: str | None = None
) -> str | None:
    """The item to show next; None at the end.

    A queue of new items goes on with what this rater has not seen; one made to look again goes
    from item to item.
    """
    if kind not in _REVISITS:
        return log.next_item(rater, queue, after)
    place = queue.index(after) + 1 if after in queue else 0
    return queue[place] if place < len(queue) else None


def _membership(kind: str, log: ReviewLog, rater: str) -> Callable[[str], bool]:
    if kind == "all":
        return lambda item: True
    if kind in _REVISITS:
        wanted = {"skip"} if kind == "skipped" else {"accept", "edit", "rate"}
        own = log.actions(rater)
        return lambda item: own.get(item) in wanted
    others = log.decided_by_others(rater)
    return lambda item: item not in others
