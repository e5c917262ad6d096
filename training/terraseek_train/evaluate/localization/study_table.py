"""The tables of a study, as Markdown between two markers of a document."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.errors import OutputError
from terraseek.files import read_json, write_json, write_text
from terraseek.localization.methods.dense_availability import DENSE_SCORE
from terraseek_train.evaluate.localization.study import Record

__all__ = ["BEGIN", "END", "note_dense", "place", "tables"]

BEGIN, END = "<!-- study: begin -->", "<!-- study: end -->"
_NUMBERS = (
    ("roc_auc", "ROC-AUC"),
    ("average_precision", "AP"),
    ("Rsu", "Rsu"),
    ("Ras", "Ras"),
    ("Rda", "Rda"),
    ("Rmi", "Rmi"),
)
_STEADY = (
    ("shifted", "1 - r, shifted", 3),
    ("cropped", "1 - r, cropped", 3),
    ("difference", "mean difference", 3),
    ("peak_px", "peak moved, px", 0),
)


def tables(records: Sequence[Record]) -> str:
    """One table per set, one of stability; rows in the order they were measured.

    Rows are compared on the sentences all of them were asked. Of a study that was stopped a second
    table follows, of the rows that were asked more.
    """
    parts = []
    for name in dict.fromkeys(record["set"] for record in records):
        mine = [record for record in records if record["set"] == name and "Rmi" in record]
        parts += [_quality(name, level) for level in _levels(mine)]
    steady = [record for record in records if "shifted" in record]
    if steady:
        parts.append(_steadiness(steady))
    models = ", ".join(dict.fromkeys(str(record["encoder_id"]) for record in records))
    return "\n\n".join([*parts, f"Model: {models}."]) + "\n"


def _levels(records: list[Record]) -> list[list[Record]]:
    """All rows on what they share; then those asked more, on what these share, if that is more."""
    asked = {
        variant: {_question(record) for record in mine}
        for variant, mine in _by_variant(records).items()
    }
    shared = set.intersection(*asked.values()) if asked else set()
    found = [[record for record in records if _question(record) in shared]] if shared else []
    longer = {variant: mine for variant, mine in asked.items() if mine > shared}
    more = set.intersection(*longer.values()) if longer else set()
    if len(longer) > 1 and more > shared:
        found.append([r for r in records if r["variant"] in longer and _question(r) in more])
    return found


def _question(record: Record) -> tuple[str, str]:
    return record["image"], record["caption"]


def _quality(name: str, records: list[Record]) -> str:
    scenes = len({record["image"] for record in records})
    asked = len({_question(record) for record in records})
    share = float(np.mean([record["positive_share"] for record in records]))
    lines = [
        f"**{name}**: {scenes} scenes, {asked} sentences, {share:.2%} of the pixels true "
        "(the AP of a random map).",
        "",
        "| | passes a scene | " + " | ".join(words for _, words in _NUMBERS) + " |",
        "|---|---|" + "---|" * len(_NUMBERS),
    ]
    for variant, mine in _by_variant(records).items():
        per_scene = {record["image"]: record["passes"] for record in mine}
        values = [f"{np.mean([record[key] for record in mine]):.3f}" for key, _ in _NUMBERS]
        passes = f"{np.mean(list(per_scene.values())):,.0f}"
        lines.append(f"| {variant} | {passes} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _steadiness(records: list[Record]) -> str:
    lines = [
        f"**Stability**, {len({(r['set'], r['image']) for r in records})} scenes; 0 is the same "
        "map.",
        "",
        "| | " + " | ".join(words for _, words, _ in _STEADY) + " |",
        "|---|" + "---|" * len(_STEADY),
    ]
    for variant, mine in _by_variant(records).items():
        cells = [f"{np.mean([r[key] for r in mine]):.{digits}f}" for key, _, digits in _STEADY]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_variant(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record["variant"], []).append(record)
    return found


def place(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Put text between two marker lines of a document, in place of what was there.

    Raises:
        OutputError: the document cannot be read or written, or lacks the markers.
    """
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error})") from error
    if (
        before.count(begin) != 1
        or before.count(end) != 1
        or before.index(begin) > before.index(end)
    ):
        raise OutputError(f"{path} must hold the lines {begin} and {end} once, in this order")
    head, rest = before.split(begin)
    tail = rest.split(end)[1]
    try:
        write_text(path, f"{head}{begin}\n{text}{end}{tail}")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}); choose another") from error


def note_dense(card: Path, records: Sequence[Record]) -> None:
    """Write into a model card how method dense compares with windows, both at their defaults.

    Sentences count that were asked with both; every set counts the same, however many it has.
    Whether the method is offered with the model follows, see
    `terraseek.localization.methods.dense_availability`.

    Raises:
        OutputError: the two were not measured, or the card cannot be read or written.
    """
    found: dict[str, Any] = {}
    both = [
        record
        for record in records
        if record["variant"].startswith(("dense, default (", "terraseek, default ("))
        and "Rmi" in record
    ]
    asked = Counter((record["set"], record["image"], record["caption"]) for record in both)
    shared = [r for r in both if asked[r["set"], r["image"], r["caption"]] == 2]
    for key, head in (("dense", "dense"), ("windows", "terraseek")):
        mine = [record for record in shared if record["variant"].startswith(head)]
        if not mine:
            raise OutputError(f"{card} gets nothing: dense and windows were not both measured")
        found[key] = {
            measure: round(_mean_of_sets(mine, measure), 4)
            for measure in ("roc_auc", "average_precision")
        }
    found["scenes"] = len({(record["set"], record["image"]) for record in shared})
    found["sets"] = sorted({record["set"] for record in shared})
    try:
        facts = read_json(card)
        scores = dict(facts.get("scores") or {})
        write_json(card, facts | {"scores": scores | {DENSE_SCORE: found}})
    except (OSError, ValueError) as error:
        raise OutputError(f"{card} cannot be read or written ({error})") from error


def _mean_of_sets(records: Sequence[Record], measure: str) -> float:
    by_set: dict[str, list[float]] = {}
    for record in records:
        by_set.setdefault(record["set"], []).append(record[measure])
    return float(np.mean([np.mean(values) for values in by_set.values()]))
