"""Tables of a localization study as Markdown, and its scores in a model card."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from terraseek.errors import OutputError
from terraseek.files import read_json, write_json
from terraseek.localization.methods.dense_availability import DENSE_SCORE, MIXED_SCORE
from terraseek_train.evaluate.localization.study import Record

__all__ = ["BEGIN", "END", "tables", "write_dense_score"]

BEGIN, END = "<!-- study: begin -->", "<!-- study: end -->"
"""Markers around the tables in a document."""
_NUMBERS = (
    ("roc_auc", "ROC-AUC"),
    ("average_precision", "AP"),
    ("Rsu", "Rsu"),
    ("Ras", "Ras"),
    ("Rda", "Rda"),
    ("Rmi", "Rmi"),
)
_STABILITY = (
    ("shifted", "1 - r, shifted", 3),
    ("cropped", "1 - r, cropped", 3),
    ("difference", "mean difference", 3),
    ("peak_px", "peak moved, px", 0),
)


def tables(records: Sequence[Record]) -> str:
    """Format one table of quality per set, and one of stability; rows in the order measured.

    Variants are compared on the sentences that all of them were measured on. For an interrupted
    study a second table compares the variants that were measured on more sentences.
    """
    parts = []
    for name in dict.fromkeys(record["set"] for record in records):
        of_set = [record for record in records if record["set"] == name and "Rmi" in record]
        parts += [_quality_table(name, group) for group in _comparable(of_set)]
    stability = [record for record in records if "shifted" in record]
    if stability:
        parts.append(_stability_table(stability))
    models = ", ".join(dict.fromkeys(str(record["encoder_id"]) for record in records))
    return "\n\n".join([*parts, f"Model: {models}."]) + "\n"


def _comparable(records: list[Record]) -> list[list[Record]]:
    """Group records into comparable ones.

    The first group has all variants on the sentences they share. The second, if any, has the
    variants with more sentences, on those that they share.
    """
    queries = {
        variant: {_query(record) for record in of_variant}
        for variant, of_variant in _by_variant(records).items()
    }
    shared = set.intersection(*queries.values()) if queries else set()
    groups = [[record for record in records if _query(record) in shared]] if shared else []
    longer = {variant: of_variant for variant, of_variant in queries.items() if of_variant > shared}
    more = set.intersection(*longer.values()) if longer else set()
    if len(longer) > 1 and more > shared:
        groups.append([r for r in records if r["variant"] in longer and _query(r) in more])
    return groups


def _query(record: Record) -> tuple[str, str]:
    return record["image"], record["caption"]


def _quality_table(name: str, records: list[Record]) -> str:
    scenes = len({record["image"] for record in records})
    sentences = len({_query(record) for record in records})
    share = float(np.mean([record["positive_share"] for record in records]))
    lines = [
        f"**{name}**: {scenes} scenes, {sentences} sentences, {share:.2%} of the pixels true "
        "(the AP of a random map).",
        "",
        "| | passes a scene | " + " | ".join(words for _, words in _NUMBERS) + " |",
        "|---|---|" + "---|" * len(_NUMBERS),
    ]
    for variant, of_variant in _by_variant(records).items():
        per_scene = {record["image"]: record["passes"] for record in of_variant}
        values = [f"{np.mean([record[key] for record in of_variant]):.3f}" for key, _ in _NUMBERS]
        passes = f"{np.mean(list(per_scene.values())):,.0f}"
        lines.append(f"| {variant} | {passes} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _stability_table(records: list[Record]) -> str:
    lines = [
        f"**Stability**, {len({(r['set'], r['image']) for r in records})} scenes; 0 is the same "
        "map.",
        "",
        "| | " + " | ".join(words for _, words, _ in _STABILITY) + " |",
        "|---|" + "---|" * len(_STABILITY),
    ]
    for variant, of_variant in _by_variant(records).items():
        cells = [
            f"{np.mean([record[key] for record in of_variant]):.{digits}f}"
            for key, _, digits in _STABILITY
        ]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_variant(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record["variant"], []).append(record)
    return found


def write_dense_score(card: Path, records: Sequence[Record]) -> None:
    """Write the scores of methods dense, terraseek and windows, at their defaults, into a card.

    The sentences are those measured with all of the methods; every set has the same weight. The
    scores decide where cells stand for windows, see
    `terraseek.localization.methods.dense_availability`. Method terraseek is left out if it was not
    measured.

    Raises:
        OutputError: dense or windows was not measured, or the card cannot be read or written.
    """
    rows = {"dense": "dense, default (", "windows": "windows, default ("}
    mixed = "terraseek, cells and windows ("
    if any(record["variant"].startswith(mixed) for record in records):
        rows["terraseek"] = mixed
    used = [r for r in records if r["variant"].startswith(tuple(rows.values())) and "Rmi" in r]
    count = Counter((record["set"], record["image"], record["caption"]) for record in used)
    shared = [r for r in used if count[r["set"], r["image"], r["caption"]] == len(rows)]
    means = {}
    for method, name in rows.items():
        of_method = [record for record in shared if record["variant"].startswith(name)]
        if not of_method:
            raise OutputError(
                f"{card} is not changed: methods dense and windows were not both measured"
            )
        means[method] = {
            measure: round(_mean_of_sets(of_method, measure), 4)
            for measure in ("roc_auc", "average_precision")
        }
    measured = {
        "windows": means["windows"],
        "scenes": len({(record["set"], record["image"]) for record in shared}),
        "sets": sorted({record["set"] for record in shared}),
    }
    entries = {DENSE_SCORE: {"dense": means["dense"]} | measured}
    if "terraseek" in means:
        entries[MIXED_SCORE] = {"terraseek": means["terraseek"]} | measured
    try:
        facts = read_json(card)
        all_scores = dict(facts.get("scores") or {})
        write_json(card, facts | {"scores": all_scores | entries})
    except (OSError, ValueError) as error:
        raise OutputError(f"{card} cannot be read or written ({error})") from error


def _mean_of_sets(records: Sequence[Record], measure: str) -> float:
    by_set: dict[str, list[float]] = {}
    for record in records:
        by_set.setdefault(record["set"], []).append(record[measure])
    return float(np.mean([np.mean(values) for values in by_set.values()]))
