"""Evaluation sets that a corpus must not contain: those of its recipe, or those that are found."""

import json
import os
from pathlib import Path
from typing import Any

from terraseek_benchmarks import benchmarks
from terraseek_train.evaluate.suite import find_files

__all__ = ["DATA_VARIABLE", "find_evaluation_sets", "leakage_text"]

DATA_VARIABLE = "TERRASEEK_DATA"
"""Environment variable with the folder of all data sets."""


def find_evaluation_sets() -> tuple[str, ...]:
    """Published benchmarks of whole images whose files are below `$TERRASEEK_DATA`.

    Each is a JSON object with the keys of a training config's source. Of sets with splits, only the
    split that is measured is in it.
    """
    root = os.environ.get(DATA_VARIABLE)
    found = []
    for bench in benchmarks().values() if root else ():
        files = find_files(bench, Path(root or ""))
        if files is None or bench.task == "localization":
            continue  # its scenes are larger than the images of a corpus
        images, annotations = files
        source = {"name": bench.name, "images": str(images), "split": bench.split}
        if bench.task == "retrieval" and annotations is not None:
            source["captions"] = str(annotations)
        found.append(json.dumps(source, sort_keys=True))
    return tuple(found)


def leakage_text(wanted: bool, stages: list[dict[str, Any]]) -> str:
    """Say in one line what was checked for leakage, or why nothing was.

    Args:
        wanted: the recipe's `leakage`.
        stages: summaries of its stages.
    """
    gates = [stage for stage in stages if stage["stage"] == "leakage"]
    if gates:
        counts = {k: n for gate in gates for k, n in gate["facts"].get("found", {}).items()}
        sets = ", ".join(f"{name} ({count:,} found)" for name, count in counts.items())
        rejected = sum(gate["rejected"] for gate in gates)
        unseen = sum(gate["facts"].get("not compared", 0) for gate in gates)
        text = f"leakage: checked against {sets or 'no set'}; {rejected:,} items rejected"
        if unseen:
            text += f"; {unseen:,} not compared: their image is missing, unreadable or plain"
        return text
    if not wanted:
        return 'leakage: not checked, as the recipe has "leakage": false'
    return (
        "leakage: nothing to check against; name your evaluation sets in the recipe "
        f'("evaluation"), or set {DATA_VARIABLE} to the folder of the published ones; '
        '"leakage": false turns the check off'
    )
