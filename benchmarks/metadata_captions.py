"""How well metadata captions are parsed: recall and precision per field, against annotations.

    python benchmarks/metadata_captions.py rs3_dump.csv ANNOTATIONS.txt [--json]

The annotations are a text file of lines `row|place|country|season|moment|gsd|utm|cloud|scan|
azimuth|off-nadir|class|relative|first words of the generated sentence`, where `row` counts the
seeded sample from 0; a row that is not listed has no metadata. The file quotes captions, so it is
kept with them and is not part of this repository.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from terraseek.catalogue.metadata.caption_parser import ParsedCaption, parse_metadata_caption

ROWS, SEED = 200, 20261121
FIELDS = (
    "place", "country", "season", "captured_at", "gsd_m", "utm", "cloud_percent", "scan_direction",
    "azimuth_deg", "off_nadir_deg", "label", "relative_location", "sentence",
)  # fmt: skip
NUMBERS = {"gsd_m", "cloud_percent", "azimuth_deg", "off_nadir_deg"}


def read_annotations(path: Path) -> dict[int, dict[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    cells = [line.split("|") for line in lines if line]
    truth = {int(row[0]): dict(zip(FIELDS, row[1:], strict=True)) for row in cells}
    for facts in truth.values():
        facts["relative_location"] = facts["relative_location"].replace(",", " and ")
    return truth


def agrees(field: str, parsed: object, annotated: str) -> bool:
    if field == "sentence":
        return str(parsed).startswith(annotated)
    if field in NUMBERS:
        return isinstance(parsed, float) and parsed == float(annotated)
    return parsed == annotated


def score(captions: list[str], truth: dict[int, dict[str, str]]) -> dict[str, dict[str, float]]:
    counts = {field: {"annotated": 0, "parsed": 0, "correct": 0} for field in FIELDS}
    for row, caption in enumerate(captions):
        found = parse_metadata_caption(caption) or ParsedCaption("", "")
        for field in FIELDS:
            annotated, parsed = truth.get(row, {}).get(field, ""), getattr(found, field)
            has_value = parsed not in (None, "")
            count = counts[field]
            count["annotated"] += annotated != ""
            count["parsed"] += has_value
            count["correct"] += annotated != "" and has_value and agrees(field, parsed, annotated)
    return {
        field: {
            **count,
            "recall": count["correct"] / max(count["annotated"], 1),
            "precision": count["correct"] / max(count["parsed"], 1),
        }
        for field, count in counts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("captions", type=Path, help="CSV with a column `caption`")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    sample = pd.read_csv(given.captions).sample(ROWS, random_state=SEED)
    table = score(sample["caption"].tolist(), read_annotations(given.truth))
    if given.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'field':18} {'annotated':>9} {'parsed':>6} {'recall':>7} {'precision':>9}")
    for field, row in table.items():
        print(
            f"{field:18} {row['annotated']:9} {row['parsed']:6} {row['recall']:7.3f} "
            f"{row['precision']:9.3f}"
        )


if __name__ == "__main__":
    main()
