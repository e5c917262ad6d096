"""Data card: counts per source and stage in the shape of RS5M's table, licences, and the recipe."""

from pathlib import Path
from typing import Any

from terraseek.files import write_json, write_text
from terraseek_train.corpus.leakage.texts import leakage_text
from terraseek_train.corpus.recipe import Recipe
from terraseek_train.corpus.status import read_status

__all__ = ["write_card"]


def write_card(recipe: Recipe, out: Path, splits: dict[str, int], facts: dict[str, Any]) -> None:
    """Write `card.json` and `card.md`.

    The arithmetic is asserted: of every source, what went in minus all rejected is what remains;
    what one stage accepts goes into the next one, but for shards that failed.

    Args:
        recipe: the recipe.
        out: folder of the corpus.
        splits: items in `train` and `val`.
        facts: further measurements, such as geo-statistics.
    """
    stages = read_status(out)
    names = [source.name for source in recipe.sources]
    rows = {name: _counts(name, stages) for name in names}
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    assert total[-1] == sum(splits.values()), (total, splits)
    licences = {source.name: source.licence for source in recipe.sources}
    leakage = leakage_text(recipe, stages)
    card = {
        "name": recipe.name,
        "recipe": recipe.digest,
        "description": recipe.description,
        "columns": ["in", *[stage["name"] for stage in stages], "remain"],
        "sources": rows,
        "total": total,
        "licences": licences,
        "leakage": leakage,
        "splits": splits,
        "stages": {stage["name"]: stage["facts"] for stage in stages},
        **facts,
    }
    write_json(out / "card.json", card)
    bare = facts.get("without_image", 0)
    missing = f" {bare:,} of these have an address and no image." if bare else ""
    header = ["source", "in", *[stage["name"] for stage in stages], "remain", "licence"]
    body = [[name, *map(_count, row), licences[name]] for name, row in rows.items()]
    lines = [
        f"# {recipe.name}",
        "",
        recipe.description or "A corpus made by `terraseek corpus run`.",
        "",
        f"Recipe {recipe.digest}. {splits['train']:,} items in train, {splits['val']:,} in val."
        + missing,
        "A stage's column has the items that it rejected.",
        "",
        f"{leakage[0].upper()}{leakage[1:]}.",
        "",
        table(header, [*body, ["total", *map(_count, total), ""]]),
    ]
    write_text(out / "card.md", "\n".join(lines) + "\n")


def _counts(source: str, stages: list[dict[str, Any]]) -> list[int]:
    """Items that went in, those that each stage rejected, and those that remain."""
    counted = [stage["sources"].get(source, [0, 0]) for stage in stages]
    first = sum(counted[0]) if counted else 0
    rejected = [counts[1] for counts in counted]
    remain = counted[-1][0] if counted else 0
    failed = any(stage["failed"] for stage in stages)
    assert failed or first - sum(rejected) == remain, (source, first, rejected, remain)
    return [first, *rejected, remain]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(value: int) -> str:
    return f"{value:,}"
