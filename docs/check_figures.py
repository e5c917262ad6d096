"""List figures that are not of the shipped weights: `python docs/check_figures.py`.

A score in a model card has `weights_sha256`, which the release writes. A table in a document says
`weights ABCD1234`, the first eight digits of the checksum, in the sentence before it. The log of
experiments is left out: it is about older weights on purpose. Ends with 1 if there are any.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["stale_documents", "stale_scores"]

ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "core/terraseek/encoders/cards"
WEIGHTS = ROOT / "core/terraseek/encoders/weights"
_MENTION = re.compile(r"weights `?([0-9a-f]{8})[0-9a-f]*`?")
_LOGS = ("experiments.md", "changelog.md", "CHANGELOG.md")


def stale_scores(cards: Path = CARDS, weights: Path = WEIGHTS) -> Iterator[str]:
    """Scores of the cards of shipped weights that were made with other, or unknown, weights."""
    for path in sorted(cards.glob("*.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        if not (weights / card["weights"]["file"]).is_file():
            continue  # weights of others, whose scores are published ones
        for name, score in card.get("scores", {}).items():
            made_with = score.get("weights_sha256") if isinstance(score, dict) else None
            if made_with != card["weights"]["sha256"]:
                yield f"{path.name}: {name}: weights {(made_with or 'unknown')[:8]}"


def stale_documents(root: Path = ROOT, cards: Path = CARDS) -> Iterator[str]:
    """Lines of documents that name weights which no card has."""
    texts = [path.read_text(encoding="utf-8") for path in cards.glob("*.json")]
    known = {str(json.loads(text)["weights"]["sha256"])[:8] for text in texts}
    for path in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")]):
        if path.name in _LOGS:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for digits in _MENTION.findall(line):
                if digits not in known:
                    yield f"{path.relative_to(root)}:{number}: weights {digits}"


if __name__ == "__main__":
    found = [*stale_scores(), *stale_documents()]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))
