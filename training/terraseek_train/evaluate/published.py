"""Published results of a model card beside those of a run, if the protocols are the same.

A figure means something only beside one that was measured in the same way, so a published figure
is given only where data set, split and all that the card states about the protocol are equal; for
other runs on the same data set the differences are named instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard

__all__ = ["Run", "published_beside", "published_lines"]


@dataclass(frozen=True)
class Run:
    """What was measured, in the terms of the published protocols."""

    task: str
    """`retrieval` or `zeroshot`."""
    data: Path
    """Caption file or image folder; its name and that of its folder tell the data set."""
    facts: Mapping[str, Any]
    """Split, sizes and prompts, as in `protocol` of a card."""

    def is_on(self, dataset: str) -> bool:
        """Return whether the data set is named in the last two parts of the path."""
        return any(_plain(dataset) in _plain(part) for part in self.data.absolute().parts[-2:])


def published_beside(
    card: ModelCard, run: Run, score: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Compare the score of a run with the published results for its task and data set, as JSON.

    Args:
        card: of the model.
        run: what was measured.
        score: figures of the run, by the names they have in cards.

    Returns:
        One object per published result: `dataset`, `source`, `comparable`, and `figures` (`{name:
        {"published", "here"}}`) if it is, else `differences` (`{name: {"published", "here"}}`).
    """
    found = [r for r in card.published if r["task"] == run.task and run.is_on(r["dataset"])]
    return tuple(_beside(result, run, score) for result in found)


def _beside(result: Mapping[str, Any], run: Run, score: Mapping[str, Any]) -> dict[str, Any]:
    origin = {"dataset": result["dataset"], "source": result["source"]}
    differences = {
        name: {"published": value, "here": run.facts.get(name)}
        for name, value in result["protocol"].items()
        if run.facts.get(name) != value
    }
    if differences:
        return origin | {"comparable": False, "differences": differences}
    figures = {
        name: {"published": value, "here": score[name]}
        for name, value in result["figures"].items()
        if name in score
    }
    return origin | {"comparable": True, "figures": figures}


def published_lines(results: tuple[dict[str, Any], ...], labels: Mapping[str, str]) -> list[str]:
    """Describe results of `published_beside` in a line each.

    Args:
        results: to describe.
        labels: label of each figure.
    """
    lines = []
    for result in results:
        if result["comparable"]:
            pairs = [
                f"{labels.get(name, name)} {pair['published']:.2f} (here {pair['here']:.2f})"
                for name, pair in result["figures"].items()
            ]
            lines.append(f"published on {result['dataset']}, same protocol: {', '.join(pairs)}")
        else:
            gaps = [
                f"{name.replace('_', ' ')} {pair['published']}, here {_shown(pair['here'])}"
                for name, pair in result["differences"].items()
            ]
            lines.append(
                f"published on {result['dataset']} by another protocol, not comparable: "
                f"{'; '.join(gaps)}"
            )
        lines.append(f"  source: {result['source']}")
    return lines


def _shown(value: object) -> str:
    return "not stated" if value is None else str(value)


def _plain(name: str) -> str:
    """Letters and digits of a name, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
