"""Mean ratings by subset of RS5M, beside the published ones (arXiv 2306.11300)."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.catalogue.importing.image_names import subset_of
from terraseek.errors import AnnotationError
from terraseek.review.criteria import CRITERIA

__all__ = ["PUBLISHED_RATINGS", "subset_ratings"]

PUBLISHED_RATINGS: dict[str, tuple[int, float, float, float]] = {
    "all": (2_000, 4.53, 4.73, 4.94),
    "ben": (310, 4.41, 4.54, 4.80),
    "fmow": (617, 4.85, 4.87, 4.98),
    "millionaid": (878, 4.34, 4.70, 4.97),
}
"""Number of captions (about 2,000 in all), and means of relevance, hallucination and fluency."""
_SCORES = {"1", "2", "3", "4", "5"}


def subset_ratings(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """Mean score, 1 to 5, of each criterion by subset, and over all captions.

    A missing or invalid score does not count.

    Args:
        paths: tables in RS5M's layout (`image_path, description, relevance_detail, ...`).

    Returns:
        By subset (`all` first): `captions`, and the mean and number of scores of each criterion.

    Raises:
        AnnotationError: a table lacks a column.
    """
    scores: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[str, int] = defaultdict(int)
    for path in paths:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"image_path", *(c.key for c in CRITERIA)} - set(reader.fieldnames or ())
            if missing:
                raise AnnotationError(f"{path} has no column {min(missing)}; is it RS5M's layout?")
            for row in reader:
                for group in ("all", subset_of(row["image_path"]) or "other"):
                    rows[group] += 1
                    for criterion in CRITERIA:
                        score = str(row[criterion.key] or "").strip().removesuffix(".0")
                        if score in _SCORES:
                            scores[group][criterion.key].append(int(score))
    return {
        group: {
            "captions": rows[group],
            **{
                c.key: {
                    "mean": round(float(np.mean(found)), 2) if found else None,
                    "scores": len(found),
                }
                for c in CRITERIA
                for found in (scores[group][c.key],)
            },
        }
        for group in sorted(rows, key=lambda group: (group != "all", group))
    }
