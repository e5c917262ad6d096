"""Review queues: which items a rater works through, and in which order."""

from collections.abc import Sequence

import pandas as pd

from terraseek.review import ReviewLog

__all__ = ["QUEUES", "filtered_ids", "next_in_queue", "queue_items"]

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


def filtered_ids(
    items: pd.DataFrame, sources: Sequence[str] = (), labels: Sequence[str] = ()
) -> list[str]:
    """Item ids of the items that pass the filter of the page, in working order.

    Args:
        items: columns item_id, source, label.
        sources: sources to keep; empty keeps all.
        labels: labels to keep; empty keeps all.
    """
    kept = pd.Series(True, index=items.index)
    if sources:
        kept &= items["source"].isin(list(sources))
    if labels:
        kept &= items["label"].isin(list(labels))
    return items.loc[kept, "item_id"].astype(str).tolist()


def queue_items(
    name: str, ids: list[str], log: ReviewLog, rater: str, *, hits: Sequence[str] = ()
) -> list[str]:
    """Item ids of a queue, in working order; `ids` itself if all of them belong to it.

    Args:
        name: key of `QUEUES`.
        ids: `filtered_ids`, possibly millions.
        log: records of all raters.
        rater: name of the rater who works on the queue.
        hits: item ids of the search in Explore, best first.
    """
    if name == "search":
        known = set(hits).intersection(ids)
        return [item for item in hits if item in known]
    if name in _REVIEWED_QUEUES:
        wanted = {"skip"} if name == "skipped" else {"accept", "edit", "rate"}
        own = {item for item, action in log.actions(rater).items() if action in wanted}
        return [item for item in ids if item in own]
    others: set[str] = set()
    if name == "new":
        others = log.decided_by_others(rater)
    elif name == "open":
        others = log.decided_by_others(rater, _OTHERS_PER_ITEM, imported=False)
    return [item for item in ids if item not in others] if others else ids


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
