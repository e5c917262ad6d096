"""History of one item: its row after each stage, up to the one that rejected it."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as pads

from terraseek.errors import ItemNotFoundError
from terraseek_train.corpus.items import SCHEMA
from terraseek_train.corpus.status import read_status, stage_folder

__all__ = ["explain_item"]


def explain_item(out: Path, item: str) -> list[dict[str, Any]]:
    """What happened to an item at every stage.

    Args:
        out: folder of the corpus.
        item: id `source/key`, or the address of its image.

    Returns:
        For each stage that the item reached: `stage`, `outcome` (accepted or rejected), `reason`,
        and `changes`, the columns that the stage added or changed.

    Raises:
        ItemNotFoundError: no stage has seen this item.
        CatalogueNotFoundError: the folder is no corpus.
    """
    history: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    names = [stage["name"] for stage in read_status(out)]
    for number, name in enumerate(names, start=1):
        row, outcome = _find(stage_folder(out, number, name), item)
        if row is None:
            break
        reason = row.pop("reason", "") or ""
        before = before or {key: row[key] for key in SCHEMA.names if key in row}
        changes = {
            key: value
            for key, value in row.items()
            if before.get(key) != value and not key.startswith("vector ")
        }
        history.append({"stage": name, "outcome": outcome, "reason": reason, "changes": changes})
        before = row
    if not history:
        raise ItemNotFoundError(f"{item} is in no stage of {out}; ids are source/key")
    return history


def _find(folder: Path, item: str) -> tuple[dict[str, Any] | None, str]:
    for outcome in ("accepted", "rejected"):
        files = sorted((folder / outcome).glob("*.parquet"))
        for file in files:
            table = pads.dataset(file).to_table(
                filter=(pc.field("item") == item) | (pc.field("url") == item)
            )
            if len(table):
                return table.slice(0, 1).to_pylist()[0], outcome
    return None, ""
