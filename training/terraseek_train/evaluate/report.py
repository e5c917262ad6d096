"""Results with intervals, and comparisons of two models, as JSON values and text tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terraseek_train.evaluate.bootstrap import Difference, Interval, UnitSums, intervals, paired

__all__ = ["Result", "comparison", "comparison_lines", "figure", "rounded"]


@dataclass(frozen=True)
class Result:
    """The result of one model: its numbers, and the contributions of the units to them."""

    model: str
    score: dict[str, Any]
    """JSON values, as the command prints them."""
    unit_sums: tuple[UnitSums, ...]
    """One per kind of unit; their names are the headline numbers."""
    published: tuple[dict[str, Any], ...] = ()
    """Published results beside this one, as `evaluate.published` gives them."""

    def intervals(self) -> dict[str, Interval | None]:
        """Compute the 95 % bootstrap interval of every headline number."""
        return {k: ends for sums in self.unit_sums for k, ends in intervals(sums).items()}

    def to_json(self, digits: int) -> dict[str, Any]:
        """Add `intervals`, `{number: [low, high]}`, null for a single unit, and `published`."""
        found = {k: rounded(ends, digits) for k, ends in self.intervals().items()}
        published = {"published": list(self.published)} if self.published else {}
        return self.score | {"intervals": found} | published


def rounded(ends: Interval | None, digits: int) -> list[float] | None:
    """Convert an interval to JSON."""
    return None if ends is None else [round(end, digits) for end in ends]


def figure(value: float, ends: Interval | None, digits: int = 2) -> str:
    """Format a number as `53.55 [51.3, 55.7]`; the interval has one digit less."""
    if ends is None:
        return f"{value:.{digits}f}"
    low, high = (f"{end:.{digits - 1}f}" for end in ends)
    return f"{value:.{digits}f} [{low}, {high}]"


def _differences(a: Result, b: Result) -> dict[str, Difference]:
    pairs = zip(a.unit_sums, b.unit_sums, strict=True)
    return {name: found for one, two in pairs for name, found in paired(one, two).items()}


def comparison(a: Result, b: Result, digits: int) -> dict[str, Any]:
    """Compare two models, as JSON.

    `{"models": [A, B], "a": …, "b": …, "difference": {number: {"value", "interval", "p"}}}`.

    Args:
        a: first model.
        b: second model, on the same data; differences are b - a.
        digits: decimals of numbers and intervals; p has four.
    """
    differences = {
        name: {
            "value": round(found.value, digits),
            "interval": rounded(found.interval, digits),
            "p": round(found.p, 4),
        }
        for name, found in _differences(a, b).items()
    }
    return {
        "models": [a.model, b.model],
        "a": a.to_json(digits),
        "b": b.to_json(digits),
        "difference": differences,
    }


def comparison_lines(
    a: Result, b: Result, labels: Mapping[str, str], digits: int = 2
) -> Sequence[str]:
    """Compare two models in a table with one line per number: A, B, B - A with its interval, p.

    Args:
        a: first model.
        b: second model, on the same data.
        labels: label of each headline number.
        digits: decimals.
    """
    ends_a, ends_b = a.intervals(), b.intervals()
    rows = [("", f"A {a.model}", f"B {b.model}", "B - A", "p")]
    for name, found in _differences(a, b).items():
        one, two = (figure(m.score[name], e[name], digits) for m, e in ((a, ends_a), (b, ends_b)))
        gap = figure(found.value, found.interval, digits)
        gap = gap if found.value < 0 else f"+{gap}"
        rows.append((labels[name], one, two, gap, f"{found.p:.4f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
