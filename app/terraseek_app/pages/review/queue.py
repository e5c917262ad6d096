"""Review queues: which items a rater works through, and in which order."""

from collections.abc import Callable, Sequence

import pandas as pd

from terraseek.review import ReviewLog

__all__ = ["QUEUES", "next_in_queue", "queue_items"]

QUEUES = {
    "search": "Hits of the search in Explore",
    "open": "Reviewed by fewer than two others",
    "new": "Not reviewed by anybody else",
    "all": "The whole catalogue",
    "mine": "Reviewed by me, to look again",
    "skipped": "Skipped by me",
}
"""Name of a queue -> its title on the page. The default, `open`, gives every item to at least two
raters, so that their agreement can be measured; imported ratings take no item off it."""
_OTHERS_PER_ITEM = 2
"""Other raters who decided about an item before it leaves the queue `open`."""
_REVIEWED_QUEUES = ("mine", "skipped")
"""Queues of items that the rater has already worked on."""


def queue_items(
    name: str,
    items: pd.DataFrame,
    log: ReviewLog,
    rater: str,
    *,
    hits: Sequence[str] = (),
    sources: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> list[str]:
    """Item ids of a queue, in working order.

    Args:
        name: key of `QUEUES`.
        items: columns item_id, source, label.
        log: records of all raters.
        rater: name of the rater who works on the queue.
        hits: item ids of the search in Explore, best first.
        sources: sources to keep; empty keeps all.
        labels: labels to keep; empty keeps all.
    """
    kept = pd.Series(True, index=items.index)
    if sources:
        kept &= items["source"].isin(list(sources))
    if labels:
        kept &= items["label"].isin(list(labels))
    ids = items.loc[kept, "item_id"].astype(str).tolist()
    if name == "search":
        known = set(ids)
        return [item for item in hits if item in known]
    belongs = _membership(name, log, rater)
    return [item for item in ids if belongs(item)]


def next_in_queue(
    name: str, queue: Sequence[str], log: ReviewLog, rater: str, after: str | None = None
) -> str | None:
    """The next item to show; None at the end of the queue.

    Queues of reviewed items are worked through in order; the others skip items that the rater has
    already worked on.

    Args:
        name: key of `QUEUES`.
        queue: item ids in working order.
        log: records of all raters.
        rater: name of the rater.
        after: item id to continue from; None starts at the beginning.
    """
    if name not in _REVIEWED_QUEUES:
        return log.next_item(rater, queue, after)
    position = queue.index(after) + 1 if after in queue else 0
    return queue[position] if position < len(queue) else None


def _membership(name: str, log: ReviewLog, rater: str) -> Callable[[str], bool]:
    """Whether an item belongs to a queue."""
    if name == "all":
        return lambda item: True
    if name in _REVIEWED_QUEUES:
        actions = {"skip"} if name == "skipped" else {"accept", "edit", "rate"}
        rater_actions = log.actions(rater)
        return lambda item: rater_actions.get(item) in actions
    if name == "new":
        others = log.decided_by_others(rater)
    else:
        others = log.decided_by_others(rater, _OTHERS_PER_ITEM, imported=False)
    return lambda item: item not in others
