"""Significance in words, the same on pages, command lines and in documents."""

from terraseek.significance.model import Level

__all__ = ["WORDS", "expected_text", "scene_text", "summary_text"]

WORDS: dict[Level, str] = {"likely": "likely", "possible": "possible", "none": "no evidence"}
"""Word for each level."""
_SENTENCES: dict[Level, str] = {
    "likely": "Likely: what the sentence describes is here.",
    "possible": "Possible: some of these may be what the sentence describes.",
    "none": "No evidence: these are the closest, yet nothing says that they are what the sentence "
    "describes.",
}


def expected_text(shown: int, expected: float) -> str:
    """How many of the hits shown are expected to be right."""
    if shown == 1:
        return f"it is right with a probability of {100 * expected:.0f} %"
    if expected < 0.5:
        return f"none of the {shown} shown is expected to be right"
    about = round(expected)
    verb = "is" if about == 1 else "are"
    return f"of the {shown} shown about {about} {verb} expected to be right"


def summary_text(level: Level, shown: int, expected: float | None) -> str:
    """One or two sentences about a result: its level, and the number of right hits."""
    if expected is None or not shown:
        return _SENTENCES[level]
    counted = expected_text(shown, expected)
    return f"{_SENTENCES[level]} {counted[0].upper()}{counted[1:]}."


def scene_text(level: Level, probability: float | None) -> str:
    """A sentence about a heat map: its level and probability."""
    share = "" if probability is None else f" (probability {100 * probability:.0f} %)"
    return {
        "likely": f"Likely{share}: the scene shows what the sentence describes.",
        "possible": f"Possible{share}: the best place may be what the sentence describes.",
        "none": f"No evidence{share}: the best place is shown, yet nothing says that it is what "
        "the sentence describes.",
    }[level]
