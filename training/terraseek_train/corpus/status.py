"""State of a corpus: a row per stage with counts, rejections, failed shards and rates."""

from pathlib import Path
from typing import Any

from terraseek.errors import CatalogueNotFoundError
from terraseek.files import read_json

__all__ = ["read_status", "stage_folder", "status_lines"]


def stage_folder(out: Path, number: int, name: str) -> Path:
    """Folder of a stage; `number` counts from 1."""
    return out / "stages" / f"{number:02}-{name}"


def read_status(out: Path) -> list[dict[str, Any]]:
    """Summaries of the stages that have run, in order, as `stage.json` has them.

    Each gets `items_per_s` (per worker) and `share` of the time of all stages, 0 to 1.

    Raises:
        CatalogueNotFoundError: the folder is no corpus.
    """
    if not (out / "recipe.json").exists():
        raise CatalogueNotFoundError(f"{out} is no corpus; make one with: terraseek corpus run")
    names = [stage["name"] for stage in read_json(out / "recipe.json")["stages"]]
    files = [stage_folder(out, n, name) / "stage.json" for n, name in enumerate(names, start=1)]
    stages = [read_json(file) for file in files if file.exists()]
    seconds = sum(stage["seconds"] for stage in stages) or 1.0
    for stage in stages:
        stage["items_per_s"] = round(stage["in"] / stage["seconds"], 1) if stage["seconds"] else 0.0
        stage["share"] = round(stage["seconds"] / seconds, 4)
    return stages


def status_lines(stages: list[dict[str, Any]]) -> list[str]:
    """Table of the stages for people."""
    lines = [
        f"{'stage':18} {'in':>10} {'accepted':>10} {'rejected':>10} {'items/s':>9} {'time':>6}"
        "  reasons"
    ]
    for stage in stages:
        reasons = ", ".join(f"{kind} {count}" for kind, count in stage["reasons"].items())
        failed = f"; {len(stage['failed'])} shards failed" if stage["failed"] else ""
        lines.append(
            f"{stage['name']:18} {stage['in']:10,} {stage['accepted']:10,} "
            f"{stage['rejected']:10,} {stage['items_per_s']:9,.0f} {stage['share']:6.1%}  "
            f"{reasons}{failed}"
        )
    return lines
